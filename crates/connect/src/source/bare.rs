//! A source without its network: requests as they would be sent, and what the answers mean. A
//! simulation in virtual time carries them itself.

use std::sync::Arc;

use unbroken_core::bookmark::After;
use unbroken_core::connector::Failure;
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Fetch;

use super::{Source, fatal, nonce};
use crate::auth::{Authorizer, Granted};
use crate::generic::Context;
use crate::polling::status as status_calls_for;
use crate::secret::Secret;
use crate::transport::{Answer, Origin, Request, follow};

impl Source {
    /// The request for a page or the head, without its host. [`Source::read`] reads the answer.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub fn request(
        &self,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Request, Failure> {
        let api = self.places.known_api().ok_or_else(|| fatal("source has no `api`"))?;
        Ok(self.page_request(&api, what, only, token)?.1)
    }

    pub(super) fn page_request(
        &self,
        api: &Origin,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<(Origin, Request), Failure> {
        let keys = only.map_or_else(|| self.handle().keys(), Arc::from);
        let nonce = nonce();
        let context = Context { keys: &keys, nonce: &nonce, token, ..Context::default() };
        let mut request = self.connector.fetch(what, context)?;
        let origin = match self.connector.next_url(what) {
            Some(url) => follow(&url, api, &self.allowed_hosts, &mut request).map_err(|error| {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                fatal(&format!("{error}{hint}"))
            })?,
            None => api.clone(),
        };
        Ok((origin, request))
    }

    /// The handshake of a socket; `after` is what the subscription will ask for.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub fn handshake(
        &self,
        after: Option<&After>,
        token: Option<&Secret>,
    ) -> Result<Request, Failure> {
        let keys = self.handle().keys();
        let nonce = nonce();
        let context =
            Context { position: after, keys: &keys, nonce: &nonce, token, ..Context::default() };
        self.connector.handshake(context)
    }

    /// What a handshake calls for that was answered with another status than 101.
    pub fn handshake_refused(
        &self,
        path: &str,
        status: u16,
        retry_after_ms: Option<u64>,
        body: &[u8],
    ) -> Failure {
        let failure = status_calls_for(&self.connector, status, retry_after_ms, body);
        let what = format!("{} of {}{path}", failure.what, self.stream_origin);
        Failure { what: Label::new(what), ..failure }
    }

    /// The request for a token, without its host. Secrets are read now: of those that stand in the
    /// configuration itself it is ready at once.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub async fn token_request(&self) -> Result<Request, Failure> {
        self.authorizer()?.token_request().await
    }

    /// Reads the answer to it.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub fn read_token(&self, answer: &Answer) -> Result<Granted, Failure> {
        self.authorizer()?.read(answer)
    }

    pub(super) fn authorizer(&self) -> Result<&Authorizer, Failure> {
        self.authorizer.as_ref().ok_or_else(|| fatal("source has no `[source.auth]`"))
    }
}
