//! What a source is put together from, each part checked.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::connector::Connector;
use unbroken_core::ids::Key;
use unbroken_core::machine::{Budget, Timing};

use crate::auth::Authorizer;
use crate::config::{Limits, SourceConfig, read_keys};
use crate::discovery::{Discovery, DiscoveryError, Places};
use crate::generic::{Generic, Native};
use crate::genesys::{Client, Genesys, GenesysConfig, Parts, places};
use crate::polling::Share;
use crate::source_error::SourceError;
use crate::source_keys::{Keys, SourceHandle};
use crate::tally::Tally;
use crate::transport::{Dialer, Http, Identity, Origin, SocketLimits, Tls};

/// More agents than this are worth a word: their names no longer fit into 64 KiB, which many
/// servers take for the largest message.
const AGENTS_USUAL_MAX: usize = 1_500;

/// Where requests and where the socket go; a source that is polled has one place for both.
pub(crate) fn origins(
    name: &str,
    config: &SourceConfig,
    connector: &Generic,
) -> Result<(Places, Origin), SourceError> {
    let name = name.to_owned();
    let origin = |key, source| SourceError::Origin { name: name.clone(), key, source };
    let plain = config.insecure;
    let api = config.api.as_deref().map(|text| Origin::api(text, plain)).transpose();
    let api = api.map_err(|source| origin("api", source))?;
    let discovery = discovery(&name, config, connector)?;
    let places = Places::new(api, discovery);
    let stream = match (&config.stream, places.base()) {
        (_, Some(base)) if connector.polls() => base.clone(),
        (_, None) if connector.polls() => return Err(SourceError::NoApi { name }),
        (Some(text), _) => {
            Origin::stream(text, plain).map_err(|source| origin("stream", source))?
        }
        (None, _) => return Err(SourceError::NoStream { name }),
    };
    Ok((places, stream))
}

/// The service that says where requests go, where the user has named one.
fn discovery(
    name: &str,
    config: &SourceConfig,
    connector: &Generic,
) -> Result<Option<Arc<Discovery>>, SourceError> {
    let wrong = |source| SourceError::Discovery { name: name.to_owned(), source };
    let Some(choice) = &config.discovery else { return Ok(None) };
    if config.api.is_some() {
        return Err(wrong(DiscoveryError::Both));
    }
    let deadline = Duration::from_millis(config.timing.timing.token_ms);
    let made = Discovery::new(choice, connector, config.insecure, deadline);
    Ok(Some(Arc::new(made.map_err(wrong)?)))
}

/// The keys to subscribe to, with a word where their number may surprise.
pub(crate) fn agents(name: &str, config: &SourceConfig) -> Result<Vec<Key>, SourceError> {
    let keys = read_keys(&config.agents, config.agents_file.as_deref())
        .map_err(|source| SourceError::Keys { name: name.to_owned(), source })?;
    if keys.is_empty() && config.agents_file.is_some() {
        tracing::warn!(
            source = name,
            "agents file lists nobody: the subscription is for everybody"
        );
    }
    if keys.len() > AGENTS_USUAL_MAX {
        tracing::warn!(
            source = name,
            agents = keys.len(),
            "many agents: a vendor that cannot take their names in a message closes the \
             connection; list fewer, or none to subscribe to everybody"
        );
    }
    Ok(keys)
}

/// What a source that is asked now and then needs: what happens is seen an interval later, and
/// between two answers nothing is heard.
pub(crate) fn paced(
    name: &str,
    mut timing: Timing,
    connector: &Generic,
) -> Result<Timing, SourceError> {
    let Some(interval_ms) = connector.poll_interval_ms() else { return Ok(timing) };
    let silence_ms = interval_ms.saturating_add(timing.page_ms.min(timing.connect_ms));
    if silence_ms >= timing.idle_ms {
        let (name, idle_ms) = (name.to_owned(), timing.idle_ms);
        return Err(SourceError::Interval { name, interval_ms, idle_ms });
    }
    timing.grace_ms += interval_ms;
    Ok(timing)
}

/// What the machine may ask, and what a source that is polled may ask beside it: refused where the
/// questions alone would be too many, a page each.
pub(crate) fn divided(
    name: &str,
    budget: Budget,
    connector: &Generic,
) -> Result<(Budget, Option<Arc<Share>>), SourceError> {
    const MINUTE_MS: u64 = 60_000;
    let Some(interval_ms) = connector.poll_interval_ms() else { return Ok((budget, None)) };
    let (rest, pace) = budget.shared();
    let questions = MINUTE_MS.div_ceil(interval_ms);
    if questions > u64::from(pace.per_minute()) {
        return Err(SourceError::Questions {
            name: name.to_owned(),
            interval_ms,
            questions,
            per_minute: budget.requests_per_minute,
            share: pace.per_minute(),
        });
    }
    Ok((rest, Some(Arc::new(Share::new(pace)))))
}

/// A region gives the places that the user has not named.
pub(crate) fn place_in_region(
    name: &str,
    config: &mut SourceConfig,
    native: Option<Native>,
) -> Result<(), SourceError> {
    let name = name.to_owned();
    if native != Some(Native::Genesys) {
        return match config.genesys == GenesysConfig::default() {
            true => Ok(()),
            false => Err(SourceError::NotGenesys { name }),
        };
    }
    let Some(region) = &config.genesys.region else { return Ok(()) };
    let places = places(region).ok_or(SourceError::Region { name })?;
    config.api.get_or_insert(places.api);
    config.stream.get_or_insert(places.stream);
    if let Some(auth) = &mut config.auth {
        auth.default_url(places.token);
    }
    Ok(())
}

