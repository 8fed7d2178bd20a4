//! A sink that is open: where its checkpoint is, and how a batch is put behind it.

use super::held::{Body, Held, headers, number_of, read};
use super::link::Link;
use super::messages::{BatchId, Message, messages};
use super::stream::Terms;
use super::{BATCH, NatsConfig, checkpoint_subject};
use crate::{Batch, Checkpoint, Fence, SinkError};

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    terms: Terms,
    held: Held,
    checkpoint: Option<Checkpoint>,
    batches: u64,
}

impl Session {
    pub(super) fn new(
        link: Link,
        terms: Terms,
        held: Held,
        checkpoint: Option<Checkpoint>,
    ) -> Self {
        Self { link, terms, held, checkpoint, batches: 0 }
    }

    pub(super) async fn commit(
        &mut self,
        config: &NatsConfig,
        fence: Fence,
        batch: &Batch,
    ) -> Result<(), SinkError> {
        if fence.0 != self.held.fence {
            return Err(SinkError::Fenced);
        }
        if self.checkpoint != batch.base {
            return Err(SinkError::Moved { found: self.checkpoint.unwrap_or(batch.next) });
        }
        let messages = messages(config, &self.terms, batch)?;
        self.batches += 1;
        let id = BatchId::new(config, self.held.fence, self.batches);
        let publishing = self.publish(config, batch, messages, &id);
        let sequence = self.link.unless_lost(BATCH, publishing).await?;
        self.held.sequence = sequence;
        self.checkpoint = Some(batch.next);
        Ok(())
    }

    /// Returns where the checkpoint then is.
    async fn publish(
        &self,
        config: &NatsConfig,
        batch: &Batch,
        messages: Vec<Message>,
        id: &BatchId,
    ) -> Result<u64, SinkError> {
        let client = &self.link.client;
        let mut number = 0;
        // Only the whole batch is answered: a message that gets lost leaves a hole in it.
        for mut message in messages {
            number += 1;
            id.mark(&mut message.headers, number);
            let published =
                client.publish_with_headers(message.subject, message.headers, message.body);
            published.await.map_err(SinkError::unreachable(BATCH))?;
        }
        let body = Body {
            sink: config.name.clone(),
            fence: self.held.fence,
            checkpoint: Some(batch.next.to_string()),
            whole_until: None,
        };
        let mut headers = headers(config, &self.terms, self.held.sequence);
        id.mark(&mut headers, number + 1);
        headers.insert("Nats-Batch-Commit", "1");
        let subject = checkpoint_subject(&config.prefix);
        match self.link.ask(BATCH, subject, headers, body.to_bytes().into()).await? {
            Ok(told) => number_of(&told, BATCH),
            Err(denied) if denied.is_overtaken() => Err(self.overtaken(config, batch).await?),
            Err(denied) => Err(denied.fault(BATCH)),
        }
    }

    /// By whom the checkpoint was moved.
    async fn overtaken(&self, config: &NatsConfig, batch: &Batch) -> Result<SinkError, SinkError> {
        let Some((_, body)) = read(&self.link, config).await? else {
            // Opening it again tells what is left.
            return Ok(SinkError::unreachable(BATCH)("the checkpoint is gone"));
        };
        // A lower one is nobody's: somebody has published an older text.
        if body.fence > self.held.fence {
            return Ok(SinkError::Fenced);
        }
        Ok(SinkError::Moved { found: body.parsed()?.unwrap_or(batch.next) })
    }
}
