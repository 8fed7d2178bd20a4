//! A sink that is open: where its checkpoint is, and how a batch is put behind it.

use serde_json::Value;

use super::chain::Chain;
use super::fault::Denied;
use super::held::{Body, Held, headers, number_of, read};
use super::link::Link;
use super::messages::{BatchId, are_small, fits, messages, of_record};
use super::stream::Terms;
use super::{BATCH, NatsConfig, PART_MAX, checkpoint_subject};
use crate::crash::pass;
use crate::limit::within;
use crate::{Batch, Checkpoint, Fence, SinkError};

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
    /// Tells this one from all that ever were.
    nonce: String,
    /// A chain came to an end in the middle that nobody else has caused who has the sink: somebody
    /// publishes below its prefix, or the server refuses something and has not said what.
    is_broken: bool,
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
        let nonce = link.nonce();
        Self { link, terms, held, checkpoint, partly: None, batches: 0, nonce, is_broken: false }
    }

    /// Whether a chain was broken.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// At once, where the server takes that much at once; else in a chain, if there may be one; or
    /// in as many parts as the server's limit makes it, each with a checkpoint of its own. While it
    /// takes one, the next is on its way.
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
        if let Some(batch) = rest.as_ref().filter(|rest| self.is_for_a_chain(config, rest)) {
            return self.chain(config, batch).await;
        }
        while rest.is_some() || staged.is_some() {
            self.batches += 1;
            let both =
                async { Ok(tokio::join!(self.end(config, staged), self.stage(config, rest))) };
            let both = within(PART_MAX, self.link.unless_lost(BATCH, both)).await;
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

    fn is_for_a_chain(&self, config: &NatsConfig, batch: &Batch) -> bool {
        // A message that goes when its time has come would take its checkpoint with it.
        self.terms.chains
            && config.keep.is_none()
            && batch.lapse.is_none()
            && batch.open_gaps.is_empty()
            && batch.parked.is_empty()
            && fits(config, batch).is_err()
            // What the server refuses would be found in the middle.
            && are_small(&self.terms, batch)
    }

    async fn chain(&mut self, config: &NatsConfig, batch: &Batch) -> Result<(), SinkError> {
        let (journal, base) = (batch.journal(), batch.base.unwrap_or(batch.next));
        let messages = batch.entries().map(|(offset, record)| {
            let after = Checkpoint { next_offset: offset + 1, ..base };
            (of_record(config, journal, offset, record), after)
        });
        self.batches += 1;
        let id = BatchId::unique(config, &self.nonce, self.batches);
        let mut chain = Chain::new(&self.link, config, id);
        let publishing = async {
            let bytes_max = self.terms.body_bytes_max();
            let told = match chain.publish(self.held, bytes_max, messages).await? {
                Ok(()) => {
                    pass("chain-published", "messages of a chain are there, or on their way");
                    self.end_chain(config, &chain, batch.next).await?
                }
                Err(denied) => Err(denied),
            };
            match told {
                Ok(told) => number_of(&told, BATCH).map(Ok),
                Err(denied) if denied.is_overtaken() => {
                    let overtaken = self.overtaken(config, batch.next);
                    let fault = within(PART_MAX, overtaken).await;
                    fault.map_err(SinkError::unreachable(BATCH))?.map(Err)
                }
                Err(denied) => Err(denied.fault(BATCH)),
            }
        };
        let told = self.link.unless_lost(BATCH, publishing).await;
        // Where it is neither taken nor somebody else's by now, something is in its way.
        if matches!(told, Ok(Ok(_))) {
            pass("chain-ended", "a chain and its checkpoint are there, and nobody was told");
        }
        self.is_broken =
            chain.is_broken() || matches!(&told, Ok(Err(SinkError::Unreachable { .. })));
        self.held.sequence = told.flatten()?;
        self.checkpoint = Some(batch.next);
        self.partly = None;
        Ok(())
    }

    async fn end_chain(
        &self,
        config: &NatsConfig,
        chain: &Chain<'_>,
        next: Checkpoint,
    ) -> Result<Result<Value, Denied>, SinkError> {
        let mut headers = headers(config, &self.terms, self.held.sequence);
        chain.end(&mut headers);
        let subject = checkpoint_subject(&config.prefix);
        let body = self.body(config, next).to_bytes();
        let asked = self.link.ask(BATCH, subject, headers, body.into());
        within(PART_MAX, asked).await.map_err(SinkError::unreachable(BATCH))?
    }

    fn body(&self, config: &NatsConfig, next: Checkpoint) -> Body {
        Body {
            sink: config.name.clone(),
            fence: self.held.fence,
            checkpoint: Some(next.to_string()),
            whole_until: None,
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
        let (batch, rest) = match fits(config, &batch) {
            Err(SinkError::TooMuch { from }) => {
                let [first, rest] = batch.split_at(from).ok_or(SinkError::TooMuch { from })?;
                (first, Some(rest))
            }
            told => (told.map(|()| batch)?, None),
        };
        let (messages, next) = (messages(config, &self.terms, &batch)?, batch.next);
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
        pass("batch-staged", "messages of a batch are on their way, and nobody may see them");
        Ok((Some(Staged { id, count, next }), rest))
    }

    /// Publishes the last message of a batch, the checkpoint. Returns where it then is.
    async fn end(
        &self,
        config: &NatsConfig,
        staged: Option<Staged>,
    ) -> Result<Option<(u64, Checkpoint)>, SinkError> {
        let Some(Staged { id, count, next }) = staged else { return Ok(None) };
        let body = self.body(config, next);
        let mut headers = headers(config, &self.terms, self.held.sequence);
        id.mark(&mut headers, count + 1);
        headers.insert("Nats-Batch-Commit", "1");
        let subject = checkpoint_subject(&config.prefix);
        match self.link.ask(BATCH, subject, headers, body.to_bytes().into()).await? {
            Ok(told) => {
                pass("committed", "the batch is there with its checkpoint, and nobody was told");
                Ok(Some((number_of(&told, BATCH)?, next)))
            }
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
        let Some((sequence, body)) = read(&self.link, config).await? else {
            // Opening it again tells what is left.
            return Ok(SinkError::unreachable(BATCH)("the checkpoint is gone"));
        };
        // A lower one is nobody's: somebody has published an older text.
        if body.fence > self.held.fence {
            return Ok(SinkError::Fenced);
        }
        if sequence == self.held.sequence {
            return Ok(SinkError::unreachable(BATCH)(
                "another message came between those of a chain, or the server refused one",
            ));
        }
        Ok(SinkError::Moved { found: body.parsed()?.unwrap_or(next) })
    }
}
