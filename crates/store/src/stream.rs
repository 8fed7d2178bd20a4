//! The writer's memory: each stream's row, and the numbers of its keys.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use unbroken_core::fold::StreamFold;
use unbroken_core::ids::{ConnId, Key, Label, SnapshotId, StreamId};
use unbroken_core::key_table::KeyTable;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{ConnectionTurn, SnapshotEnd, Turn};
use unbroken_core::time::UnixMicros;

use crate::column::{position, signed, split, unsigned};

/// What a stream's records add up to, without its keys. The rules are those of
/// [`StreamFold`]; that both agree is what `tests/fold_equality.rs` checks.
#[derive(Debug, Default)]
pub(crate) struct StreamState {
    pub(crate) epoch: Epoch,
    pub(crate) epoch_name: Option<Label>,
    pub(crate) position: Option<Position>,
    pub(crate) live_conn: Option<ConnId>,
    pub(crate) live_changed_at: Option<UnixMicros>,
    pub(crate) stale_before: Option<(u64, UnixMicros)>,
    pub(crate) covered_at: Option<UnixMicros>,
    pub(crate) snapshot_tag: Option<Position>,
    pub(crate) converging_until: Option<Position>,
    pub(crate) staged: Option<SnapshotId>,
}

impl StreamState {
    pub(crate) fn advance(&mut self, position: Position) {
        if position.epoch != self.epoch || self.position.is_some_and(|held| held >= position) {
            return;
        }
        self.position = Some(position);
        self.converging_until = self.converging_until.filter(|until| position < *until);
    }

    pub(crate) fn change_epoch(&mut self, epoch: Epoch, name: Option<&Label>) {
        self.epoch_name = name.cloned();
        if epoch == self.epoch {
            return;
        }
        self.epoch = epoch;
        self.position = None;
        self.snapshot_tag = None;
        self.converging_until = None;
    }

    /// A person's word: of this numbering, or the beginning of another.
    pub(crate) fn set_position(&mut self, position: Position) {
        if position.epoch != self.epoch {
            self.change_epoch(position.epoch, None);
        }
        self.advance(position);
    }

    pub(crate) fn end_snapshot(&mut self, end: &SnapshotEnd) {
        if end.keyed {
            return;
        }
        if end.rows_are_state {
            self.stale_before = None;
        }
        self.snapshot_tag = end.tag;
        self.converging_until =
            end.converging_until.filter(|until| self.position.is_none_or(|held| held < *until));
    }

    /// A stream is Live on one connection; that another is opened or closed beside it (a hand-over)
    /// changes nothing.
    pub(crate) fn turn(&mut self, turn: &ConnectionTurn, at: UnixMicros) {
        let was_live = self.live_conn.is_some();
        match turn.turn {
            Turn::Opened => {}
            Turn::Live => self.live_conn = Some(turn.conn),
            Turn::Doubted | Turn::Closed => {
                self.live_conn = self.live_conn.filter(|conn| *conn != turn.conn);
            }
        }
        if was_live != self.live_conn.is_some() {
            self.live_changed_at = Some(at);
        }
    }

    /// Takes over an image's stream. Live is not part of an image and stays.
    pub(crate) fn install(&mut self, fold: &StreamFold) {
        self.epoch = fold.epoch;
        self.epoch_name.clone_from(&fold.epoch_name);
        self.position = fold.position;
        self.stale_before = fold.stale_before;
        self.covered_at = fold.covered_at;
        self.snapshot_tag = fold.snapshot_tag;
        self.converging_until = fold.converging_until;
        self.staged = fold.staged.as_ref().map(|staged| staged.snapshot);
    }
}

/// A stream and the numbers by which the tables name it and its keys.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: i64,
    pub(crate) state: StreamState,
    /// Its row is behind `state`.
    pub(crate) changed: bool,
    /// Those of state: a key that was forgotten, or has a history only, is looked up in the file,
    /// since of such keys there is no end.
    keys: KeyTable<i64>,
}

/// All streams of the store.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_name: HashMap<StreamId, Stream>,
}

