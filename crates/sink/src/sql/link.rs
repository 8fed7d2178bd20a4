//! A connection to a server that speaks the protocol of PostgreSQL.

use std::error::Error;
use std::ops::{Deref, DerefMut};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::oneshot;
use tokio_postgres::{Client, Config, Error as PostgresError};

use super::tls::Tls;
use crate::{SinkError, limit};

/// How long a connection may take, and how long the network may say nothing to what was sent.
const NETWORK_MAX: Duration = Duration::from_secs(30);

/// How long a server may take to let go of a client that has gone.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

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
        failed: impl FnOnce(PostgresError) -> SinkError,
    ) -> Result<Connected, SinkError> {
        let mut server = self.server.clone();
        server.connect_timeout(limit::of(NETWORK_MAX)).tcp_user_timeout(NETWORK_MAX);
        server.keepalives_idle(NETWORK_MAX).application_name("unbroken");
        if let Some(ask) = self.password {
            let password = ask().await.map_err(SinkError::unreachable("reading its password"))?;
            server.password(password);
        }
        let connecting = server.connect(Tls(Arc::clone(self.tls)));
        let (client, connection) = connecting.await.map_err(|error| {
            let a_person = unusable(&error);
            a_person.unwrap_or_else(|| failed(error))
        })?;
        let sink = self.sink.to_owned();
        let (here, mut gone) = oneshot::channel::<()>();
        // Why it ended before its client is told to whoever asks something of it.
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                _ = &mut gone => match tokio::time::timeout(GOODBYE_MAX, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return tracing::debug!(sink, "connection given up"),
                },
            };
            if let Err(error) = ended {
                tracing::debug!(sink, %error, "connection ended");
            }
        });
        Ok(Connected { client, _here: here })
    }
}

/// A client whose connection ends with it. By itself that would wait for the answers to all that
/// was asked: of a server that says nothing any more, one would be left with each try.
pub(crate) struct Connected {
    client: Client,
    _here: oneshot::Sender<()>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

impl Deref for Connected {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connected {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Where trying again helps nobody: what the server asks for, or what it shows, is not what is
/// configured. The client tells its kinds of errors by their text alone.
fn unusable(error: &PostgresError) -> Option<SinkError> {
    let cause = error.source()?;
    let (what, todo) = match (error.to_string().as_str(), cause.to_string().as_str()) {
        (_, "password missing") => (
            "server asks for a password, and none is configured".to_owned(),
            "say where it is: `password = { file = \"…\" }`",
        ),
        (_, "server does not support TLS") => (
            "server does not speak TLS".to_owned(),
            "let it, or add `?sslmode=disable` to `url` where nobody listens on the way to it",
        ),
        ("authentication error", cause) => (
            format!("server asks for a login that is not known here: {cause}"),
            "let it ask for `scram-sha-256`, `md5` or `password`",
        ),
        ("error performing TLS handshake", _) => (
            format!("server is not who it should be: {}", certificate(cause)?),
            "let `url` name the server as its certificate does, and `ca_file` its authority",
        ),
        _ => return None,
    };
    Some(SinkError::blocked(what, todo))
}

/// What is wrong with a certificate, if that is what is wrong.
fn certificate<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let told = cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(told, rustls::Error::InvalidCertificate(_)).then_some(told)
}
