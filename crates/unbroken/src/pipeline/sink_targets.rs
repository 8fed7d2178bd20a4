//! Targets, made from their configuration: what a sink may not know of, secrets and trust, is given
//! to it here.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use unbroken_connect::secret::SecretSource;
use unbroken_connect::transport::Tls;
use unbroken_sink::{
    AskOptions, AskPassword, Nats, NatsConfig, NatsLogin, Parquet, ParquetConfig, Postgres,
    PostgresConfig, nats_servers, postgres_server,
};

use super::error::PipelineError;
use crate::config::{NatsSection, ParquetSection, PostgresSection};

pub(super) fn postgres(name: String, section: PostgresSection) -> Result<Postgres, PipelineError> {
    let PostgresSection { url, password, schema, ca_file } = section;
    let server = postgres_server(&url)
        .map_err(|source| PipelineError::SinkUrl { name: name.clone(), source })?;
    let tls = trust(&name, ca_file.as_deref())?.client_config();
    let password = password.map(asking);
    Ok(Postgres::new(PostgresConfig { name, server, schema, tls, password }))
}

pub(super) fn nats(name: String, section: NatsSection) -> Result<Nats, PipelineError> {
    let servers = nats_servers(&section.url, section.tls)
        .map_err(|source| PipelineError::SinkNatsUrl { name: name.clone(), source })?;
    let tls = trust(&name, section.ca_file.as_deref())?.client_config();
    let user = servers.user().map(str::to_owned);
    let login = if let (Some(user), Some(password)) = (user, section.password) {
        Some(NatsLogin::Password { user, password: asking(password) })
    } else if let Some(token) = section.token {
        Some(NatsLogin::Token(asking(token)))
    } else {
        section.credentials.map(|credentials| NatsLogin::Credentials(asking(credentials)))
    };
    let NatsSection { stream, prefix, replicas, keep_ms, .. } = section;
    let keep = keep_ms.map(Duration::from_millis);
    Ok(Nats::new(NatsConfig { name, servers, tls, login, stream, prefix, replicas, keep }))
}

/// A machine without roots may reach its server without TLS: then nobody is trusted.
fn trust(name: &str, ca_file: Option<&Path>) -> Result<Tls, PipelineError> {
    let roots = Tls::new(ca_file);
    let trust = if ca_file.is_some() { roots } else { roots.or_else(|_| Tls::none()) };
    trust.map_err(|source| PipelineError::SinkTrust { name: name.to_owned(), source })
}

/// Read at each connection, so that a password may be changed while the service runs.
pub(super) fn asking(source: SecretSource) -> AskPassword {
    let source = Arc::new(source);
    Arc::new(move || {
        let source = Arc::clone(&source);
        Box::pin(async move {
            let read = source.read().await;
            read.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
        })
    })
}

pub(super) fn parquet(name: String, section: ParquetSection) -> Result<Parquet, PipelineError> {
    let ParquetSection { dir, url, options, secrets, ca_file } = section;
    let config = match (dir, url) {
        (Some(dir), _) => ParquetConfig::Dir(dir),
        (None, url) => {
            let url = url.unwrap_or_default();
            let ca = ca_file.map(|path| {
                fs::read(&path).map_err(|source| PipelineError::SinkCa {
                    name: name.clone(),
                    path,
                    source,
                })
            });
            let options = options.into_iter().collect();
            let options = asking_options(options, secrets.into_iter().collect());
            ParquetConfig::Store { url, options, ca: ca.transpose()? }
        }
    };
    Ok(Parquet::new(name, config))
}

/// Read each time that the sink is opened.
fn asking_options(
    options: Vec<(String, String)>,
    secrets: Vec<(String, SecretSource)>,
) -> AskOptions {
    let secrets = Arc::new(secrets);
    Arc::new(move || {
        let (mut options, secrets) = (options.clone(), Arc::clone(&secrets));
        Box::pin(async move {
            for (key, source) in secrets.iter() {
                let secret = source.read().await.map_err(|error| error.to_string())?;
                options.push((key.clone(), secret.expose().to_owned()));
            }
            Ok(options)
        })
    })
}
