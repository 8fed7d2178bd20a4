//! The relay's dialects, with the secrets of their clients read.

use std::thread;

use tokio::runtime::Builder;
use unbroken_connect::secret::{SecretError, SecretSource};
use unbroken_relay::{Credentials, CxoneDialect, DialectSettings, GenesysDialect};

use super::error::PipelineError;
use crate::config::{ClientConfig, DialectConfig};

/// Reads every secret, on a thread of its own: a command may take a while, and start-up is not
/// asynchronous.
pub(super) fn prepare(config: DialectConfig) -> Result<DialectSettings, PipelineError> {
    let failed = |source| PipelineError::Thread("the reader of the relay's secrets", source);
    let reading = thread::Builder::new().name("secrets".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok::<_, std::io::Error>(runtime.block_on(read(config)))
    });
    let read = reading.map_err(failed)?.join();
    let read = read.unwrap_or_else(|_| Err(std::io::Error::other("it has failed")));
    read.map_err(failed)?.map_err(PipelineError::DialectSecret)
}

async fn read(config: DialectConfig) -> Result<DialectSettings, SecretError> {
    let mut settings = DialectSettings::default();
    if let Some(cxone) = config.cxone {
        settings.cxone = Some(CxoneDialect {
            credentials: credentials(&cxone.clients, &cxone.bearers).await?,
            source: cxone.source,
            resource: cxone.resource,
            token_life_ms: cxone.token_life_ms,
            resume_ms: cxone.resume_ms,
        });
    }
    if let Some(genesys) = config.genesys {
        settings.genesys = Some(GenesysDialect {
            credentials: credentials(&genesys.clients, &genesys.bearers).await?,
            source: genesys.source,
            token_life_ms: genesys.token_life_ms,
        });
    }
    Ok(settings)
}

async fn credentials(
    clients: &[ClientConfig],
    bearers: &[SecretSource],
) -> Result<Credentials, SecretError> {
    let mut credentials = Credentials::default();
    for client in clients {
        credentials.add_pair(&client.id, client.secret.read().await?.expose());
    }
    for bearer in bearers {
        credentials.add_bearer(bearer.read().await?.expose());
    }
    Ok(credentials)
}