/// The profile, with what the user says of fields.
pub(crate) fn connector(
    name: &str,
    config: &SourceConfig,
    keyed: bool,
) -> Result<Generic, SourceError> {
    let name = || name.to_owned();
    let connector = config.profile.connector(keyed);
    let connector = connector.map_err(|source| SourceError::Profile { name: name(), source })?;
    let rules = config.fields.rules();
    let rules = rules.map_err(|source| SourceError::Fields { name: name(), source })?;
    Ok(match rules {
        Some(rules) => connector.with_fields(rules),
        None => connector,
    })
}

/// Who asks for tokens.
pub(crate) fn authorizer(
    name: &str,
    config: &SourceConfig,
    connector: &Generic,
    api: Option<&Origin>,
) -> Result<Option<Authorizer>, SourceError> {
    let name = name.to_owned();
    let Some(auth) = config.auth.clone() else {
        return match connector.capabilities().token_needed {
            true => Err(SourceError::NoAuth { name }),
            false => Ok(None),
        };
    };
    let authorizer = Authorizer::new(auth, connector.token().clone(), api, config.insecure);
    authorizer.map(Some).map_err(|source| SourceError::Auth { name, source })
}

/// What a connector of its own is put together from.
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a SourceConfig,
    pub(crate) connector: &'a Arc<Generic>,
    pub(crate) http: &'a Http,
    pub(crate) dialer: &'a Dialer,
    pub(crate) api: Option<&'a Origin>,
    pub(crate) stream_origin: &'a Origin,
    pub(crate) keys: &'a Arc<Keys>,
    pub(crate) tally: &'a Arc<Tally>,
}

impl Ground<'_> {
    /// The connector for Genesys Cloud, if the source has it.
    pub(crate) fn genesys(
        &self,
        timing: &mut Timing,
        budget: &mut Budget,
    ) -> Result<Option<Arc<Genesys>>, SourceError> {
        if self.connector.native() != Some(Native::Genesys) {
            return Ok(None);
        }
        let name = &self.config.name;
        let api = self.api.ok_or_else(|| SourceError::NoApi { name: name.clone() })?;
        let client = Client {
            connector: Arc::clone(self.connector),
            http: self.http.clone(),
            api: api.clone(),
            allowed_hosts: self.config.allowed_hosts.clone(),
            deadline: Duration::from_millis(timing.page_ms),
            tally: Arc::clone(self.tally),
        };
        let genesys = Genesys::new(Parts {
            name,
            config: self.config.genesys.clone(),
            client,
            dialer: self.dialer.clone(),
            stream_origin: self.stream_origin.clone(),
            limits: socket_limits(timing, self.config.limits),
            keys: SourceHandle(Arc::clone(self.keys)),
        });
        let genesys =
            genesys.map_err(|source| SourceError::Roster { name: name.clone(), source })?;
        fit(name, &genesys, timing, budget)?;
        let genesys = Arc::new(genesys);
        let weighed = Arc::downgrade(&genesys);
        // The keys are older than what weighs them: nobody has set it.
        let _ = self.keys.weigh.set(Box::new(move |keys| {
            weighed.upgrade().map_or(Ok(()), |genesys| genesys.weigh(keys))
        }));
        Ok(Some(genesys))
    }
}

/// What a source needs whose channels are made and filled by requests before a socket is opened.
fn fit(
    name: &str,
    genesys: &Genesys,
    timing: &mut Timing,
    budget: &mut Budget,
) -> Result<(), SourceError> {
    budget.requests_per_handshake = genesys.requests_per_handshake();
    budget.requests_burst = budget.requests_burst.max(budget.requests_per_handshake);
    let (requests, audit_ms) = (genesys.requests_per_audit(), timing.audit_ms.max(1));
    let per_minute = (requests as u64).saturating_mul(60_000) / audit_ms;
    if per_minute > u64::from(budget.requests_per_minute) / 2 {
        let (name, per_minute) = (name.to_owned(), budget.requests_per_minute);
        return Err(SourceError::Audit { name, requests, audit_ms, per_minute });
    }
    let calls_ms = timing.page_ms.saturating_mul(2);
    timing.connect_ms = timing.connect_ms.saturating_add(calls_ms);
    timing.handover_ms = timing.handover_ms.saturating_add(calls_ms);
    Ok(())
}

/// The bounds of a socket.
pub(crate) fn socket_limits(timing: &Timing, limits: Limits) -> SocketLimits {
    SocketLimits {
        connect: Duration::from_millis(timing.connect_ms),
        write: Duration::from_millis(timing.subscribe_ms),
        frame_bytes_max: limits.frame_bytes_max,
    }
}

/// The way to the vendor: trust, our own certificate, proxies.
pub(crate) fn dialer(
    name: &str,
    config: &SourceConfig,
    encrypted: bool,
) -> Result<Dialer, SourceError> {
    let proxies = config.proxy.proxies();
    let proxies = proxies.map_err(|source| SourceError::Proxy { name: name.to_owned(), source })?;
    if config.proxy.has_literal() {
        tracing::warn!(
            "a proxy's password stands in the configuration; use {{ env = … }} or a file"
        );
    }
    let tls = |source| SourceError::Tls { name: name.to_owned(), source };
    let now = jiff::Timestamp::now();
    let (certificate, key) = (&config.client_certificate_file, &config.client_key_file);
    let identity = Identity::read(certificate.as_deref(), key.as_deref(), now);
    let identity = identity.map_err(|error| tls(error.into()))?;
    let trust = if encrypted || proxies.are_encrypted() {
        Tls::with_identity(config.ca_file.as_deref(), identity)
    } else {
        Tls::none()
    };
    Ok(Dialer::new(trust.map_err(tls)?, proxies))
}
