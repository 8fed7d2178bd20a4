//! How an instance takes the sink over. It holds up its thread.

use tokio::runtime::Handle;

use super::KafkaConfig;
use super::client::Access;
use super::held::{Body, Found, Until, read};
use super::session::Session;
use super::topics::{hold_nothing, ready};
use crate::holder::Holder;
use crate::{Checkpoint, Claim, Fence, SinkError};

/// What is known when a sink is to be opened.
pub(super) struct Opening {
    access: Access,
    claim: Claim,
    holder: Holder,
    /// For what the library tells by and by.
    runtime: Handle,
}

impl Opening {
    pub(super) fn new(
        config: KafkaConfig,
        password: Option<String>,
        claim: Claim,
        holder: Holder,
    ) -> Self {
        let access = Access::new(config, password);
        Self { access, claim, holder, runtime: Handle::current() }
    }

    pub(super) fn take_over(self) -> Result<(Session, Option<Checkpoint>), SinkError> {
        let terms = ready(&self.access, &self.runtime)?;
        let before = read(&self.access, Until::Open)?;
        self.accept(&before)?;
        // Before the brokers take nothing more of whoever has it.
        self.holder.above(before.fence)?;
        let producer = self.access.producer(terms.bytes_max)?;
        let mut session = Session::new(self.access.clone(), producer, terms);
        if self.access.config.is_transactional {
            session.begin(before.fence)?;
        }
        loop {
            let found = read(&self.access, Until::Ended)?;
            let checkpoint = self.accept(&found)?;
            if found.body.is_none() {
                hold_nothing(&self.access)?;
            }
            let Fence(fence) = self.holder.above(found.fence)?;
            let raised = Body {
                sink: self.access.config.name.clone(),
                fence,
                checkpoint: checkpoint.map(|checkpoint| checkpoint.to_string()),
            };
            if session.raise(&found, raised, checkpoint)? {
                return Ok((session, checkpoint));
            }
        }
    }

    /// Whether this sink and this log may have what is there.
    fn accept(&self, found: &Found) -> Result<Option<Checkpoint>, SinkError> {
        let config = &self.access.config;
        if let Some(body) = found.body.as_ref().filter(|body| body.sink != config.name) {
            let what = format!("prefix `{}` is that of the sink `{}`", config.prefix, body.sink);
            return Err(SinkError::blocked(what, "give each sink a prefix of its own"));
        }
        let checkpoint = found.checkpoint()?;
        self.claim.accept(checkpoint.as_ref())?;
        Ok(checkpoint)
    }
}
