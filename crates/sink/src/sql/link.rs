//! A connection to a server that speaks the protocol of PostgreSQL.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::{Client, Config, Error};

use super::tls::Tls;
use crate::SinkError;

/// How long a connection may take, and how long the network may say nothing to what was sent.
const NETWORK_MAX: Duration = Duration::from_secs(30);

/// Asks for a password, which may be another one each time.
pub type AskPassword =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// Who is spoken to, and how.
pub(crate) struct Link<'a> {
    /// The sink's name.
    pub(crate) sink: &'a str,
    pub(crate) server: &'a Config,
    pub(crate) tls: &'a Arc<rustls::ClientConfig>,
    pub(crate) password: Option<&'a AskPassword>,
}

impl Link<'_> {
    /// `failed` says what an error of the server means.
    pub(crate) async fn connect(
        self,
        failed: impl FnOnce(Error) -> SinkError,
    ) -> Result<Client, SinkError> {
        let mut server = self.server.clone();
        server.connect_timeout(NETWORK_MAX).tcp_user_timeout(NETWORK_MAX);
        server.keepalives_idle(NETWORK_MAX).application_name("unbroken");
        if let Some(ask) = self.password {
            let password = ask().await.map_err(SinkError::unreachable("reading its password"))?;
            server.password(password);
        }
        let connecting = server.connect(Tls(Arc::clone(self.tls)));
        let (client, connection) = connecting.await.map_err(failed)?;
        let sink = self.sink.to_owned();
        // It ends with the client; why it ended before is told to whoever asks something of it.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(sink, %error, "connection ended");
            }
        });
        Ok(client)
    }
}
