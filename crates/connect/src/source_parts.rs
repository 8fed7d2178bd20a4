//! What a source is put together from, each part checked.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::ids::Key;
use unbroken_core::machine::{Budget, Timing};

use crate::config::{SourceConfig, read_keys};
use crate::discovery::{Discovery, DiscoveryError, Places};
use crate::generic::Generic;
use crate::polling::Share;
use crate::source_error::SourceError;
use crate::transport::{Dialer, Identity, Origin, Tls};

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
