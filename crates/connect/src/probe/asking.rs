//! What is asked for by requests: the token, what it allows, the head, the snapshot.

use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use unbroken_core::connector::{Coverage, Failure, Page, SnapshotBody, SnapshotKind};
use unbroken_core::machine::Fetch;

use crate::probe::observe::Teller;
use crate::probe::sightings::{Sightings, SnapshotSeen};
use crate::probe::step::{Blame, Step};
use crate::probe::way::Ways;
use crate::secret::Secret;
use crate::source::Source;
use crate::transport::Answer;

/// Most pages of a snapshot: far above any tenant's.
const PAGES_MAX: u64 = 10_000;

/// A token, as far as there is one.
pub(super) struct Token {
    pub(super) secret: Option<Secret>,
    /// Why nothing that needs one can be asked for.
    pub(super) missing: Option<&'static str>,
}

impl Token {
    pub(super) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }
}

/// The token.
pub(super) async fn token(source: &Source, ways: &Ways, teller: &mut Teller<'_>) -> Token {
    teller.begin();
    if !source.capabilities().token_needed {
        teller.tell(Step::skipped("token", "the profile sends none"));
        return Token { secret: None, missing: None };
    }
    let missing = |why| Token { secret: None, missing: Some(why) };
    if let Some(obstacle) = ways.obstacle(source.token_origin().as_ref()) {
        teller.tell(Step::skipped("token", obstacle));
        return missing("there is no token: see above");
    }
    match source.authorize().await {
        Ok(granted) => {
            let what = match granted.life_ms {
                Some(life_ms) => format!("granted for {}", span(life_ms)),
                None => "granted; nothing says for how long".to_owned(),
            };
            teller.tell(Step::good("token", what));
            Token { secret: Some(granted.token), missing: None }
        }
        Err(failure) => {
            teller.tell(refused_token(source, &failure));
            missing("there is no token: see `token`")
        }
    }
}

fn refused_token(source: &Source, failure: &Failure) -> Step {
    let what = failure.what.as_str();
    match failure.code {
        Some(400 | 401 | 403) => {
            let hint = match source.scope() {
                Some(scope) => format!(
                    "check the id and the secret in `[source.auth]`, and that they may ask for the \
                     scope `{scope}`"
                ),
                None => "check the id and the secret in `[source.auth]`".to_owned(),
            };
            Step::bad("token", what, Blame::Configuration, hint)
        }
        _ => Step::failed("token", failure),
    }
}

fn span(ms: u64) -> String {
    match ms / 1_000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

/// Scope, head and snapshot.
pub(super) async fn pages(
    source: &Source,
    ways: &Ways,
    token: &Token,
    seen: &mut Sightings,
    teller: &mut Teller<'_>,
) {
    teller.begin();
    let skip = |teller: &mut Teller<'_>, names: &[&'static str], why: &str| {
        for name in names {
            teller.tell(Step::skipped(name, why));
        }
    };
    let all = ["scope", "head", "snapshot"];
    if source.capabilities().snapshot == SnapshotKind::None {
        return skip(teller, &all, "the profile reads no pages");
    }
    if let Some(obstacle) = ways.obstacle(source.api_origin().as_ref()) {
        return skip(teller, &all, &obstacle);
    }
    if let Some(why) = token.missing {
        return skip(teller, &all, why);
    }
    if source.connector().native().is_some() {
        return own_pages(source, token, seen, teller).await;
    }
    let positioned = source.capabilities().snapshot == SnapshotKind::Positioned;
    let what = if positioned { Fetch::Head } else { Fetch::First };
    let (path, answer) = match source.ask(&what, None, token.secret()).await {
        Ok(answered) => answered,
        Err(failure) => {
            teller.tell(Step::failed("scope", &failure));
            return skip(teller, &all[1..], "there was no answer: see `scope`");
        }
    };
    if let Some(step) = denied(source, &path, &answer) {
        teller.tell(step);
        return skip(teller, &all[1..], "it is not allowed: see `scope`");
    }
    match answer.is_success() {
        true => teller.tell(Step::good("scope", format!("{path} may be read"))),
        false => teller.tell(Step::skipped("scope", "the answer says nothing of it: see below")),
    }
    if positioned {
        match source.read(&what, &path, &answer) {
            Ok(page) => {
                seen.head = page.tag;
                teller.tell(Step::good("head", place(&page)));
            }
            Err(failure) => {
                teller.tell(unread("head", &answer, &failure));
                return skip(teller, &all[2..], "the head cannot be read: see `head`");
            }
        }
    } else {
        teller.tell(Step::skipped("head", "the snapshot has no position"));
    }
    match snapshot(source, token.secret()).await {
        Ok(mut snapshot) => {
            freshen(source, token.secret(), seen.head, &mut snapshot).await;
            teller.tell(told(source, &snapshot));
            seen.snapshot = Some(snapshot);
        }
        Err(step) => teller.tell(*step),
    }
}

