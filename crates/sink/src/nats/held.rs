//! The checkpoint, a message on a subject of its own, and how an instance takes it over.

use async_nats::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chain::{ID, position};
use super::link::Link;
use super::messages::{BATCH_ID, BatchId};
use super::stream::Terms;
use super::{NatsConfig, checkpoint_subject};
use crate::crash::pass;
use crate::holder::Holder;
use crate::{Blocked, Checkpoint, Claim, Fence, SinkError};

/// What the message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body {
    /// The sink whose checkpoint it is.
    pub(super) sink: String,
    /// Which instance has it.
    pub(super) fence: u64,
    /// How far it is.
    pub(super) checkpoint: Option<String>,
    /// Behind this message of the stream there may be what a commit left that was cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole_until: Option<u64>,
}

/// The last one that this instance knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) fence: u64,
    /// Its number in the stream; 0: none was ever there.
    pub(super) sequence: u64,
}

/// A message of the stream.
struct Stored {
    sequence: u64,
    subject: String,
    headers: String,
    body: Vec<u8>,
}

const READ: &str = "reading its checkpoint";
/// The server takes a message with it only behind the one that it names.
pub(super) const FOLLOWS: &str = "Nats-Expected-Last-Subject-Sequence";

/// So many messages before the end are looked at one by one, whosever they are, before those of the
/// sink are gone through from their beginning.
const LOOK_BACK: usize = 100;

const RAISE: &str = "taking it over";

/// Takes the sink over from whoever has it. `last_fence` is the one this instance had before.
pub(super) async fn take(
    link: &Link,
    config: &NatsConfig,
    terms: &Terms,
    claim: &Claim,
    holder: Holder,
) -> Result<(Held, Option<Checkpoint>), SinkError> {
    let subject = checkpoint_subject(&config.prefix);
    loop {
        let before = read(link, config).await?;
        let (sequence, body) = match before {
            Some(found) => found,
            None => match first(link, config).await? {
                Some(body) => (0, body),
                // Somebody was quicker.
                None => continue,
            },
        };
        if body.sink != config.name {
            let what = format!("prefix `{}` is that of the sink `{}`", config.prefix, body.sink);
            return Err(SinkError::blocked(what, "give each sink a prefix of its own"));
        }
        let checkpoint = body.parsed()?;
        claim.accept(checkpoint.as_ref())?;
        let whole_until = body.whole_until.unwrap_or(sequence);
        // What it is refused for, it is before anything is changed.
        if let Some(held) = last(link, config, whole_until).await? {
            claim.accept(Some(&held))?;
        }
        let Fence(fence) = holder.above(body.fence)?;
        let raised = Body { fence, whole_until: Some(whole_until), ..body };
        let mut headers = headers(config, terms, sequence);
        // Whatever chain somebody else is in the middle of, it ends here.
        headers.insert(ID, BatchId::unique(config, &link.nonce(), 0).of(0));
        let told = link.ask(RAISE, subject.clone(), headers, raised.to_bytes().into()).await?;
        let sequence = match told {
            Ok(told) => number_of(&told, RAISE)?,
            Err(denied) if denied.is_overtaken() => continue,
            Err(denied) => return Err(denied.fault(RAISE)),
        };
        pass("fence-raised", "older instances are fenced out");
        let held = Held { fence, sequence };
        let Some(further) = settle(link, config, whole_until, sequence).await? else {
            return Ok((held, checkpoint));
        };
        claim.accept(Some(&further))?;
        let checkpoint = Some(further.to_string());
        let body = Body { sink: config.name.clone(), fence, checkpoint, whole_until: None };
        if let Some(held) = moved(link, config, terms, held, &body).await? {
            return Ok((held, Some(further)));
        }
    }
}

/// Publishes the checkpoint that the messages show which whoever had the sink has left. `None`:
/// somebody else has it by now.
async fn moved(
    link: &Link,
    config: &NatsConfig,
    terms: &Terms,
    held: Held,
    body: &Body,
) -> Result<Option<Held>, SinkError> {
    let headers = headers(config, terms, held.sequence);
    let subject = checkpoint_subject(&config.prefix);
    match link.ask(RAISE, subject, headers, body.to_bytes().into()).await? {
        Ok(told) => {
            pass("left-counted", "the checkpoint counts what was left of a chain");
            Ok(Some(Held { sequence: number_of(&told, RAISE)?, ..held }))
        }
        Err(denied) if denied.is_overtaken() => Ok(None),
        Err(denied) => Err(denied.fault(RAISE)),
    }
}

/// How far the sink is by its last message, if that is behind the checkpoint.
async fn last(
    link: &Link,
    config: &NatsConfig,
    whole_until: u64,
) -> Result<Option<Checkpoint>, SinkError> {
    let asked = json!({ "last_by_subj": format!("{}.>", config.prefix) });
    let found = get(link, config, &asked).await?;
    let behind = found.filter(|stored| stored.sequence > whole_until);
    Ok(behind.and_then(|stored| position(config, &stored.headers)))
}

