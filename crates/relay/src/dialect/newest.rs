//! State brought up to the end of the log. The store follows the log within a quarter of a second;
//! a client that is told an event by its socket and an older value by REST believes the older one.

use std::collections::BTreeMap;

use unbroken_core::ids::{Key, StreamId};
use unbroken_core::record::{Body, Change, Effect, Record};
use unbroken_store::StateRow;

/// Rows by stream and key, with the items of open brackets.
#[derive(Debug, Default)]
pub(super) struct Newest {
    rows: BTreeMap<(StreamId, Key), StateRow>,
    staged: BTreeMap<StreamId, Vec<StateRow>>,
}

impl Newest {
    /// Of the store's rows, tombstones included.
    pub(super) fn new(rows: Vec<StateRow>) -> Self {
        let named = |row: StateRow| ((row.stream.clone(), row.key.clone()), row);
        Self { rows: rows.into_iter().map(named).collect(), staged: BTreeMap::new() }
    }

    /// The next record of the log.
    pub(super) fn apply(&mut self, offset: u64, record: &Record) {
        let stream = &record.stream;
        match &record.body {
            Body::Change(change) if change.effect == Effect::State => {
                self.put(row(offset, record, change));
            }
            Body::SnapshotBegin(_) => drop(self.staged.insert(stream.clone(), Vec::new())),
            Body::SnapshotItem { change, .. } => {
                self.staged.entry(stream.clone()).or_default().push(row(offset, record, change));
            }
            Body::SnapshotEnd(_) => {
                for item in self.staged.remove(stream).unwrap_or_default() {
                    self.put(item);
                }
            }
            Body::SnapshotAbort { .. } => drop(self.staged.remove(stream)),
            Body::Forgotten { key } => {
                self.rows.remove(&(stream.clone(), key.clone()));
            }
            _ => {}
        }
    }

    /// Whether a bracket is open: its items will be told, and are not in the rows.
    pub(super) fn is_open(&self) -> bool {
        self.staged.values().any(|items| !items.is_empty())
    }

    /// The rows, by stream and key.
    pub(super) fn rows(self) -> Vec<StateRow> {
        self.rows.into_values().collect()
    }

    /// A later write of the key stays.
    fn put(&mut self, row: StateRow) {
        let named = (row.stream.clone(), row.key.clone());
        if self.rows.get(&named).is_none_or(|held| held.offset < row.offset) {
            self.rows.insert(named, row);
        }
    }
}

fn row(offset: u64, record: &Record, change: &Change) -> StateRow {
    StateRow {
        stream: record.stream.clone(),
        key: change.key.clone(),
        offset,
        version: change.position,
        present: !change.deleted,
        digest: change.digest,
        occurred_at: change.occurred_at,
        received_at: record.received_at,
        stale_since: None,
        payload: if change.deleted { Vec::new() } else { change.payload.to_vec() },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::record::{Origin, SnapshotBegin};
    use unbroken_core::time::UnixMicros;

    use super::*;

    fn change(key: &str, payload: &str) -> Change {
        Change {
            key: key.into(),
            position: None,
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: None,
            deleted: payload.is_empty(),
            origin: Origin::Live,
            effect: Effect::State,
            occurred_at: None,
            digest: 0,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    fn applied(newest: &mut Newest, bodies: Vec<(u64, Body)>) {
        for (offset, body) in bodies {
            let record = Record { stream: "v/a".into(), received_at: UnixMicros(0), body };
            newest.apply(offset, &record);
        }
    }

    fn shown(newest: Newest) -> Vec<(String, u64, bool)> {
        let rows = newest.rows().into_iter();
        rows.map(|row| (row.key.to_string(), row.offset, row.present)).collect()
    }

    fn begin() -> Body {
        let snapshot = SnapshotId(1);
        Body::SnapshotBegin(SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None })
    }

    fn item(key: &str) -> Body {
        Body::SnapshotItem { snapshot: SnapshotId(1), change: change(key, "{}") }
    }

    #[test]
    fn later_writes_win_and_history_writes_nothing() {
        let mut newest = Newest::default();
        let late = Change { effect: Effect::History, ..change("a", "{}") };
        applied(
            &mut newest,
            vec![
                (1, Body::Change(change("a", "{}"))),
                (2, Body::Change(change("b", "{}"))),
                (3, Body::Change(late)),
                (4, Body::Change(change("b", ""))),
                (5, Body::Change(change("c", "{}"))),
                (6, Body::Forgotten { key: "c".into() }),
            ],
        );
        assert_eq!(shown(newest), [("a".to_owned(), 1, true), ("b".to_owned(), 4, false)]);
    }

    #[test]
    fn items_count_when_their_bracket_has_ended() {
        let mut newest = Newest::default();
        let abort = Body::SnapshotAbort { snapshot: SnapshotId(1) };
        applied(&mut newest, vec![(1, begin()), (2, item("a"))]);
        assert!(newest.is_open());
        applied(&mut newest, vec![(3, abort), (4, begin()), (5, item("b"))]);
        applied(&mut newest, vec![(6, Body::Change(change("b", "{}")))]);
        let end = unbroken_core::record::SnapshotEnd {
            snapshot: SnapshotId(1),
            count: 1,
            rows: 1,
            digest: 0,
            tag: None,
            rows_are_state: true,
            keyed: false,
            converging_until: None,
            witness: unbroken_core::record::Witness::Assumed,
        };
        applied(&mut newest, vec![(7, Body::SnapshotEnd(end))]);
        assert!(!newest.is_open());
        assert_eq!(shown(newest), [("b".to_owned(), 6, true)]);
    }
}
