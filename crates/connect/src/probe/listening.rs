//! What is heard on a socket: the handshake, the subscription, the first frames, the end.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Ack, Class, Coverage, Decoded, Failure, Item, Numbering, Replay};
use unbroken_core::ids::Label;
use unbroken_core::machine::Fetch;
use unbroken_core::time::UnixMicros;

use crate::probe::asking::{Token, counted};
use crate::probe::observe::{Teller, Wish};
use crate::probe::sightings::{SecondSeen, Sightings};
use crate::probe::step::{Blame, Step};
use crate::probe::talk::{Talk, Word};
use crate::probe::way::Ways;
use crate::source::Source;

/// How often a position that is fresh from the vendor is tried before the vendor is taken for one
/// that accepts its exact head alone. Three events in three round trips are few for a busy tenant.
const FRESH_TRIES: u64 = 3;

/// What of all frames may be unknown before the profile is taken for a wrong one: one in so many.
const UNKNOWN_ONE_IN: u64 = 100;

/// What came of listening.
pub(super) enum Heard {
    /// There was no subscription.
    Nothing,
    /// A subscription was there.
    Stream,
}

/// The steps after the handshake.
const AFTER_HANDSHAKE: [&str; 4] = ["subscription", "frames", "audit", "farewell"];

/// From the handshake to the farewell.
pub(super) async fn listen(
    source: &Source,
    ways: &Ways,
    token: &Token,
    wish: Wish,
    seen: &mut Sightings,
    teller: &mut Teller<'_>,
) -> Heard {
    teller.begin();
    let skip = |teller: &mut Teller<'_>, names: &[&'static str], why: &str| {
        for name in names {
            teller.tell(Step::skipped(name, why));
        }
        Heard::Nothing
    };
    let obstacle = ways.obstacle(Some(source.stream_origin()));
    if let Some(why) = obstacle.or_else(|| token.missing.map(ToOwned::to_owned)) {
        teller.tell(Step::skipped("handshake", why));
        return skip(teller, &AFTER_HANDSHAKE, "there is no socket: see above");
    }
    let after = start(source, seen);
    let mut talk = match Talk::open(source, after.as_ref(), token.secret()).await {
        Ok(talk) => talk,
        Err(failure) => {
            teller.tell(refused_handshake(&failure));
            return skip(teller, &AFTER_HANDSHAKE, "there is no socket: see `handshake`");
        }
    };
    let agreed = match talk.subprotocol() {
        Some(name) => format!("accepted, subprotocol {name}"),
        None => "accepted, no subprotocol".to_owned(),
    };
    teller.tell(Step::good("handshake", agreed));
    let listener = &mut Listener::new(source, seen);
    match persist(listener, &mut talk, token, after).await {
        Ok(what) => teller.tell(Step::good("subscription", what)),
        Err(denied) => {
            teller.tell(refused_subscription(&denied));
            return skip(teller, &AFTER_HANDSHAKE[1..], "there are no frames: see `subscription`");
        }
    }
    match frames(listener, &mut talk, wish.listen).await {
        Ok(step) => teller.tell(step),
        Err(step) => {
            teller.tell(step);
            return skip(teller, &AFTER_HANDSHAKE[2..], "the socket is dead: see `frames`");
        }
    }
    let audit = audit(listener, &mut talk, token).await;
    teller.tell(audit);
    if wish.second {
        teller.tell(second(listener, &mut talk, token).await);
    }
    let closed = talk.leave().await;
    teller.tell(match closed {
        true => Step::good("farewell", "unsubscribed, and closed in turn"),
        false => Step::good("farewell", "unsubscribed; the close was not answered in time"),
    });
    Heard::Stream
}

