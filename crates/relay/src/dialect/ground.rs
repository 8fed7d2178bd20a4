//! What both dialects stand on: the record, its state, and who may come in.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::sleep;
use tracing::warn;
use unbroken_core::ids::StreamId;
use unbroken_store::{State, StateFilter, StoreError, StoreReader};

use super::beginning::Bounds;
use super::credential::Credentials;
use super::grant::{self, Grant};
use super::token::Tokens;
use super::wire;
use crate::app::App;
use crate::feed::After;

/// A snapshot that is being written is whole within a moment; state is looked at again so often …
const SETTLE_LOOKS: u32 = 100;
/// … and so far apart.
const SETTLE_WAIT: Duration = Duration::from_millis(20);

/// Something of ours does not work: the client has to come again.
#[derive(Debug)]
pub(super) struct Unavailable;

/// One dialect's share. See the module.
#[derive(Debug)]
pub(super) struct Ground {
    /// The source whose events are told.
    pub(super) source: String,
    tokens: Mutex<Tokens>,
    begun: Instant,
    conns: AtomicU64,
}

/// What is current.
pub(super) struct Current {
    /// Its rows.
    pub(super) state: State,
    /// Everything below is in them.
    pub(super) next: u64,
}

impl Ground {
    pub(super) fn new(source: String, credentials: Credentials, life_ms: u64) -> Self {
        Self {
            source,
            tokens: Mutex::new(Tokens::new(credentials, life_ms)),
            begun: Instant::now(),
            conns: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the start.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A number that no other connection has.
    pub(super) fn next_conn(&self) -> u64 {
        self.conns.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whose bearer a request carries.
    pub(super) fn client_of(&self, parts: &Parts) -> Option<usize> {
        let bearer = grant::bearer(wire::authorization(parts)?)?;
        lock(&self.tokens).client_of(bearer, self.now_ms())
    }

    /// A token for what a request shows, with its life in seconds.
    ///
    /// # Errors
    /// The error's name, as OAuth has it, and the status.
    pub(super) fn grant(
        &self,
        parts: &Parts,
        body: &[u8],
    ) -> Result<(String, u64), (u16, &'static str)> {
        let (id, secret) = match grant::read(wire::authorization(parts), body) {
            Grant::Pair(id, secret) => (id, secret),
            Grant::NoCredentials => return Err((401, "invalid_client")),
            Grant::Unsupported => return Err((400, "unsupported_grant_type")),
        };
        let token = secret_text().ok_or((503, "temporarily_unavailable"))?;
        let mut tokens = lock(&self.tokens);
        if tokens.give(&id, &secret, &token, self.now_ms()) {
            Ok((token, tokens.life_s()))
        } else {
            Err((401, "invalid_client"))
        }
    }
}

/// A lock. Every change under it is small: a panic elsewhere does not make it unusable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text that cannot be guessed.
pub(super) fn secret_text() -> Option<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Which offsets the log has.
pub(super) async fn bounds(app: &Arc<App>) -> Result<Bounds, Unavailable> {
    let feed = app.feed.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let oldest = feed.begin(After::Oldest).ok()?;
        Some(Bounds { oldest, next: feed.end_offset().ok()? })
    });
    looking.await.ok().flatten().ok_or_else(|| {
        warn!("relay cannot read the log");
        Unavailable
    })
}

/// What is current of a stream, or of all. Exact at its offset, and between two brackets: who reads
/// on from there misses no item of an open one.
pub(super) async fn current(
    app: &Arc<App>,
    stream: Option<StreamId>,
    tombstones: bool,
) -> Result<Current, Unavailable> {
    let journal = app.feed.journal().to_string();
    let mut looks = 0;
    loop {
        let filter = StateFilter { stream: stream.clone(), key: None, tombstones };
        let state = read(app, filter).await?;
        looks += 1;
        let is_good = state.checkpoint.journal_id == journal && state.staged_count == 0;
        if is_good {
            let next = state.checkpoint.next_offset;
            return Ok(Current { state, next });
        }
        if looks >= SETTLE_LOOKS {
            warn!("relay's store has not come to rest");
            return Err(Unavailable);
        }
        sleep(SETTLE_WAIT).await;
    }
}

async fn read(app: &Arc<App>, filter: StateFilter) -> Result<State, Unavailable> {
    let permit = app.store_reads.acquire().await.map_err(|_| Unavailable)?;
    let path: PathBuf = app.store.clone();
    let reading = tokio::task::spawn_blocking(move || -> Result<State, StoreError> {
        StoreReader::open(&path)?.state(&filter)
    });
    let read = reading.await.map_err(|_| Unavailable)?;
    drop(permit);
    read.map_err(|error| {
        warn!(%error, "relay cannot read the store");
        Unavailable
    })
}
