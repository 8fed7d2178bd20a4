//! Opening connections.

use std::sync::Arc;

use unbroken_core::bookmark::After;
use unbroken_core::connector::Failure;
use unbroken_core::ids::StreamId;

use super::{Source, fatal, millis, nonce, retry};
use crate::generic::Context;
use crate::polling::{Asker, Pull};
use crate::secret::Secret;
use crate::source_parts::socket_limits;
use crate::transport::{Connection, Socket, TransportError};

/// Frames that may come between a login and its answer, such as greetings.
const FRAMES_BEFORE_LOGIN_MAX: usize = 64;

impl Source {
    /// Opens a socket; `after` is what the subscription will ask for.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub async fn open(
        &self,
        after: Option<&After>,
        token: Option<&Secret>,
    ) -> Result<Box<dyn Connection>, Failure> {
        self.open_of(self.stream(), after, token).await
    }

    /// The same of one of its streams.
    pub(crate) async fn open_of(
        &self,
        stream: &StreamId,
        after: Option<&After>,
        token: Option<&Secret>,
    ) -> Result<Box<dyn Connection>, Failure> {
        if let Some(genesys) = &self.genesys {
            return Ok(Box::new(genesys.open(stream, token).await?));
        }
        if self.connector.polls() {
            return Ok(Box::new(self.pull(after, token).await?));
        }
        let request = self.handshake(after, token)?;
        let limits = socket_limits(&self.timing, self.limits);
        let subprotocols = self.connector.subprotocols();
        let opened =
            Socket::open(&self.dialer, &self.stream_origin, &request, subprotocols, limits).await;
        let opened = self.tally.handshake(opened);
        if let Some(capture) = &self.capture {
            let refused = opened.as_ref().err().map(ToString::to_string);
            capture.handshake(request.path(), refused.as_deref().unwrap_or("accepted"));
        }
        let mut socket = opened.map_err(|error| self.handshake_failure(&error, request.path()))?;
        self.login(&mut socket, token).await?;
        Ok(Box::new(socket))
    }

    /// Asks for the first time.
    async fn pull(&self, after: Option<&After>, token: Option<&Secret>) -> Result<Pull, Failure> {
        let after = match after {
            Some(After::Bookmark(place)) => Some(place.clone()),
            Some(After::Sequence(_)) | None => None,
        };
        let asker = Asker {
            connector: Arc::clone(&self.connector),
            http: self.http.clone(),
            api: self.places.api(&self.http).await?,
            places: self.places.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            deadline: millis(self.timing.page_ms.min(self.timing.connect_ms)),
            rows_max: self.timing.snapshot_rows_max,
            tally: Arc::clone(&self.tally),
            share: self.questions.clone().ok_or_else(|| fatal("source is not polled"))?,
        };
        let opened = self.tally.handshake(Pull::open(asker, after, token.cloned()).await);
        if let Some(capture) = &self.capture {
            let refused = opened.as_ref().err().map(|failure| failure.what.as_str());
            capture.handshake("/", refused.unwrap_or("accepted"));
        }
        opened
    }

    /// Says who we are, where that is not done in the handshake, and waits for the answer.
    async fn login(&self, socket: &mut Socket, token: Option<&Secret>) -> Result<(), Failure> {
        let nonce = nonce();
        let context = Context { nonce: &nonce, token, ..Context::default() };
        let text = self.connector.login(context).map_err(|error| fatal(&error.to_string()))?;
        let Some(text) = text else { return Ok(()) };
        socket.send(text).map_err(|ended| self.ended(&ended))?;
        if !self.connector.confirms_login() {
            return Ok(());
        }
        let answer = async {
            for _ in 0..FRAMES_BEFORE_LOGIN_MAX {
                let frame = socket.next_frame().await.map_err(|ended| self.ended(&ended))?;
                match self.connector.login_answer(&frame) {
                    Some(answer) => return answer,
                    None => socket.put_back(frame),
                }
            }
            Err(retry("the login was not answered, but other things were said"))
        };
        match tokio::time::timeout(millis(self.timing.subscribe_ms), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(retry("the login was not answered in time")),
        }
    }

    fn handshake_failure(&self, error: &TransportError, path: &str) -> Failure {
        match error {
            TransportError::Refused { status, retry_after_ms, body } => {
                self.handshake_refused(path, *status, *retry_after_ms, body)
            }
            other => other.failure_at(&format!("{}{path}", self.stream_origin)),
        }
    }
}