/// Subscribes; again from a fresh position while a fresh one is refused as too old, and at last
/// without one.
async fn persist<'a>(
    listener: &mut Listener<'a>,
    talk: &mut Talk<'a>,
    token: &'a Token,
    mut after: Option<After>,
) -> Result<String, Denied> {
    let source = listener.source;
    loop {
        match subscribe(listener, talk, after.clone()).await {
            Err(denied) if denied.is_stale() && after.is_some() => {
                listener.seen.fresh_refused += 1;
                let more = listener.seen.fresh_refused < FRESH_TRIES;
                after = if more { fresh(source, token).await } else { None };
                if after.is_none() && !source.capabilities().subscribe_without_position {
                    return Err(denied);
                }
                let again = Talk::open(source, after.as_ref(), token.secret()).await;
                *talk = again.map_err(Denied::Ended)?;
            }
            other => return other,
        }
    }
}

/// Where to subscribe: behind the snapshot, if the vendor replays.
fn start(source: &Source, seen: &mut Sightings) -> Option<After> {
    if source.capabilities().replay == Replay::None {
        return None;
    }
    let snapshot = seen.snapshot.as_ref()?;
    if let Some(bookmark) = &snapshot.bookmark {
        return Some(After::Bookmark(bookmark.clone()));
    }
    Some(After::Sequence(snapshot.tags?.0))
}

/// The head of this moment.
async fn fresh(source: &Source, token: &Token) -> Option<After> {
    let page = source.fetch(&Fetch::Head, None, token.secret()).await.ok()?;
    page.bookmark.map(After::Bookmark).or(page.tag.map(After::Sequence))
}

/// Why there is no subscription.
enum Denied {
    /// The vendor said no.
    Refused(Failure),
    /// Nothing was said.
    Unanswered(Duration),
    /// The socket ended.
    Ended(Failure),
}

impl Denied {
    fn is_stale(&self) -> bool {
        let (Self::Refused(failure) | Self::Ended(failure)) = self else { return false };
        matches!(failure.class, Class::Stale { .. })
    }
}

fn refused_handshake(failure: &Failure) -> Step {
    match failure.code {
        Some(401 | 403) => {
            let hint = "the token is accepted for requests and not for the stream: ask the \
                        vendor's administrator which right the stream needs";
            Step::bad("handshake", failure.what.as_str(), Blame::Configuration, hint)
        }
        _ => Step::failed("handshake", failure),
    }
}

fn refused_subscription(denied: &Denied) -> Step {
    match denied {
        Denied::Ended(failure) => Step::failed("subscription", failure),
        Denied::Unanswered(limit) => {
            let what = format!("no answer in {} ms", limit.as_millis());
            let hint = "it forgot to answer, or the answer is not known to the profile: see \
                        `frames.kinds`, or declare `ack = \"none\"`";
            Step::bad("subscription", what, Blame::Vendor, hint)
        }
        Denied::Refused(failure) if matches!(failure.class, Class::Fatal | Class::Retry { .. }) => {
            let hint = "the vendor does not accept this: compare `messages.subscribe` of the \
                        profile, and the keys, with what it expects";
            Step::bad("subscription", failure.what.as_str(), Blame::Profile, hint)
        }
        Denied::Refused(failure) => Step::failed("subscription", failure),
    }
}

/// Notes what comes, with the time.
struct Listener<'a> {
    source: &'a Source,
    seen: &'a mut Sightings,
    begun: Instant,
}

impl<'a> Listener<'a> {
    fn new(source: &'a Source, seen: &'a mut Sightings) -> Self {
        Self { source, seen, begun: Instant::now() }
    }

    fn at_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&mut self, decoded: &Decoded) {
        let at_ms = self.at_ms();
        self.seen.sign(at_ms);
        self.seen.see(at_ms, UnixMicros(Timestamp::now().as_microsecond()), decoded);
    }
}

