//! What the record says of each stream, as the table has it.

use std::collections::BTreeMap;

use unbroken_core::ids::StreamId;
use unbroken_core::record::{Body, GapOutcome, Record, Turn};
use unbroken_core::time::UnixMicros;

/// All of them, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(pub(crate) BTreeMap<StreamId, Stream>);

/// What the record says of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) live_conn: Option<u64>,
    pub(crate) live_changed_at: Option<UnixMicros>,
    /// Keys last written before this offset may be stale, since that time.
    pub(crate) stale_before: Option<(u64, UnixMicros)>,
    /// Since it was written last.
    pub(crate) has_changed: bool,
}

impl Streams {
    /// The rules are those of the log's fold.
    pub(crate) fn take(&mut self, offset: u64, record: &Record) {
        let stream = match &record.body {
            Body::Connection(_) | Body::GapClosed(_) | Body::SnapshotEnd(_) => {
                self.0.entry(record.stream.clone()).or_default()
            }
            _ => return,
        };
        let before = *stream;
        match &record.body {
            Body::Connection(turn) => stream.turn(turn.conn.0, turn.turn, record.received_at),
            Body::GapClosed(gap) if gap.outcome != GapOutcome::Summarised && !gap.reconciled => {
                stream.stale_before = Some((offset, gap.wall_from));
            }
            Body::SnapshotEnd(end) if end.rows_are_state && !end.keyed => {
                stream.stale_before = None;
            }
            _ => {}
        }
        stream.has_changed |= *stream != before;
    }

    /// Keys last written before this offset may be stale, since that time.
    pub(crate) fn doubt(&mut self, stream: &StreamId, stale_before: (u64, UnixMicros)) {
        let stream = self.0.entry(stream.clone()).or_default();
        stream.stale_before = Some(stale_before);
        stream.has_changed = true;
    }
}

impl Stream {
    /// A stream is Live on one connection; that another is opened or closed beside it (a hand-over)
    /// changes nothing.
    fn turn(&mut self, conn: u64, turn: Turn, at: UnixMicros) {
        let was_live = self.live_conn.is_some();
        match turn {
            Turn::Opened => {}
            Turn::Live => self.live_conn = Some(conn),
            Turn::Doubted | Turn::Closed => {
                self.live_conn = self.live_conn.filter(|held| *held != conn);
            }
        }
        if was_live != self.live_conn.is_some() {
            self.live_changed_at = Some(at);
        }
    }
}
