//! From the end of Live to its return no row of state passes for current.

use unbroken_core::ids::{ConnId, GapId, Label};
use unbroken_core::record::{
    Body, Closer, ConnectionTurn, GapCause, GapClosed, GapOpened, GapOutcome, Record, Turn,
};
use unbroken_core::time::UnixMicros;
use unbroken_store::{StateFilter, Store, StoreReader, open_or_build};

use crate::world::{MemoryLog, change, record};

const STREAM: &str = "a/x";

fn put(at: i64, key: &str, sequence: u64) -> Record {
    record(STREAM, at, Body::Change(change(key, sequence, "{}")))
}

fn turn(at: i64, turn: Turn) -> Record {
    let why = Label::from("");
    let turn = ConnectionTurn { conn: ConnId(1), turn, by: Closer::Us, why };
    record(STREAM, at, Body::Connection(turn))
}

fn opened(at: i64, wall_from: i64) -> Record {
    let (wall_from, cause) = (UnixMicros(wall_from), GapCause::Refused);
    record(STREAM, at, Body::GapOpened(GapOpened { gap: GapId(1), after: None, wall_from, cause }))
}

fn closed(at: i64, wall_from: i64, reconciled: bool) -> Record {
    let gap = GapClosed {
        gap: GapId(1),
        outcome: GapOutcome::Unrecoverable,
        after: None,
        through: None,
        wall_from: UnixMicros(wall_from),
        wall_to: UnixMicros(at),
        cause: GapCause::Refused,
        closed_by: None,
        reconciled,
    };
    record(STREAM, at, Body::GapClosed(gap))
}

/// A store that is fed step by step.
struct Fed {
    dir: tempfile::TempDir,
    log: MemoryLog,
    store: Store,
    fed: usize,
}

impl Fed {
    fn new() -> Self {
        let (dir, log) = (tempfile::tempdir().unwrap(), MemoryLog::new("journal-1"));
        let store = open_or_build(&dir.path().join("store.sqlite"), &log).unwrap();
        Self { dir, log, store, fed: 0 }
    }

    /// Since when each key is stale, once these records are in; 0: it is current.
    fn after(&mut self, records: Vec<Record>) -> Vec<i64> {
        self.log.append(records, Vec::new());
        let batches = self.log.held().batches.clone();
        self.store.feed(&batches[self.fed..]).unwrap();
        self.fed = batches.len();
        let reader = StoreReader::open(&self.dir.path().join("store.sqlite")).unwrap();
        let rows = reader.state(&StateFilter::default()).unwrap().rows;
        rows.iter().map(|row| row.stale_since.map_or(0, |since| since.0)).collect()
    }
}

#[test]
fn state_is_stale_from_the_loss_of_live_to_its_return() {
    let mut fed = Fed::new();
    assert_eq!(fed.after(vec![put(10, "k1", 1), put(11, "k2", 2)]), [10, 11], "never Live");
    assert_eq!(fed.after(vec![turn(12, Turn::Live)]), [0, 0]);
    assert_eq!(fed.after(vec![turn(20, Turn::Closed)]), [20, 20], "no row has been opened");
    assert_eq!(fed.after(vec![turn(25, Turn::Opened), put(26, "k2", 3)]), [20, 20], "catching up");
    assert_eq!(fed.after(vec![turn(27, Turn::Live)]), [0, 0], "the resume was proved");
    assert_eq!(fed.after(vec![turn(30, Turn::Doubted)]), [30, 30]);
}

#[test]
fn an_open_row_of_the_ledger_makes_state_stale_from_its_beginning() {
    let mut fed = Fed::new();
    fed.after(vec![put(10, "k1", 1), put(11, "k2", 2), turn(12, Turn::Live)]);
    assert_eq!(fed.after(vec![turn(20, Turn::Closed), opened(30, 11)]), [11, 11]);
    assert_eq!(fed.after(vec![put(31, "k2", 9)]), [11, 11], "newer, but not proved");
    let back = vec![closed(32, 11, true), turn(33, Turn::Live)];
    assert_eq!(fed.after(back), [0, 0], "a snapshot has brought state up to date");
}

#[test]
fn what_an_earlier_gap_left_behind_stays_stale_since_then() {
    let mut fed = Fed::new();
    fed.after(vec![put(10, "k1", 1), put(11, "k2", 2), opened(20, 11)]);
    let back = vec![closed(30, 11, false), put(31, "k2", 9), turn(32, Turn::Live)];
    assert_eq!(fed.after(back), [11, 0], "only what has come since is current");
    assert_eq!(fed.after(vec![turn(40, Turn::Closed)]), [11, 40]);
}
