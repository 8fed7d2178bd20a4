//! A connection, and what is asked over it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Request};
use async_nats::{RequestErrorKind, ServerError};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::fault::Denied;
use super::{NatsConfig, NatsLogin};
use crate::{SinkError, limit};

/// How long a connection may take.
const NETWORK_MAX: Duration = Duration::from_secs(10);

/// How often the network is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(10);

/// It is used until it is lost, and never again: what the client does on its own after that finds
/// the checkpoint moved.
pub(super) struct Link {
    pub(super) client: Client,
    lost: watch::Receiver<Option<Lost>>,
}

/// Why a connection is of no use any more.
#[derive(Clone, Debug)]
enum Lost {
    /// It was cut.
    Cut,
    /// The server has said something.
    Told(String),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    pub(super) async fn connect(config: &NatsConfig) -> Result<Self, SinkError> {
        let (tell, lost) = watch::channel(None);
        let servers = config.servers.addresses();
        let options = options(config)
            .await?
            // One look at each server: it has to be opened anew in any case.
            .max_reconnects(servers.len())
            .event_callback(move |event| {
                if let Some(why) = Lost::of(event) {
                    tell.send_if_modified(|lost| lost.is_none() && lost.replace(why).is_none());
                }
                std::future::ready(())
            });
        let client = options.connect(servers).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                SinkError::blocked(
                    "NATS does not let it in: its user, password, token or credentials are refused",
                    "look at them, and at the server's configuration of users",
                )
            }
            _ => SinkError::unreachable("connecting")(error),
        })?;
        Ok(Self { client, lost })
    }

    /// Does something, and gives it up once the connection is lost.
    pub(super) async fn unless_lost<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let mut lost = self.lost.clone();
        tokio::select! {
            done = work => done,
            lost = lost.wait_for(Option::is_some) => {
                let lost = lost.ok().and_then(|lost| lost.clone());
                Err(lost.unwrap_or(Lost::Cut).fault(doing))
            }
        }
    }

    /// A word that nobody has used.
    pub(super) fn nonce(&self) -> String {
        self.client.new_inbox().rsplit('.').next().unwrap_or_default().to_owned()
    }

    /// Asks JetStream something. What it has against it is the inner error.
    pub(super) async fn api(
        &self,
        doing: &'static str,
        what: &str,
        asked: &Value,
    ) -> Result<Result<Value, Denied>, SinkError> {
        let body = if asked.is_null() { String::new() } else { asked.to_string() };
        self.ask(doing, format!("$JS.API.{what}"), HeaderMap::new(), body.into()).await
    }

    /// Publishes a message and waits for the answer.
    pub(super) async fn ask(
        &self,
        doing: &'static str,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Result<Value, Denied>, SinkError> {
        let mut request = Request::new().payload(body).timeout(None);
        if !headers.is_empty() {
            request = request.headers(headers);
        }
        let answer = self.client.send_request(subject, request).await;
        let answer = answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders if !self.client.server_info().jetstream => {
                SinkError::blocked(
                    "JetStream is not enabled on the NATS server",
                    "enable it (`jetstream {}` in the server's configuration), and for the account",
                )
            }
            _ => SinkError::unreachable(doing)(error),
        })?;
        let told: Value =
            serde_json::from_slice(&answer.payload).map_err(SinkError::unreachable(doing))?;
        Ok(Denied::of(told))
    }
}

impl Lost {
    fn of(event: Event) -> Option<Self> {
        match event {
            Event::Disconnected | Event::Closed => Some(Self::Cut),
            Event::ServerError(ServerError::Other(text)) => Some(Self::Told(text)),
            Event::ServerError(error) => Some(Self::Told(error.to_string())),
            // The server will soon go: then the connection is cut.
            _ => None,
        }
    }

    fn fault(self, doing: &'static str) -> SinkError {
        match self {
            Self::Cut => SinkError::unreachable(doing)("the connection was lost"),
            Self::Told(text) if text.to_lowercase().contains("permissions violation") => {
                let what = format!("NATS does not permit what is asked of it: {text}");
                let todo = "permit the user to publish to `$JS.API.STREAM.>` and the sink's \
                            subjects, and to subscribe to `_INBOX.>`";
                SinkError::blocked(what, todo)
            }
            Self::Told(text) => SinkError::unreachable(doing)(text),
        }
    }
}

async fn options(config: &NatsConfig) -> Result<ConnectOptions, SinkError> {
    let read = SinkError::unreachable::<String>;
    let options = match &config.login {
        None => ConnectOptions::new(),
        Some(NatsLogin::Password { user, password }) => {
            let password = password().await.map_err(read("reading its password"))?;
            ConnectOptions::new().user_and_password(user.clone(), password)
        }
        Some(NatsLogin::Token(token)) => {
            ConnectOptions::new().token(token().await.map_err(read("reading its token"))?)
        }
        Some(NatsLogin::Credentials(credentials)) => {
            let text = credentials().await.map_err(read("reading its credentials"))?;
            // Why they cannot be read might quote them.
            ConnectOptions::new().credentials(&text).map_err(|_| {
                let todo = "give it the content of a `.creds` file, as `nsc` writes it";
                SinkError::blocked("the credentials are no credentials of NATS", todo)
            })?
        }
    };
    Ok(options
        .name("unbroken")
        .connection_timeout(limit::of(NETWORK_MAX))
        .request_timeout(None)
        .ping_interval(PING_EVERY)
        // Servers that others name may be of another network, and need not be whom we trust.
        .ignore_discovered_servers()
        .require_tls(config.servers.is_tls())
        .tls_client_config((*config.tls).clone()))
}
