//! A sink that is open: where its checkpoint is, and how a batch is put behind it.

use std::time::Duration;

use super::held::{Body, Held, headers, number_of, read};
use super::link::Link;
use super::messages::{BatchId, messages};
use super::stream::Terms;
use super::{BATCH, NatsConfig, checkpoint_subject};
use crate::{Batch, Checkpoint, Fence, SinkError};

/// How long a part of a batch may take. The server gives a batch up that says nothing for ten
/// seconds.
const PART_MAX: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    terms: Terms,
    held: Held,
    checkpoint: Option<Checkpoint>,
    /// The base of a batch of which the first parts were committed before one was refused.
    partly: Option<Checkpoint>,
    batches: u64,
}

/// Messages that the server has, and does not show before the last one of their batch.
struct Staged {
    id: BatchId,
    count: u64,
    next: Checkpoint,
}

impl Session {
    pub(super) fn new(
        link: Link,
        terms: Terms,
        held: Held,
        checkpoint: Option<Checkpoint>,
    ) -> Self {
        Self { link, terms, held, checkpoint, partly: None, batches: 0 }
    }

    /// In as many parts as the server's limit makes it, each with a checkpoint of its own. While
    /// the server takes one, the next is on its way.
    pub(super) async fn commit(
        &mut self,
        config: &NatsConfig,
        fence: Fence,
        batch: &Batch,
    ) -> Result<(), SinkError> {
        if fence.0 != self.held.fence {
            return Err(SinkError::Fenced);
        }
        let (mut rest, mut staged) = (self.rest_of(batch)?, None);
        while rest.is_some() || staged.is_some() {
            self.batches += 1;
            let both =
                async { Ok(tokio::join!(self.end(config, staged), self.stage(config, rest))) };
            let both = tokio::time::timeout(PART_MAX, self.link.unless_lost(BATCH, both)).await;
            let (ended, begun) = both.map_err(SinkError::unreachable(BATCH)).flatten()?;
            if let Some((sequence, checkpoint)) = ended? {
                self.held.sequence = sequence;
                self.checkpoint = Some(checkpoint);
                self.partly = batch.base;
            }
            (staged, rest) = begun?;
        }
        self.partly = None;
        Ok(())
    }

    /// Without the parts of it that are there already.
    fn rest_of(&self, batch: &Batch) -> Result<Option<Batch>, SinkError> {
        match self.checkpoint {
            held if held == batch.base => Ok(Some(batch.clone())),
            Some(held) if self.partly.is_some() && self.partly == batch.base => {
                Ok(batch.behind(held))
            }
            held => Err(SinkError::Moved { found: held.unwrap_or(batch.next) }),
        }
    }

    /// Publishes as much of a batch as the server takes at once, but for its last message. Returns
    /// it with the rest of the batch.
    async fn stage(
        &self,
        config: &NatsConfig,
        batch: Option<Batch>,
    ) -> Result<(Option<Staged>, Option<Batch>), SinkError> {
        let Some(batch) = batch else { return Ok((None, None)) };
        // What ends the part before goes out first.
        tokio::task::yield_now().await;
        let (messages, next, rest) = match messages(config, &self.terms, &batch) {
            Err(SinkError::TooMuch { from }) => {
                let [first, rest] = batch.split_at(from).ok_or(SinkError::TooMuch { from })?;
                (messages(config, &self.terms, &first)?, first.next, Some(rest))
            }
            told => (told?, batch.next, None),
        };
        let id = BatchId::new(config, self.held.fence, self.batches);
        let mut count = 0;
        // Only the whole batch is answered: a message that gets lost leaves a hole in it.
        for mut message in messages {
            count += 1;
            id.mark(&mut message.headers, count);
            let published = self.link.client.publish_with_headers(
                message.subject,
                message.headers,
                message.body,
            );
            published.await.map_err(SinkError::unreachable(BATCH))?;
        }
        Ok((Some(Staged { id, count, next }), rest))
    }

    /// Publishes the last message of a batch, the checkpoint. Returns where it then is.
    async fn end(
        &self,
        config: &NatsConfig,
        staged: Option<Staged>,
    ) -> Result<Option<(u64, Checkpoint)>, SinkError> {
        let Some(Staged { id, count, next }) = staged else { return Ok(None) };
        let body = Body {
            sink: config.name.clone(),
            fence: self.held.fence,
            checkpoint: Some(next.to_string()),
            whole_until: None,
        };
        let mut headers = headers(config, &self.terms, self.held.sequence);
        id.mark(&mut headers, count + 1);
        headers.insert("Nats-Batch-Commit", "1");
        let subject = checkpoint_subject(&config.prefix);
        match self.link.ask(BATCH, subject, headers, body.to_bytes().into()).await? {
            Ok(told) => Ok(Some((number_of(&told, BATCH)?, next))),
            Err(denied) if denied.is_overtaken() => Err(self.overtaken(config, next).await?),
            Err(denied) => Err(denied.fault(BATCH)),
        }
    }

    /// By whom the checkpoint was moved.
    async fn overtaken(
        &self,
        config: &NatsConfig,
        next: Checkpoint,
    ) -> Result<SinkError, SinkError> {
        let Some((_, body)) = read(&self.link, config).await? else {
            // Opening it again tells what is left.
            return Ok(SinkError::unreachable(BATCH)("the checkpoint is gone"));
        };
        // A lower one is nobody's: somebody has published an older text.
        if body.fence > self.held.fence {
            return Ok(SinkError::Fenced);
        }
        Ok(SinkError::Moved { found: body.parsed()?.unwrap_or(next) })
    }
}