/// Subscribes and waits for an answer; what it was.
async fn subscribe(
    listener: &mut Listener<'_>,
    talk: &mut Talk<'_>,
    after: Option<After>,
) -> Result<String, Denied> {
    let declared = listener.source.capabilities();
    let asked = after.as_ref().and_then(After::sequence);
    listener.seen.asked = asked;
    talk.subscribe(after).map_err(Denied::Ended)?;
    listener.begun = Instant::now();
    listener.seen.begin(0);
    let place = match asked {
        Some(at) => format!("after {at}"),
        None => "from now on".to_owned(),
    };
    if declared.ack == Ack::None {
        return Ok(format!("asked {place}; the profile expects no answer"));
    }
    let limit = Duration::from_millis(listener.source.timing().subscribe_ms);
    let answered = talk.hear_until(limit, |decoded| {
        listener.note(decoded);
        decoded.items.iter().find_map(|item| match item {
            Item::Refusal(failure) => Some(Err(failure.clone())),
            Item::Ack { position } => Some(Ok(Some(*position))),
            Item::Event(_) => Some(Ok(None)),
            _ => None,
        })
    });
    match answered.await.map_err(Denied::Ended)? {
        Some(Ok(Some(Some(at)))) => Ok(format!("asked {place}, confirmed after {at}")),
        Some(Ok(Some(None))) => Ok(format!("asked {place}, confirmed without a position")),
        Some(Ok(None)) => Ok(format!("asked {place}, events came and no confirmation")),
        Some(Err(failure)) => Err(Denied::Refused(failure)),
        None => Err(Denied::Unanswered(limit)),
    }
}

/// Listens for the wished time; an error if the socket did not outlive it.
async fn frames(
    listener: &mut Listener<'_>,
    talk: &mut Talk<'_>,
    time: Duration,
) -> Result<Step, Step> {
    // A vendor that is quiet must have had the time to answer a ping.
    let ping_every = Duration::from_millis(listener.source.timing().ping_ms).min(time / 3);
    let (begun, mut pinged) = (Instant::now(), Instant::now());
    let idle = Duration::from_millis(listener.source.timing().idle_ms);
    let mut sign = Instant::now();
    let ended = loop {
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break None;
        }
        let until_ping = ping_every.saturating_sub(pinged.elapsed());
        match talk.hear(left.min(until_ping)).await {
            Word::Said(decoded) => {
                sign = Instant::now();
                listener.seen.signs += 1;
                listener.note(&decoded);
                let refusal = decoded.items.into_iter().find_map(|item| match item {
                    Item::Refusal(failure) => Some(failure),
                    _ => None,
                });
                if refusal.is_some() {
                    break refusal;
                }
            }
            Word::Ended(failure) => break Some(failure),
            Word::Silence if sign.elapsed() >= idle => {
                return Err(silent(listener.seen, sign.elapsed()));
            }
            Word::Silence if pinged.elapsed() >= ping_every => {
                pinged = Instant::now();
                if let Err(failure) = talk.ping() {
                    break Some(failure);
                }
            }
            Word::Silence => {}
        }
    };
    if listener.seen.signs == 0 {
        return Err(silent(listener.seen, begun.elapsed()));
    }
    if let Some(failure) = ended {
        let what = format!("the stream ended while it was listened to: {}", failure.what);
        return Err(Step::failed("frames", &Failure { what: Label::new(what), ..failure }));
    }
    Ok(judged(listener.seen, time))
}

/// The driver would give the socket up.
fn silent(seen: &Sightings, time: Duration) -> Step {
    let hint = "the socket is open and dead: a proxy on the way may hold it, or the vendor forgot \
                the subscription; a running service would reconnect";
    let ms = time.as_millis();
    let what = match seen.signs {
        0 => format!("not a sign of life in {ms} ms, although it was pinged"),
        _ => format!("it fell silent, for {ms} ms by now, although it was pinged"),
    };
    Step::bad("frames", what, Blame::Vendor, hint)
}

fn judged(seen: &Sightings, time: Duration) -> Step {
    let what = summary(seen, time);
    if let Some(reason) = &seen.poison_reason {
        let hint = "compare `[frames]` of the profile with what comes";
        return Step::bad("frames", format!("{what}; the first: {reason}"), Blame::Profile, hint);
    }
    if seen.dark > 0 {
        let hint = "it will be recorded and never Live: a limit, or a right that is missing";
        let why = seen.dark_why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let left_out = counted(seen.dark, "key");
        let what = format!("{what}; the subscription leaves out {left_out}{why}");
        return Step::bad("frames", what, Blame::Configuration, hint);
    }
    if seen.unknown * UNKNOWN_ONE_IN > seen.events + seen.heartbeats {
        let hint = "name them in `frames.kinds` of the profile: what is not known is not recorded";
        return Step::bad("frames", what, Blame::Profile, hint);
    }
    Step::good("frames", what)
}