impl Streams {
    /// Reads what the file holds.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut names = HashMap::new();
        let mut by_name = HashMap::new();
        let mut rows = connection.prepare(
            "SELECT id, name, epoch, epoch_name, position, live_conn, live_changed_at,
                    stale_before, stale_since, covered_at, snapshot_tag_epoch, snapshot_tag,
                    converging_epoch, converging_until, staged_snapshot FROM streams",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name) = (row.get(0)?, StreamId::new(row.get::<_, String>(1)?));
            let state = read_state(row)?;
            names.insert(id, name.clone());
            by_name.insert(name, Stream { id, state, changed: false, keys: KeyTable::default() });
        }
        let mut rows = connection.prepare(
            "SELECT id, stream, name FROM keys
             WHERE id IN (SELECT agent FROM agents) OR id IN (SELECT agent FROM staged)",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let stream: i64 = row.get(1)?;
            if let Some(stream) = names.get(&stream).and_then(|name| by_name.get_mut(name)) {
                stream.keys.insert(Key::new(row.get::<_, String>(2)?), row.get(0)?);
            }
        }
        Ok(Self { by_name })
    }

    /// The stream, new if it was unknown.
    pub(crate) fn stream(
        &mut self,
        tx: &Transaction<'_>,
        name: &StreamId,
    ) -> rusqlite::Result<&mut Stream> {
        if !self.by_name.contains_key(name) {
            tx.execute(
                "INSERT INTO streams (name, epoch, live) VALUES (?1, 0, 0)",
                [name.as_str()],
            )?;
            let stream = Stream {
                id: tx.last_insert_rowid(),
                state: StreamState::default(),
                changed: true,
                keys: KeyTable::default(),
            };
            self.by_name.insert(name.clone(), stream);
        }
        self.by_name.get_mut(name).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Writes the rows that have changed.
    pub(crate) fn save(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = tx.prepare_cached(
            "UPDATE streams SET epoch = ?2, epoch_name = ?3, position = ?4, live = ?5,
                 live_conn = ?6, live_changed_at = ?7, stale_before = ?8, stale_since = ?9,
                 covered_at = ?10, snapshot_tag_epoch = ?11, snapshot_tag = ?12,
                 converging_epoch = ?13, converging_until = ?14, staged_snapshot = ?15
             WHERE id = ?1",
        )?;
        for stream in self.by_name.values_mut().filter(|stream| stream.changed) {
            let state = &stream.state;
            let (_, position) = split(state.position);
            let (tag_epoch, tag) = split(state.snapshot_tag);
            let (converging_epoch, converging) = split(state.converging_until);
            update.execute(params![
                stream.id,
                state.epoch.0,
                state.epoch_name.as_ref().map(Label::as_str),
                position,
                state.live_conn.is_some(),
                state.live_conn.map(|conn| signed(conn.0)),
                state.live_changed_at.map(|at| at.0),
                state.stale_before.map(|(offset, _)| signed(offset)),
                state.stale_before.map(|(_, since)| since.0),
                state.covered_at.map(|at| at.0),
                tag_epoch,
                tag,
                converging_epoch,
                converging,
                state.staged.map(|snapshot| signed(snapshot.0)),
            ])?;
            stream.changed = false;
        }
        Ok(())
    }
}

impl Stream {
    /// The number of a key of state, new if it was unknown.
    pub(crate) fn key(&mut self, tx: &Transaction<'_>, key: &Key) -> rusqlite::Result<i64> {
        if let Some(id) = self.keys.get(key) {
            return Ok(*id);
        }
        let id = self.number(tx, key)?;
        self.keys.insert(key.clone(), id);
        Ok(id)
    }

    /// The number of a key that need not be one of state, new if it was unknown.
    pub(crate) fn past_key(&self, tx: &Transaction<'_>, key: &Key) -> rusqlite::Result<i64> {
        self.keys.get(key).map_or_else(|| self.number(tx, key), |id| Ok(*id))
    }

