//! Requests, handshakes and token requests, each a task whose answer carries its number.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::{ConnId, Key, RequestId, StreamId, TokenVersion};
use unbroken_core::machine::{Fetch, Input, Past};
use unbroken_core::time::Millis;

use crate::auth::Granted;
use crate::secret::Secret;
use crate::source::Source;
use crate::transport::Connection;

/// How many versions of the token are kept: the present one, and the one that a request in flight
/// may still carry.
const TOKENS_KEPT: usize = 2;

/// What a task brings back.
pub(crate) enum Brought {
    Input(Input),
    Socket(ConnId, Result<Box<dyn Connection>, Failure>),
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

    pub(crate) fn fetch(
        &mut self,
        request: RequestId,
        stream: StreamId,
        what: Fetch,
        keys: Option<Vec<Key>>,
        version: Option<TokenVersion>,
    ) {
        let (source, token) = (Arc::clone(&self.source), self.token(version));
        self.tasks.spawn(async move {
            let result = match token {
                Ok(token) => source.fetch_of(&stream, &what, keys.as_deref(), token.as_ref()).await,
                Err(failure) => Err(failure),
            };
            Brought::Input(match result {
                Ok(page) => Input::Page { request, page },
                Err(failure) => Input::PageFailed { request, failure },
            })
        });
    }

    pub(crate) fn ask_history(
        &mut self,
        request: RequestId,
        stream: StreamId,
        what: Past,
        version: Option<TokenVersion>,
    ) {
        let (source, token) = (Arc::clone(&self.source), self.token(version));
        self.tasks.spawn(async move {
            let result = match token {
                Ok(token) => source.history_of(&stream, &what, token.as_ref()).await,
                Err(failure) => Err(failure),
            };
            Brought::Input(match result {
                Ok(page) => Input::HistoryPage { request, page },
                Err(failure) => Input::PageFailed { request, failure },
            })
        });
    }

    pub(crate) fn open(
        &mut self,
        conn: ConnId,
        stream: StreamId,
        after: Option<After>,
        version: Option<TokenVersion>,
    ) {
        let (source, token) = (Arc::clone(&self.source), self.token(version));
        let task = self.tasks.spawn(async move {
            let result = match token {
                Ok(token) => source.open_of(&stream, after.as_ref(), token.as_ref()).await,
                Err(failure) => Err(failure),
            };
            Brought::Socket(conn, result)
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
    pub(crate) fn farewell(&mut self, socket: Box<dyn Connection>, texts: Vec<String>) {
        while self.farewells.try_join_next().is_some() {}
        self.farewells.spawn(async move {
            let _ = socket.close(texts).await;
        });
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

    /// The newest token, with its version.
    pub(crate) fn newest_token(&self) -> Option<(TokenVersion, Secret)> {
        self.tokens.last_key_value().map(|(version, token)| (*version, token.clone()))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::config::SourceConfig;

    fn source(port: u16) -> Arc<Source> {
        let text = format!(
            "name = \"x\"\nprofile = \"etcd\"\napi = \"http://127.0.0.1:{port}\"\n\
             stream = \"ws://127.0.0.1:{port}\"\n"
        );
        let config: SourceConfig = toml::from_str(&text).unwrap();
        Arc::new(Source::new(config).unwrap())
    }

    async fn nothing_comes(errands: &mut Errands) -> bool {
        tokio::time::timeout(Duration::from_millis(50), errands.next()).await.is_err()
    }

    #[tokio::test]
    async fn the_answer_of_a_handshake_given_up_is_dropped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut errands = Errands::new(source(listener.local_addr().unwrap().port()));
        errands.open(ConnId(1), "x/y".into(), None, None);
        let (stream, _) = listener.accept().await.unwrap();
        errands.give_up(ConnId(1));
        assert!(nothing_comes(&mut errands).await);
        drop(stream);
        drop(listener);
        errands.open(ConnId(2), "x/y".into(), None, None);
        let brought = errands.next().await;
        assert!(matches!(brought, Brought::Socket(ConnId(2), Err(_))));
    }

    #[tokio::test]
    async fn answers_carry_the_number_of_their_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut errands = Errands::new(source(listener.local_addr().unwrap().port()));
        drop(listener);
        errands.fetch(RequestId(7), "x/y".into(), Fetch::Head, None, None);
        let brought = errands.next().await;
        let Brought::Input(Input::PageFailed { request, failure }) = brought else {
            panic!("the request cannot have been answered")
        };
        assert_eq!((request, failure.class), (RequestId(7), Class::Retry { after_ms: None }));
    }

    #[tokio::test]
    async fn a_token_that_is_no_longer_held_calls_for_a_new_one() {
        let mut errands = Errands::new(source(9));
        for version in 1..=3 {
            let granted = Granted { token: Secret::new("t"), life_ms: None };
            let version = TokenVersion(version);
            let result = Ok(granted);
            errands.sift(Brought::Token { version, asked_at: Millis(0), result });
        }
        assert!(errands.token(Some(TokenVersion(3))).unwrap().is_some());
        assert!(errands.token(Some(TokenVersion(2))).unwrap().is_some());
        errands.open(ConnId(1), "x/y".into(), None, Some(TokenVersion(1)));
        match errands.next().await {
            Brought::Socket(ConnId(1), Err(failure)) => {
                assert_eq!(failure.class, Class::Reauthorize);
            }
            _ => panic!("the token was dropped"),
        }
    }
}