/// The same of a source that has a connector of its own.
async fn own_pages(source: &Source, token: &Token, seen: &mut Sightings, teller: &mut Teller<'_>) {
    teller.tell(Step::skipped("scope", "the snapshot and the topics will tell"));
    teller.tell(Step::skipped("head", "the snapshot has no position"));
    match snapshot(source, token.secret()).await {
        Ok(snapshot) => {
            teller.tell(told(source, &snapshot));
            seen.snapshot = Some(snapshot);
        }
        Err(step) => teller.tell(*step),
    }
}

fn denied(source: &Source, path: &str, answer: &Answer) -> Option<Step> {
    let hint = match (answer.status, source.scope()) {
        (401, _) => {
            "the token was granted but is not accepted here: does `api` belong to the same tenant \
             as the token's URL?"
                .to_owned()
        }
        (403, Some(scope)) => format!(
            "the token lacks a right: ask the vendor's administrator whether scope `{scope}` is \
             enough and granted"
        ),
        (403, None) => {
            "the token lacks a right: ask the vendor's administrator for it, and name it as \
             `scope` in `[source.auth]`"
                .to_owned()
        }
        _ => return None,
    };
    let said = source.connector().reason(&|name| answer.header(name));
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    let what = format!("{path} was answered with HTTP {}{said}", answer.status);
    Some(Step::bad("scope", what, Blame::Configuration, hint))
}

/// Why an answer could not be read.
fn unread(name: &'static str, answer: &Answer, failure: &Failure) -> Step {
    if !answer.is_success() {
        return Step::failed(name, failure);
    }
    let what = failure.what.as_str();
    if serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok() {
        let hint = "the answer is JSON of another shape: compare the profile's pointers with it";
        return Step::bad(name, what, Blame::Profile, hint);
    }
    let is_page = answer.body.trim_ascii_start().starts_with(b"<");
    let found = if is_page { "a web page instead of JSON" } else { "no JSON, or cut short" };
    let hint = "a login page, a proxy or a load balancer answers in the vendor's place: does `api` \
                name the API's host?";
    Step::bad(name, format!("{what} ({found})"), Blame::Configuration, hint)
}

fn place(page: &Page) -> String {
    let at = match (page.tag, &page.bookmark) {
        (Some(tag), _) => tag.to_string(),
        (None, Some(_)) => "a position that can only be compared".to_owned(),
        (None, None) => "no position".to_owned(),
    };
    match &page.epoch {
        Some(epoch) => format!("{at} of epoch {epoch}"),
        None => at,
    }
}

/// All pages.
async fn snapshot(source: &Source, token: Option<&Secret>) -> Result<SnapshotSeen, Box<Step>> {
    let mut seen = SnapshotSeen::default();
    let mut what = Fetch::First;
    loop {
        let page = page(source, &what, token).await?;
        seen.see(&page);
        let rows_max = source.timing().snapshot_rows_max;
        if seen.pages >= PAGES_MAX || seen.rows > rows_max {
            let what = format!("no end after {} rows on {} pages", seen.rows, seen.pages);
            let hint = "does the next page's name change? See `snapshot.advance` in the profile";
            return Err(Box::new(Step::bad("snapshot", what, Blame::Profile, hint)));
        }
        match page.next {
            Some(next) => what = Fetch::Next(next),
            None => return Ok(seen),
        }
    }
}

