//! Asks the service.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::discovery::allowed::Allowed;
use crate::discovery::choice::DiscoveryChoice;
use crate::discovery::error::DiscoveryError;
use crate::discovery::hosts::{Hosts, Reading};
use crate::discovery::named::Named;
use crate::discovery::standing::Standing;
use crate::generic::{Generic, ProfileError, RequestTemplate, Values};
use crate::transport::{Http, Origin, Request};

/// The name of the template value.
const TENANT: &str = "tenant_id";

/// A source's service, and what it has said.
#[derive(Debug)]
pub(crate) struct Discovery {
    service: Origin,
    request: Request,
    reading: Reading,
    deadline: Duration,
    /// One question at a time: whoever else waits takes the same answer.
    asking: tokio::sync::Mutex<()>,
    standing: Mutex<Standing>,
}

impl Discovery {
    pub(crate) fn new(
        choice: &DiscoveryChoice,
        connector: &Generic,
        insecure: bool,
        deadline: Duration,
    ) -> Result<Self, DiscoveryError> {
        let profile = connector.profile();
        let discovery = profile.discovery.as_ref().ok_or(DiscoveryError::NotInProfile)?;
        let service = Origin::api(&choice.url, insecure).map_err(DiscoveryError::Url)?;
        let mut variables: BTreeMap<String, String> = profile.variables.clone();
        variables.insert(TENANT.to_owned(), choice.tenant_id.clone());
        let wrong = |error: ProfileError| DiscoveryError::Profile(Box::new(error));
        let template = RequestTemplate::request(&discovery.request, &variables).map_err(wrong)?;
        let values = Values { variables: Some(&variables), ..Values::default() };
        let request = template.render(&values).map_err(|error| wrong(error.into()))?;
        let named = |text: &str| Named::new(text).map_err(|error| wrong(error.into()));
        let reading = Reading {
            api: named(&discovery.api)?,
            token: named(&discovery.token)?,
            allowed: Allowed::new(&choice.allowed_hosts)?,
            insecure,
            encrypted: service.is_encrypted(),
        };
        let (asking, standing) = (tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self { service, request, reading, deadline, asking, standing })
    }

    /// Where the service is.
    pub(crate) fn service(&self) -> &Origin {
        &self.service
    }

    /// What it has said last.
    pub(crate) fn known(&self) -> Option<Hosts> {
        self.standing().known().cloned()
    }

    /// The hosts. Asks first if nothing is known, or what is known is in doubt; while the service
    /// itself does not answer, the old ones count.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn hosts(&self, http: &Http) -> Result<Hosts, Failure> {
        let _one = self.asking.lock().await;
        if let Some(hosts) = self.standing().certain() {
            return Ok(hosts);
        }
        let failure = match self.ask(http).await {
            Ok(hosts) => {
                let (api, token) = (&hosts.api, &hosts.token);
                let moved = self.standing().learn(hosts.clone());
                tracing::info!(api = %api, token = %token, moved, "the vendor named its hosts");
                return Ok(hosts);
            }
            Err(failure) => failure,
        };
        match (failure.class, self.known()) {
            (Class::Retry { .. }, Some(hosts)) => {
                self.standing().settle();
                let why = failure.what;
                tracing::warn!(%why, api = %hosts.api, "no new hosts: the old ones are tried");
                Ok(hosts)
            }
            _ => Err(failure),
        }
    }

    async fn ask(&self, http: &Http) -> Result<Hosts, Failure> {
        let place = format!("{}{}", self.service, self.request.path());
        let answer = http.send(&self.service, &self.request, self.deadline).await;
        let answer = answer.map_err(|error| error.failure_at(&format!("for hosts {place}")))?;
        if answer.is_success() {
            return self.reading.hosts(&answer.body);
        }
        let (class, hint) = match answer.status {
            408 | 425 | 429 | 500.. => (Class::Retry { after_ms: answer.retry_after_ms }, ""),
            _ => (Class::Fatal, "; check `url` and `tenant_id` of `[source.discovery]`"),
        };
        let what = format!("HTTP {} of {place}, asked for hosts{hint}", answer.status);
        Err(Failure { class, code: Some(answer.status), what: Label::new(what) })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request to a host. Dropped without a verdict, it leaves the host in doubt: whoever waited for
/// the answer has given it up.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    discovery: Option<&'a Discovery>,
}

impl<'a> Visit<'a> {
    /// `None`: hosts are configured.
    pub(crate) fn begin(discovery: Option<&'a Discovery>) -> Self {
        Self { discovery }
    }

    /// What became of it.
    pub(crate) fn judge<T>(mut self, answered: Result<T, Failure>) -> Result<T, Failure> {
        match self.discovery.take() {
            Some(discovery) => discovery.standing().judge(answered),
            None => answered,
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(discovery) = self.discovery {
            discovery.standing().forsake();
        }
    }
}
