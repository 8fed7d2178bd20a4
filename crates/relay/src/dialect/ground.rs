//! What both dialects stand on: the record, its state, and who may come in.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aws_lc_rs::rand;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::sleep;
use tracing::{debug, warn};
use unbroken_render::Filter;
use unbroken_store::{State, StateFilter, StateRow, StoreError, StoreReader};

use super::beginning::Bounds;
use super::credential::{Credentials, Fingerprint};
use super::grant::{self, Grant};
use super::newest::Newest;
use super::token::Tokens;
use super::wire;
use crate::app::{App, SETTLE_LOOKS, SETTLE_WAIT};
use crate::feed::After;

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
    /// Its rows, by stream and key.
    pub(super) rows: Vec<StateRow>,
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
        self.caller_of(parts).map(|(client, _)| client)
    }

    /// The same, with the bearer's fingerprint.
    pub(super) fn caller_of(&self, parts: &Parts) -> Option<(usize, Fingerprint)> {
        let bearer = grant::bearer(wire::authorization(parts)?)?;
        let client = lock(&self.tokens).client_of(bearer, self.now_ms())?;
        Some((client, Fingerprint::of(bearer)))
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

/// What is current of a source's streams, or of one. Exact at the end of the log, and between two
/// brackets: who reads on from there misses no item of an open one.
pub(super) async fn current(
    app: &Arc<App>,
    source: &str,
    tombstones: bool,
) -> Result<Current, Unavailable> {
    for look in 1.. {
        let state = read(app, StateFilter { tombstones: true, ..StateFilter::default() }).await;
        let journal = app.feed.journal().to_string();
        // A service that has just started may not have made its store yet.
        let ours = state.ok().filter(|state| state.checkpoint.journal_id == journal);
        if let Some(state) = ours {
            let is_whole = state.brackets.iter().all(|bracket| bracket.items_count == 0);
            let (newest, next) = follow(app, source, state).await?;
            // A bracket that is left open by a source that is gone will never tell its items.
            if (is_whole && !newest.is_open()) || look >= SETTLE_LOOKS {
                let mut rows = newest.rows();
                rows.retain(|row| tombstones || row.present);
                return Ok(Current { rows, next });
            }
        }
        if look >= SETTLE_LOOKS {
            break;
        }
        sleep(SETTLE_WAIT).await;
    }
    warn!("relay's store cannot be read, or is of another log");
    Err(Unavailable)
}

/// Brings the store's rows up to the end of the log.
async fn follow(app: &Arc<App>, source: &str, state: State) -> Result<(Newest, u64), Unavailable> {
    let filter = Filter { source: Some(source.to_owned()), ..Filter::default() };
    let from = state.checkpoint.next_offset;
    let next = bounds(app).await?.next.max(from);
    let wanted = state.rows.into_iter().filter(|row| filter.accepts_stream(row.stream.as_str()));
    let mut newest = Newest::new(wanted.collect());
    let mut tail = app.feed.subscribe(from, filter);
    // What comes of records behind `next` is told as well: not to be told twice is worth more than
    // to be a moment newer.
    while let Some(run) = tail.next_below(next).await.map_err(|_| Unavailable)? {
        for entry in run.entries().filter(|entry| entry.offset < next) {
            newest.apply(entry.offset, &entry.record);
        }
    }
    Ok((newest, next))
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
        // Whoever feeds the store tells people of what is wrong with it.
        debug!(%error, "relay cannot read the store");
        Unavailable
    })
}