async fn page(source: &Source, what: &Fetch, token: Option<&Secret>) -> Result<Page, Box<Step>> {
    let failed = |failure: Failure| Box::new(Step::failed("snapshot", &failure));
    if source.connector().native().is_some() {
        return source.fetch(what, None, token).await.map_err(failed);
    }
    let (path, answer) = source.ask(what, None, token).await.map_err(failed)?;
    let page = source.read(what, &path, &answer);
    page.map_err(|failure| Box::new(unread("snapshot", &answer, &failure)))
}

/// Waits for a snapshot that is as new as a head read before it, for as long as is declared.
async fn freshen(
    source: &Source,
    token: Option<&Secret>,
    head: Option<u64>,
    seen: &mut SnapshotSeen,
) {
    let (Some(head), Some((tag, _))) = (head, seen.tags) else { return };
    if tag >= head {
        return;
    }
    seen.is_stale = true;
    let begun = Instant::now();
    let bound_ms = source.capabilities().snapshot_staleness_ms_max;
    let limit = Duration::from_millis(bound_ms + source.timing().grace_ms);
    while begun.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(source.timing().refetch_ms)).await;
        let fetched = source.fetch(&Fetch::First, None, token).await;
        if fetched.is_ok_and(|page| page.tag.is_some_and(|tag| tag >= head)) {
            let after_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            seen.fresh_after_ms = Some(after_ms);
            return;
        }
    }
}

fn told(source: &Source, seen: &SnapshotSeen) -> Step {
    let rows = source.capabilities().snapshot_body == SnapshotBody::State;
    let total = match seen.total {
        Some(total) => format!(", total {total}"),
        None => String::new(),
    };
    let tag = match seen.tags {
        Some((low, high)) if low < high => format!(", positions {low} to {high}"),
        Some((tag, _)) => format!(", position {tag}"),
        None => String::new(),
    };
    let stale = match (seen.is_stale, seen.fresh_after_ms) {
        (false, _) => String::new(),
        (true, Some(after_ms)) => format!(", {after_ms} ms behind the head"),
        (true, None) => ", behind the head".to_owned(),
    };
    let (of_rows, of_pages) = (counted(seen.rows, "row"), counted(seen.pages, "page"));
    let what = format!("{of_rows} on {of_pages}{total}{tag}{stale}");
    let bad = |what, hint: &str| Step::bad("snapshot", what, Blame::Vendor, hint);
    if seen.rows == 0 && rows {
        let hint = "an empty answer is never believed: does the token see this tenant's keys?";
        return bad(what, hint);
    }
    if seen.totals_differ || seen.total.is_some_and(|total| total != seen.rows) {
        let what = format!("{what}: rows and total do not agree");
        return bad(what, "rows came or went while it was read: check again; if it stays, ask why");
    }
    Step::good("snapshot", what)
}

pub(super) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// After the stream was listened to: are rows and events the same thing?
pub(super) async fn compare(
    source: &Source,
    token: &Token,
    seen: &mut Sightings,
    teller: &mut Teller<'_>,
) {
    teller.begin();
    let declared = source.capabilities();
    let is_state = declared.snapshot_body == SnapshotBody::State;
    if seen.snapshot.is_none()
        || !is_state
        || declared.coverage == Coverage::Full && seen.events == 0
    {
        let why = "there are no rows and events of the same keys to compare";
        return teller.tell(Step::skipped("state", why));
    }
    let again = match snapshot(source, token.secret()).await {
        Ok(again) => again,
        Err(step) => return teller.tell(Step { name: "state", ..*step }),
    };
    let (mut equal, mut differ) = (0, 0);
    for (key, digest) in &seen.last_of_key {
        match again.digests.get(key) {
            Some(row) if row == digest => equal += 1,
            // It may be newer than the last event that was heard.
            Some(_) => differ += 1,
            None => {}
        }
    }
    seen.rows_equal = Some((equal, differ));
    let what = match equal + differ {
        0 => "no row shows a key's last event: nothing to compare".to_owned(),
        _ => format!("of {} with an event, {equal} rows equal it", counted(equal + differ, "key")),
    };
    teller.tell(Step::good("state", what));
}