fn summary(seen: &Sightings, time: Duration) -> String {
    let places = match (seen.first, seen.last) {
        (Some(first), Some(last)) => format!(" ({first} to {last})"),
        _ => String::new(),
    };
    let events = match seen.events {
        0 => "no event (a quiet time, or too short: --for)".to_owned(),
        events => format!("{}{places}", counted(events, "event")),
    };
    let beats = match (seen.heartbeats, seen.heartbeat_ms_max) {
        (0, _) => "no heartbeat".to_owned(),
        (beats, 0) => counted(beats, "heartbeat"),
        (beats, ms) => format!("{}, {ms} ms apart at most", counted(beats, "heartbeat")),
    };
    let mut what = format!("{events}, {beats}");
    for (count, name) in [
        (seen.unknown, "unknown"),
        (seen.poison, "not understood"),
        (seen.foreign, "of another subscription"),
    ] {
        if count > 0 {
            what.push_str(&format!(", {count} {name}"));
        }
    }
    format!("{what}, in {} ms", time.as_millis())
}

/// Whether the stream comes as far as the head that REST shows: heartbeats prove nothing.
async fn audit(listener: &mut Listener<'_>, talk: &mut Talk<'_>, token: &Token) -> Step {
    let declared = listener.source.capabilities();
    let numbered = matches!(declared.position, Numbering::Contiguous | Numbering::Increasing);
    if !numbered || declared.coverage != Coverage::Full || listener.seen.head.is_none() {
        let why = "the head says nothing of this stream: see `state`";
        return Step::skipped("audit", why);
    }
    let head = match listener.source.fetch(&Fetch::Head, None, token.secret()).await {
        Ok(page) => page.tag.unwrap_or_default(),
        Err(failure) => return Step::failed("audit", &failure),
    };
    let grace = Duration::from_millis(listener.source.timing().grace_ms);
    let begun = Instant::now();
    let came = |seen: &Sightings| seen.last.or(seen.asked).is_some_and(|last| last >= head);
    while !came(listener.seen) {
        match talk.hear(grace.saturating_sub(begun.elapsed())).await {
            Word::Said(decoded) => listener.note(&decoded),
            Word::Silence => break,
            Word::Ended(failure) => return Step::failed("audit", &failure),
        }
    }
    let reached = came(listener.seen);
    listener.seen.reached = Some((head, reached));
    if reached {
        return Step::good("audit", format!("the stream came to the head {head} that REST shows"));
    }
    let last = listener.seen.last.or(listener.seen.asked).unwrap_or_default();
    let what = format!("REST shows the head {head}, the stream has come to {last}");
    let hint = "the subscription is mute, or it shows only a part of what is numbered";
    Step::bad("audit", what, Blame::Vendor, hint)
}

/// A second connection beside the first.
async fn second(listener: &mut Listener<'_>, talk: &mut Talk<'_>, token: &Token) -> Step {
    let source = listener.source;
    let grace = Duration::from_millis(source.timing().grace_ms);
    let opened = async {
        let mut other = Talk::open(source, None, token.secret()).await?;
        let after = fresh(source, token).await;
        other.subscribe(after.filter(|_| source.capabilities().replay != Replay::None))?;
        Ok::<_, Failure>(other)
    };
    let (what, came) = match opened.await {
        Err(failure) => (format!("it was refused: {}", failure.what), SecondSeen::Refused),
        Ok(mut other) => {
            let (first, second) = tokio::join!(talk.lives(grace), other.lives(grace));
            other.leave().await;
            match (first, second) {
                (true, true) => ("both live side by side".to_owned(), SecondSeen::Both),
                (false, _) => ("it ended the first".to_owned(), SecondSeen::FirstEnded),
                (true, false) => ("it was ended at once".to_owned(), SecondSeen::Refused),
            }
        }
    };
    listener.seen.second = Some(came);
    Step::good("second", what)
}
