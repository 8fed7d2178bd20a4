//! How an instance takes the sink over. It holds up its thread.

use tokio::runtime::Handle;

use super::KafkaConfig;
use super::client::Access;
use super::held::{Body, Found, Until, read};
use super::session::Session;
use super::topics::{hold_nothing, ready};
use crate::{Checkpoint, Claim, SinkError};

/// What is known when a sink is to be opened.
pub(super) struct Opening {
    access: Access,
    claim: Claim,
    /// The last fence that this instance had.
    last_fence: u64,
    /// For what the library tells by and by.
    runtime: Handle,
}

impl Opening {
    pub(super) fn new(
        config: KafkaConfig,
        password: Option<String>,
        claim: Claim,
        last_fence: u64,
    ) -> Self {
        let access = Access::new(config, password);
        Self { access, claim, last_fence, runtime: Handle::current() }
    }

    pub(super) fn take_over(self) -> Result<(Session, Option<Checkpoint>), SinkError> {
        let terms = ready(&self.access, &self.runtime)?;
        let before = read(&self.access, Until::Open)?;
        self.accept(&before)?;
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
            // Who produces an older text by hand must not make an old fence a new one.
            let fence = found.fence.max(self.last_fence).saturating_add(1);
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