    /// The key's number, if it has one; from here on it is not one of state.
    pub(crate) fn forget_key(
        &mut self,
        tx: &Transaction<'_>,
        key: &Key,
    ) -> rusqlite::Result<Option<i64>> {
        self.keys.remove(key).map_or_else(|| self.stored(tx, key), |id| Ok(Some(id)))
    }

    fn number(&self, tx: &Transaction<'_>, key: &Key) -> rusqlite::Result<i64> {
        if let Some(id) = self.stored(tx, key)? {
            return Ok(id);
        }
        let mut insert = tx.prepare_cached("INSERT INTO keys (stream, name) VALUES (?1, ?2)")?;
        insert.insert(params![self.id, key.as_str()])
    }

    fn stored(&self, tx: &Transaction<'_>, key: &Key) -> rusqlite::Result<Option<i64>> {
        let mut select =
            tx.prepare_cached("SELECT id FROM keys WHERE stream = ?1 AND name = ?2")?;
        select.query_row(params![self.id, key.as_str()], |row| row.get(0)).optional()
    }
}

fn read_state(row: &Row<'_>) -> rusqlite::Result<StreamState> {
    let epoch = Epoch(row.get(2)?);
    let sequence: Option<i64> = row.get(4)?;
    let stale_before: Option<i64> = row.get(7)?;
    let stale_since: Option<i64> = row.get(8)?;
    Ok(StreamState {
        epoch,
        epoch_name: row.get::<_, Option<String>>(3)?.map(Label::new),
        position: sequence.map(|sequence| Position::new(epoch, unsigned(sequence))),
        live_conn: row.get::<_, Option<i64>>(5)?.map(|conn| ConnId(unsigned(conn))),
        live_changed_at: row.get::<_, Option<i64>>(6)?.map(UnixMicros),
        stale_before: stale_before
            .zip(stale_since)
            .map(|(offset, since)| (unsigned(offset), UnixMicros(since))),
        covered_at: row.get::<_, Option<i64>>(9)?.map(UnixMicros),
        snapshot_tag: position(row, 10)?,
        converging_until: position(row, 12)?,
        staged: row.get::<_, Option<i64>>(14)?.map(|snapshot| SnapshotId(unsigned(snapshot))),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use unbroken_core::ids::{Key, StreamId};

    use super::Streams;

    #[test]
    fn of_keys_that_come_and_go_none_is_held_in_memory_and_each_keeps_its_number() {
        let mut file = Connection::open_in_memory().expect("a database");
        file.execute_batch(include_str!("schema.sql")).expect("the tables");
        let tx = file.transaction().expect("a transaction");
        let mut streams = Streams::default();
        let stream = streams.stream(&tx, &StreamId::from("sim/adherence")).expect("a stream");
        for number in 0..100 {
            let (come, past) = (Key::new(format!("come {number}")), Key::new(format!("{number}")));
            let id = stream.key(&tx, &come).expect("a number");
            let other = stream.past_key(&tx, &past).expect("another");
            assert_ne!(id, other);
            assert_eq!(stream.forget_key(&tx, &come), Ok(Some(id)));
            assert_eq!(stream.forget_key(&tx, &come), Ok(Some(id)), "read from the file");
            assert_eq!(stream.past_key(&tx, &past), Ok(other));
            assert_eq!(stream.past_key(&tx, &come), Ok(id));
        }
        assert_eq!(stream.forget_key(&tx, &Key::from("nobody")), Ok(None));
        assert!(stream.keys.is_empty());
        let stayed = stream.key(&tx, &Key::from("come 7")).expect("a number");
        assert_eq!((stayed, stream.keys.len()), (13 + 2, 1), "the one from before");
        tx.execute_batch("INSERT INTO agents VALUES (15, 1, 1, NULL, NULL, 1, x'00', NULL, 0, '')")
            .expect("a row of state");
        streams.save(&tx).expect("the rows");
        tx.commit().expect("a commit");
        let loaded = Streams::load(&file).expect("what the file holds");
        assert_eq!(loaded.by_name[&StreamId::from("sim/adherence")].keys.len(), 1);
    }
}
