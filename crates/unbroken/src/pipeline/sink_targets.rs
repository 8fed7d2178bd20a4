//! Targets, made from their configuration: what a sink may not know of, secrets and trust, is given
//! to it here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use unbroken_connect::secret::SecretSource;
use unbroken_connect::transport::Tls;
use unbroken_sink::{
    AskOptions, AskPassword, Nats, NatsConfig, NatsLogin, Parquet, ParquetConfig, Postgres,
    PostgresConfig, Redshift, RedshiftConfig, nats_servers, postgres_server, redshift_server,
};

use super::error::PipelineError;
use crate::config::{NatsSection, ParquetSection, PartitionBy, PostgresSection, RedshiftSection};

pub(super) fn postgres(name: String, section: PostgresSection) -> Result<Postgres, PipelineError> {
    let PostgresSection { url, password, schema, partition_by, ca_file } = section;
    let server = postgres_server(&url)
        .map_err(|source| PipelineError::SinkUrl { name: name.clone(), source })?;
    let tls = trust(&name, ca_file.as_deref())?.client_config();
    let password = password.map(asking);
    let by_day = partition_by == Some(PartitionBy::Day);
    Ok(Postgres::new(PostgresConfig { name, server, schema, by_day, tls, password }))
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
    let NatsSection { stream, prefix, replicas, batch_messages_max, keep_ms, .. } = section;
    let keep = keep_ms.map(Duration::from_millis);
    Ok(Nats::new(NatsConfig {
        name,
        servers,
        tls,
        login,
        stream,
        prefix,
        replicas,
        batch_messages_max,
        keep,
    }))
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
            let ca = certificates(&name, ca_file)?;
            ParquetConfig::Store { url, options: asking_options(options, secrets), ca }
        }
    };
    Ok(Parquet::new(name, config))
}

pub(super) fn redshift(name: String, section: RedshiftSection) -> Result<Redshift, PipelineError> {
    let RedshiftSection { url, password, schema, stage, options, secrets, iam_role, ca_file } =
        section;
    let server = redshift_server(&url)
        .map_err(|source| PipelineError::SinkUrl { name: name.clone(), source })?;
    let tls = trust(&name, ca_file.as_deref())?.client_config();
    let ca = certificates(&name, ca_file)?;
    Ok(Redshift::new(RedshiftConfig {
        name,
        server,
        tls,
        password: password.map(asking),
        schema,
        stage,
        options: asking_options(options, secrets),
        ca,
        role: iam_role,
    }))
}

fn certificates(name: &str, ca_file: Option<PathBuf>) -> Result<Option<Vec<u8>>, PipelineError> {
    let read = ca_file.map(|path| {
        let name = name.to_owned();
        fs::read(&path).map_err(|source| PipelineError::SinkCa { name, path, source })
    });
    read.transpose()
}

/// Read each time that the sink is opened.
fn asking_options(
    options: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretSource>,
) -> AskOptions {
    let options: Vec<(String, String)> = options.into_iter().collect();
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
