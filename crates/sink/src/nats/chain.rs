//! A backlog: messages of which the server takes each only behind the one before.
//!
//! The first one names the checkpoint that this instance wrote last, each other one the id of the
//! message before it, and the new checkpoint that of the last one. So where one is not taken, none
//! that follows is, whoever else has published what meanwhile; and once the checkpoint is taken,
//! all are. Each says how far the sink is with it: whoever takes the sink over in the middle goes
//! on behind the last one that is there.

use async_nats::{HeaderMap, Subscriber};
use futures_util::StreamExt as _;

use super::fault::Denied;
use super::held::{FOLLOWS, Held};
use super::link::Link;
use super::messages::{BatchId, Message};
use super::{BATCH, NatsConfig, PART_MAX, checkpoint_subject};
use crate::limit::within;
use crate::{Checkpoint, SinkError};

/// Of so many messages the last one is answered. The server drops what is more than 10,000 behind
/// (`max_buffered_msgs`).
const STEP: usize = 500;

/// So many answers may be missing while more is published.
const AHEAD: usize = 3;

/// After so many messages the connection sends what it has: the server is to begin with it while
/// the next ones are made.
const LET_GO: usize = 50;

pub(super) const ID: &str = "Nats-Msg-Id";
const BEHIND: &str = "Nats-Expected-Last-Msg-Id";

/// How far the sink is with a message.
const POSITION: &str = "Unbroken-Checkpoint";

/// Of one commit.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    link: &'a Link,
    config: &'a NatsConfig,
    id: BatchId,
    count: usize,
    /// How many answers were asked for, and have not come.
    missing: usize,
    is_broken: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn new(link: &'a Link, config: &'a NatsConfig, id: BatchId) -> Self {
        Self { link, config, id, count: 0, missing: 0, is_broken: false }
    }

    /// Publishes messages, each with its checkpoint. Where the server has something against one of
    /// them, that is the inner error.
    pub(super) async fn publish(
        &mut self,
        held: Held,
        body_bytes_max: usize,
        messages: impl Iterator<Item = (Message, Checkpoint)>,
    ) -> Result<Result<(), Denied>, SinkError> {
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let subscribed = client.subscribe(inbox.clone()).await;
        let mut answers = subscribed.map_err(SinkError::unreachable(BATCH))?;
        for (mut message, checkpoint) in messages {
            self.mark(&mut message.headers, held, checkpoint);
            let Message { subject, headers, body } = message;
            if body.len() > body_bytes_max {
                // The server would cut the connection, and not say why. A batch tells which it is.
                self.is_broken = true;
                return Err(SinkError::unreachable(BATCH)("an event is too large for a message"));
            }
            if self.count.is_multiple_of(LET_GO) {
                tokio::task::yield_now().await;
            }
            if !self.count.is_multiple_of(STEP) {
                let published = client.publish_with_headers(subject, headers, body);
                published.await.map_err(SinkError::unreachable(BATCH))?;
                continue;
            }
            let inbox = inbox.clone();
            let published = client.publish_with_reply_and_headers(subject, inbox, headers, body);
            published.await.map_err(SinkError::unreachable(BATCH))?;
            self.missing += 1;
            if self.missing > AHEAD {
                self.missing -= 1;
                if let Err(denied) = answer(&mut answers).await? {
                    return Ok(Err(denied));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Whether something is in the way of this chain, and not of a batch.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What the checkpoint of the commit has to name.
    pub(super) fn end(&self, headers: &mut HeaderMap) {
        if self.count > 0 {
            headers.insert(BEHIND, self.id.of(self.count));
        }
    }

    fn mark(&mut self, headers: &mut HeaderMap, held: Held, checkpoint: Checkpoint) {
        if self.count == 0 {
            headers.insert("Nats-Expected-Stream", self.config.stream.as_str());
            headers.insert(FOLLOWS, held.sequence.to_string());
            headers.insert(format!("{FOLLOWS}-Subject"), checkpoint_subject(&self.config.prefix));
        } else {
            headers.insert(BEHIND, self.id.of(self.count));
        }
        self.count += 1;
        headers.insert(ID, self.id.of(self.count));
        headers.insert(POSITION, checkpoint.to_string());
    }
}

async fn answer(answers: &mut Subscriber) -> Result<Result<(), Denied>, SinkError> {
    let failed = |why: &'static str| SinkError::unreachable(BATCH)(why);
    let message = within(PART_MAX, answers.next()).await;
    let message = message.map_err(SinkError::unreachable(BATCH))?;
    let message = message.ok_or_else(|| failed("the connection was closed"))?;
    if message.payload.is_empty() {
        return Err(failed("no stream takes its messages"));
    }
    let told = serde_json::from_slice(&message.payload).map_err(SinkError::unreachable(BATCH))?;
    Ok(Denied::of(told).map(drop))
}

/// How far the sink is with a message that has these headers; `None`: it is of no chain of the
/// sink's.
pub(super) fn position(config: &NatsConfig, headers: &str) -> Option<Checkpoint> {
    let header = |name: &str| {
        headers.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    header(ID)?.starts_with(&BatchId::begin(config)).then(|| header(POSITION)?.parse().ok())?
}