/// The checkpoint as it is now, with its number in the stream. Asked of the stream's leader: others
/// may be behind.
pub(super) async fn read(
    link: &Link,
    config: &NatsConfig,
) -> Result<Option<(u64, Body)>, SinkError> {
    let asked = json!({ "last_by_subj": checkpoint_subject(&config.prefix) });
    let Some(stored) = get(link, config, &asked).await? else { return Ok(None) };
    let mut body: Body =
        serde_json::from_slice(&stored.body).map_err(|error| damaged(Some(error)))?;
    // Of a text that was published by hand it may be an old one, and all that was committed since
    // would be deleted. What a sink publishes says what it follows, which cannot be true twice.
    if !stored.headers.contains(&format!("\r\n{FOLLOWS}:")) {
        body.whole_until = None;
    }
    Ok(Some((stored.sequence, body)))
}

/// Where no checkpoint is; `None`: there is one by now.
async fn first(link: &Link, config: &NatsConfig) -> Result<Option<Body>, SinkError> {
    let asked = json!({ "last_by_subj": format!("{}.>", config.prefix) });
    if get(link, config, &asked).await?.is_none() {
        let sink = config.name.clone();
        return Ok(Some(Body { sink, fence: 0, checkpoint: None, whole_until: None }));
    }
    match read(link, config).await? {
        Some(_) => Ok(None),
        None => Err(SinkError::blocked(
            format!("stream `{}` holds messages of the sink and no checkpoint", config.stream),
            "publish its checkpoint again, name another `prefix`, or purge the subjects: the sink \
             then begins anew",
        )),
    }
}

/// What lies between a checkpoint and the one that takes it over: messages of a chain, which tell
/// how far they go, and, where the server's machine lost its power, the beginning of a batch, of
/// which nothing was committed.
async fn settle(
    link: &Link,
    config: &NatsConfig,
    whole_until: u64,
    taken_at: u64,
) -> Result<Option<Checkpoint>, SinkError> {
    if whole_until == 0 || taken_at == whole_until + 1 {
        return Ok(None);
    }
    // The last one of a chain. Behind it there is hardly anything, and before it are thousands; in
    // a stream that others write to, too, there may be millions that are none of ours.
    for sequence in (whole_until + 1..taken_at).rev().take(LOOK_BACK) {
        let stored = get(link, config, &json!({ "seq": sequence })).await?;
        let Some(stored) = stored else { continue };
        if stored.headers.contains(BATCH_ID) {
            break;
        }
        let held = position(config, &stored.headers);
        if held.is_some() {
            // No batch is left where a chain was begun: it is taken out when the sink is opened.
            return Ok(held);
        }
    }
    let doing = "deleting what a commit left";
    let mut held = None;
    let ours = format!("{BATCH_ID}: {}", BatchId::begin(config));
    let mut next = whole_until + 1;
    loop {
        let asked = json!({ "seq": next, "next_by_subj": format!("{}.>", config.prefix) });
        let found = get(link, config, &asked).await?;
        let Some(stored) = found.filter(|stored| stored.sequence < taken_at) else {
            return Ok(held);
        };
        next = stored.sequence + 1;
        held = position(config, &stored.headers).or(held);
        let is_ours = stored.headers.contains(&ours);
        if !is_ours || stored.subject == checkpoint_subject(&config.prefix) {
            continue;
        }
        let delete = format!("STREAM.MSG.DELETE.{}", config.stream);
        let asked = json!({ "seq": stored.sequence, "no_erase": true });
        link.api(doing, &delete, &asked).await?.map_err(|denied| denied.fault(doing))?;
    }
}

async fn get(link: &Link, config: &NatsConfig, asked: &Value) -> Result<Option<Stored>, SinkError> {
    let told = link.api(READ, &format!("STREAM.MSG.GET.{}", config.stream), asked).await?;
    let told = match told {
        Ok(told) => told,
        Err(denied) if denied.has_no_message() => return Ok(None),
        Err(denied) => return Err(denied.fault(READ)),
    };
    let message = &told["message"];
    let decoded = |name: &str| {
        let text = message[name].as_str().unwrap_or_default();
        STANDARD.decode(text).map_err(SinkError::unreachable(READ))
    };
    Ok(Some(Stored {
        sequence: number_of(message, READ)?,
        subject: message["subject"].as_str().unwrap_or_default().to_owned(),
        headers: String::from_utf8_lossy(&decoded("hdrs")?).into_owned(),
        body: decoded("data")?,
    }))
}

/// Of the message of a checkpoint that follows another one.
pub(super) fn headers(config: &NatsConfig, terms: &Terms, follows: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/json");
    headers.insert("Nats-Expected-Stream", config.stream.as_str());
    headers.insert(FOLLOWS, follows.to_string());
    if terms.replaces {
        headers.insert("Nats-Rollup", "sub");
    }
    headers
}

/// Where a message is in the stream.
pub(super) fn number_of(told: &Value, doing: &'static str) -> Result<u64, SinkError> {
    let number = told["seq"].as_u64();
    number.ok_or_else(|| SinkError::unreachable(doing)("the server's answer has no sequence"))
}

impl Body {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Writing JSON into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn parsed(&self) -> Result<Option<Checkpoint>, SinkError> {
        self.checkpoint.as_deref().map(str::parse).transpose().map_err(|_| damaged(None))
    }
}

fn damaged(source: Option<serde_json::Error>) -> SinkError {
    SinkError::Blocked(Blocked {
        what: "the last message on the checkpoint's subject is no checkpoint".to_owned(),
        todo: "publish the one before it again, or delete that message".to_owned(),
        source: source.map(Into::into),
    })
}
