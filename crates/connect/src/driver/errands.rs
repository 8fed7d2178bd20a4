//! Requests, handshakes and token requests, each a task whose answer carries its number.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::{ConnId, RequestId, TokenVersion};
use unbroken_core::machine::{Fetch, Input};
use unbroken_core::time::Millis;

use crate::auth::Granted;
use crate::secret::Secret;
use crate::source::Source;
use crate::transport::Socket;

/// How many versions of the token are kept: the present one, and the one that a request in flight
/// may still carry.
const TOKENS_KEPT: usize = 2;

/// What a task brings back.
pub(crate) enum Brought {
    Input(Input),
    Socket(ConnId, Result<Box<Socket>, Failure>),
    Token { version: TokenVersion, asked_at: Millis, result: Result<Granted, Failure> },
}

/// Tasks under way, and the tokens they carry.
pub(crate) struct Errands {
    source: Arc<Source>,
    tasks: JoinSet<Brought>,
    opening: BTreeMap<ConnId, AbortHandle>,
    tokens: BTreeMap<TokenVersion, Secret>,
    farewells: JoinSet<()>,
}

impl Errands {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            tasks: JoinSet::new(),
            opening: BTreeMap::new(),
            tokens: BTreeMap::new(),
            farewells: JoinSet::new(),
        }
    }

    pub(crate) fn authorize(&mut self, version: TokenVersion, asked_at: Millis) {
        let source = Arc::clone(&self.source);
        self.tasks.spawn(async move {
            Brought::Token { version, asked_at, result: source.authorize().await }
        });
    }

    pub(crate) fn fetch(&mut self, request: RequestId, what: Fetch, version: Option<TokenVersion>) {
        let (source, token) = (Arc::clone(&self.source), self.token(version));
        self.tasks.spawn(async move {
            let result = match token {
                Ok(token) => source.fetch(&what, token.as_ref()).await,
                Err(failure) => Err(failure),
            };
            Brought::Input(match result {
                Ok(page) => Input::Page { request, page },
                Err(failure) => Input::PageFailed { request, failure },
            })
        });
    }

    pub(crate) fn open(&mut self, conn: ConnId, after: Option<u64>, version: Option<TokenVersion>) {
        let (source, token) = (Arc::clone(&self.source), self.token(version));
        let task = self.tasks.spawn(async move {
            let result = match token {
                Ok(token) => source.open(after, token.as_ref()).await,
                Err(failure) => Err(failure),
            };
            Brought::Socket(conn, result.map(Box::new))
        });
        self.opening.insert(conn, task);
    }

    /// Gives up a handshake under way; its answer will be dropped.
    pub(crate) fn give_up(&mut self, conn: ConnId) {
        if let Some(task) = self.opening.remove(&conn) {
            task.abort();
        }
    }

    /// Closes a socket politely, beside everything else.
    pub(crate) fn farewell(&mut self, socket: Socket, text: Option<String>) {
        while self.farewells.try_join_next().is_some() {}
        self.farewells.spawn(socket.close(text));
    }

    /// Waits for polite closes under way; each is bounded in time.
    pub(crate) async fn finish(mut self) {
        self.tasks.abort_all();
        while self.farewells.join_next().await.is_some() {}
    }

    /// The token of a version.
    pub(crate) fn token(&self, version: Option<TokenVersion>) -> Result<Option<Secret>, Failure> {
        let Some(version) = version else { return Ok(None) };
        let token = self.tokens.get(&version).cloned().map(Some);
        token.ok_or_else(|| Failure {
            class: Class::Reauthorize,
            code: None,
            what: "token is no longer held".into(),
        })
    }

    /// The next answer that is still awaited; for ever if nothing is under way.
    pub(crate) async fn next(&mut self) -> Brought {
        loop {
            match self.tasks.join_next().await {
                None => std::future::pending().await,
                Some(Ok(brought)) => {
                    if let Some(brought) = self.sift(brought) {
                        return brought;
                    }
                }
                Some(Err(error)) if error.is_cancelled() => {}
                // The machine's own deadline for the answer takes care of the rest.
                Some(Err(error)) => tracing::error!(error = %error, "a request's task failed"),
            }
        }
    }

    fn sift(&mut self, brought: Brought) -> Option<Brought> {
        match &brought {
            // A socket that nobody awaits any more is dropped, and with it its connection.
            Brought::Socket(conn, _) => self.opening.remove(conn).map(|_| brought),
            Brought::Token { version, result, .. } => {
                if let Ok(granted) = result {
                    self.tokens.insert(*version, granted.token.clone());
                    while self.tokens.len() > TOKENS_KEPT {
                        self.tokens.pop_first();
                    }
                }
                Some(brought)
            }
            Brought::Input(_) => Some(brought),
        }
    }
}
