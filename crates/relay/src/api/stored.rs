//! Reading the store: few at a time, each on a thread that may block.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::sleep;
use tracing::warn;
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::time::UnixMicros;
use unbroken_render::{Filter, gap_json, state_json};
use unbroken_store::{OpenBracket, StateFilter, StateRow, StoreError, StoreReader};

use crate::app::{App, SETTLE_LOOKS, SETTLE_WAIT};
use crate::feed::After;
use crate::host::Host;
use crate::http::Problem;
use crate::http::problem::{STOPPING, STORE_UNAVAILABLE};

/// State, and where to go on from it.
pub(super) struct StateRead {
    /// What the rows are exact at.
    pub(super) exact_at: u64,
    /// Where to read on: there, or where an open bracket begins.
    pub(super) offset: u64,
    pub(super) rows: Vec<Box<RawValue>>,
    /// Whether items wait for the end of a bracket.
    is_waiting: bool,
}

/// Which rows of state are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct StateWish {
    pub(super) filter: Filter,
    /// Only values that are current (false: only stale ones).
    pub(super) live: Option<bool>,
    pub(super) tombstones: bool,
    /// No value is current: what the store holds is old, since then.
    pub(super) doubted_since: Option<UnixMicros>,
}

impl StateWish {
    fn stored(&self) -> StateFilter {
        let only = |keys: &std::collections::BTreeSet<Key>| match keys.len() {
            1 => keys.first().cloned(),
            _ => None,
        };
        // Of a source's name or its stream's only the store can tell which it is.
        let stream: Option<StreamId> = None;
        StateFilter { stream, key: only(&self.filter.keys), tombstones: self.tombstones }
    }

    fn doubt(&self, row: StateRow) -> StateRow {
        let since = [row.stale_since, self.doubted_since].into_iter().flatten().min();
        StateRow { stale_since: since, ..row }
    }

    fn accepts(&self, row: &StateRow) -> bool {
        self.filter.accepts_stream(row.stream.as_str())
            && self.filter.accepts_key(row.key.as_str())
            && self.live.is_none_or(|live| live == row.stale_since.is_none())
    }
}

/// The offset that the store is exact at.
pub(super) async fn checkpoint(app: &Arc<App>) -> Result<u64, Problem> {
    let journal = app.feed.journal().to_string();
    read(app, move |store| {
        let checkpoint = store.checkpoint()?;
        Ok((checkpoint.journal_id == journal).then_some(checkpoint.next_offset))
    })
    .await?
    .ok_or_else(other_journal)
}

/// The rows of state that are wanted, between two brackets of snapshots if that is to be had within
/// a moment. If not, who reads on begins where the oldest open one does: from within it they would
/// never be told the items that lie before.
pub(super) async fn state(app: &Arc<App>, wish: StateWish) -> Result<StateRead, Problem> {
    for _ in 1..SETTLE_LOOKS {
        let state = look(app, wish.clone()).await?;
        if !state.is_waiting {
            return Ok(state);
        }
        sleep(SETTLE_WAIT).await;
    }
    look(app, wish).await
}

/// The rows at this moment.
async fn look(app: &Arc<App>, wish: StateWish) -> Result<StateRead, Problem> {
    let journal = app.feed.journal().to_string();
    let (feed, host) = (app.feed.clone(), Arc::clone(&app.host));
    read(app, move |store| {
        let state = store.state(&wish.stored())?;
        if state.checkpoint.journal_id != journal {
            return Ok(None);
        }
        let rows = state.rows.into_iter().map(|row| wish.doubt(row));
        let rows = rows.filter(|row| wish.accepts(row)).map(|row| state_json(&row)).collect();
        let exact_at = state.checkpoint.next_offset;
        let open = run_by(host.as_ref(), state.brackets);
        let oldest = if open.is_empty() { None } else { feed.begin(After::Oldest).ok() };
        // Of one whose begin retention has deleted the rest is told, as far as it is kept.
        let begun = open.iter().filter_map(|bracket| bracket.begun_offset.max(oldest)).min();
        let offset = begun.map_or(exact_at, |begun| begun.min(exact_at));
        let is_waiting = open.iter().any(|bracket| bracket.items_count > 0);
        Ok(Some(StateRead { exact_at, offset, rows, is_waiting }))
    })
    .await?
    .ok_or_else(other_journal)
}

/// Brackets of streams that the host runs: what another one left open never ends.
fn run_by(host: &dyn Host, mut open: Vec<OpenBracket>) -> Vec<OpenBracket> {
    if open.is_empty() {
        return open;
    }
    let sources = host.sources();
    let streams = sources.as_array().into_iter().flatten().filter_map(|s| s["streams"].as_array());
    let run: BTreeSet<&str> = streams.flatten().filter_map(|s| s["stream"].as_str()).collect();
    open.retain(|bracket| run.contains(bracket.stream.as_str()));
    open
}

/// The rows of the ledger.
pub(super) async fn gaps(
    app: &Arc<App>,
    filter: Filter,
    only_open: bool,
) -> Result<Vec<Value>, Problem> {
    read(app, move |store| {
        let rows = store.gaps()?;
        let wanted = rows.iter().filter(|row| {
            filter.accepts_stream(row.stream.as_str()) && (!only_open || row.outcome.is_none())
        });
        Ok(wanted.map(gap_json).collect())
    })
    .await
}

fn other_journal() -> Problem {
    Problem::new(&STORE_UNAVAILABLE, "the store is being made anew")
}

async fn read<T: Send + 'static>(
    app: &Arc<App>,
    of: impl FnOnce(&StoreReader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let stopping = || Problem::new(&STOPPING, "the service is stopping");
    let permit = app.store_reads.acquire().await.map_err(|_| stopping())?;
    let path = app.store.clone();
    let reading = tokio::task::spawn_blocking(move || of(&StoreReader::open(&path)?));
    let read = reading.await.map_err(|_| stopping())?;
    drop(permit);
    read.map_err(|error| {
        warn!(%error, "relay cannot read the store");
        Problem::new(&STORE_UNAVAILABLE, "the store cannot be read")
    })
}
