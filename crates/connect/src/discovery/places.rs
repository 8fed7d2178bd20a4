//! Where a source's requests go: where the user says, or where the vendor's service says.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::connector::Failure;

use crate::auth::{Authorizer, Granted};
use crate::discovery::hosts::fatal;
use crate::discovery::service::{Discovery, Visit};
use crate::transport::{Http, Origin};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    api: Option<Origin>,
    discovery: Option<Arc<Discovery>>,
}

impl Places {
    pub(crate) fn new(api: Option<Origin>, discovery: Option<Arc<Discovery>>) -> Self {
        Self { api, discovery }
    }

    /// Whether TLS may be needed.
    pub(crate) fn are_encrypted(&self) -> bool {
        self.discovery.is_some() || self.api.as_ref().is_some_and(Origin::is_encrypted)
    }

    /// The API or, as long as nothing was asked, the service that will name it.
    pub(crate) fn base(&self) -> Option<&Origin> {
        self.api.as_ref().or_else(|| self.service())
    }

    /// The service that is asked, if one is.
    pub(crate) fn service(&self) -> Option<&Origin> {
        self.discovery.as_deref().map(Discovery::service)
    }

    /// The API.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn api(&self, http: &Http) -> Result<Origin, Failure> {
        match (&self.api, &self.discovery) {
            (Some(api), _) => Ok(api.clone()),
            (None, Some(discovery)) => Ok(discovery.hosts(http).await?.api),
            (None, None) => Err(fatal("source has no `api`")),
        }
    }

    /// A request to the API is on its way.
    pub(crate) fn visit(&self) -> Visit<'_> {
        Visit::begin(self.discovery.as_deref())
    }

    /// Asks for a token: at the user's URL, else where the API's are.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn authorize(
        &self,
        authorizer: &Authorizer,
        http: &Http,
        deadline: Duration,
    ) -> Result<Granted, Failure> {
        let Some(discovery) = self.discovery.as_ref().filter(|_| authorizer.follows_api()) else {
            return authorizer.authorize(http, deadline).await;
        };
        let authorizer = authorizer.at(discovery.hosts(http).await?.token);
        let visit = self.visit();
        visit.judge(authorizer.authorize(http, deadline).await)
    }

    /// The API, as far as it is known by now.
    pub(crate) fn known_api(&self) -> Option<Origin> {
        let named = || Some(self.discovery.as_ref()?.known()?.api);
        self.api.clone().or_else(named)
    }

    /// Where tokens are asked for, as far as that is known by now.
    pub(crate) fn known_token(&self, authorizer: &Authorizer) -> Option<Origin> {
        match self.discovery.as_ref().filter(|_| authorizer.follows_api()) {
            Some(discovery) => Some(discovery.known()?.token),
            None => authorizer.origin().cloned(),
        }
    }
}
