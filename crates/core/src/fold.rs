//! The one meaning of the log: what a stream's records add up to.
//!
//! The journal folds what it has written into its images, the machine folds what it has handed to
//! the journal into what it has *seen*, `verify` folds the log again and compares. One fold, so
//! that none of them can disagree.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ahead::Ahead;
use crate::bookmark::Bookmarks;
use crate::directive::{Act, Directive};
use crate::ids::{ConnId, GapId, Key, Label, SnapshotId, StreamId};
use crate::key_table::KeyTable;
use crate::position::{Epoch, Position};
use crate::record::{
    Body, Change, Effect, GapClosed, GapOpened, GapOutcome, HistoryOwed, Mark, Origin, Record,
    SnapshotEnd, Turn, digest,
};
use crate::time::UnixMicros;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyState {
    /// Offset of the write that made it so.
    pub offset: u64,
    /// Position of that write, where there is one. Tombstones keep theirs.
    pub version: Option<Position>,
    /// Digest of the value, 0 for a tombstone.
    pub digest: u128,
    /// False for a tombstone.
    pub present: bool,
    /// The vendor's time of the value.
    pub occurred_at: Option<UnixMicros>,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// The vendor's bytes; empty for a tombstone, and where the fold does not keep payloads.
    pub payload: Bytes,
}

/// One of the last two events of a stream: subscribing from the one before the last must bring the
/// last one again, with the same digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// Its position.
    pub position: Position,
    /// Its value's digest.
    pub digest: u128,
}

/// An open snapshot bracket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Staged {
    /// The bracket.
    pub snapshot: SnapshotId,
    /// Its items so far.
    pub items: BTreeMap<Key, KeyState>,
}

/// An open row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenGap {
    /// How it was opened.
    pub opened: GapOpened,
    /// First position of the stream that came after the opening: the interval ends before it.
    pub first: Option<Position>,
}

/// What the records of one stream add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamFold {
    /// The present numbering.
    pub epoch: Epoch,
    /// The vendor's name for it.
    pub epoch_name: Option<Label>,
    /// Where a resume may start.
    pub position: Option<Position>,
    /// Identities that are in the log although they lie above `position`.
    pub ahead: Ahead,
    /// The last bookmarks of an opaque stream, by our sequence.
    pub bookmarks: Bookmarks,
    /// The last two distinct positions of events from the stream, oldest first.
    pub anchors: [Option<Anchor>; 2],
    /// State.
    pub keys: KeyTable<KeyState>,
    /// The ledger's open rows.
    pub open_gaps: BTreeMap<GapId, OpenGap>,
    /// The bracket that is open, if one is.
    pub staged: Option<Staged>,
    /// Tag of the last snapshot published in this epoch.
    pub snapshot_tag: Option<Position>,
    /// Keys may be each valid but not fit together until the stream has come so far.
    pub converging_until: Option<Position>,
    /// Keys last written before this offset may be stale, since this time: a gap ended without a
    /// snapshot of their own state.
    pub stale_before: Option<(u64, UnixMicros)>,
    /// Vendor's time (else ours) of the last event from the stream: everything before it came. Of a
    /// stream that has brought none, the end of its first row.
    pub covered_at: Option<UnixMicros>,
    /// Highest numbers used, so that they stay unique over restarts.
    pub last_gap: GapId,
    /// See `last_gap`.
    pub last_snapshot: SnapshotId,
    /// See `last_gap`.
    pub last_conn: ConnId,
    /// The connection that was opened last and has not been closed.
    pub open_conn: Option<ConnId>,
    /// A person has paused the stream, and nobody has resumed it.
    pub paused: Option<Paused>,
    /// Highest tag of the brackets that spoke of named keys, in this epoch.
    pub keyed_tag: Option<Position>,
    /// The position is a person's word, and no event of the stream has confirmed it yet.
    pub vouched: Option<Position>,
    /// A person has had the position forgotten, and the stream has not begun again yet.
    pub forgotten: bool,
    /// Ended rows of the ledger about which the vendor's history is still to be asked.
    pub history_owed: BTreeMap<GapId, HistoryOwed>,
    /// Facts of the vendor's history that are in the log and may come again, by the digest of their
    /// id, with the time at which they began.
    pub facts: BTreeMap<u128, UnixMicros>,
}

/// Since when a stream is paused, and who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Paused {
    /// Wall clock.
    pub since: UnixMicros,
    /// Who.
    pub by: Label,
}

impl StreamFold {
    /// Whether the key's value may be stale, and since when.
    pub fn stale_since(&self, key: &KeyState) -> Option<UnixMicros> {
        let (offset, since) = self.stale_before?;
        (key.offset < offset).then_some(since)
    }

    /// Adds one record. `offset` must be above that of every record before it.
    pub fn apply(&mut self, offset: u64, record: &Record, keep_payload: bool) {
        match &record.body {
            Body::Change(change) => self.apply_change(offset, record, change, keep_payload),
            Body::SnapshotBegin(begin) => {
                self.last_snapshot = self.last_snapshot.max(begin.snapshot);
                self.staged = Some(Staged { snapshot: begin.snapshot, items: BTreeMap::new() });
            }
            Body::SnapshotItem { snapshot, change } => {
                if let Some(staged) = self.staged.as_mut().filter(|s| s.snapshot == *snapshot) {
                    let value = key_state(offset, record, change, keep_payload);
                    staged.items.insert(change.key.clone(), value);
                }
            }
            Body::SnapshotEnd(end) => self.apply_snapshot_end(end),
            Body::SnapshotAbort { .. } => self.staged = None,
            Body::GapOpened(gap) => {
                self.last_gap = self.last_gap.max(gap.gap);
                self.open_gaps.insert(gap.gap, OpenGap { opened: gap.clone(), first: None });
            }
            Body::GapClosed(gap) => self.apply_gap_closed(offset, gap),
            Body::Progress { position, bookmark } => {
                self.advance(*position);
                if let Some(bookmark) = bookmark.as_ref().filter(|_| position.epoch == self.epoch) {
                    self.bookmarks.insert(position.sequence, bookmark.clone());
                }
            }
            Body::EpochChanged { epoch, name } => self.change_epoch(*epoch, name.as_ref()),
            Body::Connection(turn) => {
                self.last_conn = self.last_conn.max(turn.conn);
                match turn.turn {
                    Turn::Closed if self.open_conn == Some(turn.conn) => self.open_conn = None,
                    Turn::Closed => {}
                    // Beside it for a hand-over: until that is done, the first one is what a
                    // process that is gone had, and the record is to say that it has ended.
                    Turn::Opened => {
                        self.open_conn.get_or_insert(turn.conn);
                    }
                    Turn::Live | Turn::Doubted => self.open_conn = Some(turn.conn),
                }
            }
            Body::Forgotten { key } => {
                self.keys.remove(key);
            }
            Body::Directive(directive) => self.apply_directive(record.received_at, directive),
            Body::Quarantined(_) => {}
            Body::HistoryOwed(owed) => self.owe_history(owed),
            Body::HistoryForgone { gap, .. } => {
                self.history_owed.remove(gap);
            }
        }
    }

    fn apply_gap_closed(&mut self, offset: u64, gap: &GapClosed) {
        self.open_gaps.remove(&gap.gap);
        // From here on a stream is covered, also one that stays quiet: what it misses later is not
        // what was before it began.
        self.covered_at.get_or_insert(gap.wall_to);
        if gap.outcome == GapOutcome::Summarised {
            // Said of a row that had ended: nothing new of state.
            self.history_owed.remove(&gap.gap);
            return;
        }
        if let Some(owed) = self.history_owed.get_mut(&gap.gap) {
            owed.row = gap.clone();
        }
        if !gap.reconciled {
            self.stale_before = Some((offset, gap.wall_from));
        }
    }

    /// What began before everything that may still be asked for will not come again.
    fn owe_history(&mut self, owed: &HistoryOwed) {
        self.history_owed.insert(owed.row.gap, owed.clone());
        let since = self.history_owed.values().map(|owed| owed.since).min();
        self.facts.retain(|_, began_at| since.is_none_or(|since| *began_at >= since));
    }

    /// Whether the stream has never been anywhere, or was told to forget where: it begins.
    pub fn is_fresh(&self) -> bool {
        let untouched = self.last_snapshot == SnapshotId(0)
            && self.keys.is_empty()
            && self.covered_at.is_none();
        self.forgotten || (self.position.is_none() && untouched)
    }

    /// Moves the position. Never backwards inside an epoch.
    pub fn advance(&mut self, position: Position) {
        if position.epoch != self.epoch || self.position.is_some_and(|p| p >= position) {
            return;
        }
        self.position = Some(position);
        self.ahead.advance(position);
        if self.converging_until.is_some_and(|until| position >= until) {
            self.converging_until = None;
        }
    }

    fn change_epoch(&mut self, epoch: Epoch, name: Option<&Label>) {
        self.epoch_name = name.cloned();
        if epoch == self.epoch {
            return;
        }
        self.epoch = epoch;
        self.keyed_tag = None;
        self.position = None;
        self.snapshot_tag = None;
        self.converging_until = None;
        self.anchors = [None, None];
        self.ahead.clear();
        self.bookmarks.clear();
        self.vouched = None;
    }

    fn apply_directive(&mut self, at: UnixMicros, directive: &Directive) {
        match &directive.act {
            Act::Pause => self.paused = Some(Paused { since: at, by: directive.by.clone() }),
            Act::Resume => self.paused = None,
            Act::SetPosition { position, bookmark } => {
                if position.epoch != self.epoch {
                    self.change_epoch(position.epoch, None);
                }
                self.advance(*position);
                if let Some(bookmark) = bookmark {
                    self.bookmarks.insert(position.sequence, bookmark.clone());
                }
                // The last events are not what a resume from here would bring again.
                self.anchors = [None, None];
                self.vouched = self.position;
                self.forgotten = false;
            }
            Act::ForgetPosition { epoch } => {
                self.change_epoch(*epoch, None);
                self.forgotten = true;
            }
        }
    }

    fn apply_change(&mut self, offset: u64, record: &Record, change: &Change, keep: bool) {
        if matches!(change.origin, Origin::Live | Origin::Replay) {
            self.forgotten = false;
            self.covered_at = Some(change.occurred_at.unwrap_or(record.received_at));
            if let Some(position) = change.position {
                self.remember(position, change);
            }
        }
        if change.origin == Origin::Backfill
            && let Some(id) = &change.event_id
        {
            let began_at = change.occurred_at.unwrap_or(record.received_at);
            self.facts.insert(digest(id.as_str().as_bytes()), began_at);
        }
        if change.effect == Effect::State {
            self.keys.insert(change.key.clone(), key_state(offset, record, change, keep));
        }
    }

    fn remember(&mut self, position: Position, change: &Change) {
        self.vouched = None;
        if self.position.is_none_or(|held| position > held) && position.epoch == self.epoch {
            self.ahead.insert((position, change.key.clone(), change.ordinal));
        }
        if let Some(bookmark) = change.bookmark.as_ref().filter(|_| position.epoch == self.epoch) {
            self.bookmarks.insert(position.sequence, bookmark.clone());
        }
        let ends_row = self.open_gaps.values().any(|gap| gap.first.is_none());
        for gap in self.open_gaps.values_mut() {
            gap.first.get_or_insert(position);
        }
        match self.anchors[1] {
            Some(last) if last.position > position => {}
            Some(last) if last.position == position => {
                self.anchors[1] = Some(Anchor { position, digest: last.digest ^ change.digest });
            }
            last => {
                // Between an event that ends a row (or was late, from below a snapshot's tag) and
                // the one before it lies what the ledger has given up: a resume would bring it.
                let tag = self.snapshot_tag;
                let whole = |last: &Anchor| !ends_row && tag.is_none_or(|t| last.position > t);
                let before = last.filter(whole);
                self.anchors = [before, Some(Anchor { position, digest: change.digest })];
            }
        }
    }

    fn apply_snapshot_end(&mut self, end: &SnapshotEnd) {
        let staged = self.staged.take().filter(|s| s.snapshot == end.snapshot);
        for (key, value) in staged.into_iter().flat_map(|s| s.items) {
            if self.keys.get(&key).is_none_or(|held| held.offset < value.offset) {
                self.keys.insert(key, value);
            }
        }
        if end.keyed {
            self.keyed_tag = self.keyed_tag.max(end.tag);
            return;
        }
        self.forgotten = false;
        if end.rows_are_state {
            self.stale_before = None;
        }
        self.snapshot_tag = end.tag;
        self.converging_until =
            end.converging_until.filter(|until| self.position.is_none_or(|p| p < *until));
    }
}

fn key_state(offset: u64, record: &Record, change: &Change, keep_payload: bool) -> KeyState {
    KeyState {
        offset,
        version: change.position,
        digest: change.digest,
        present: !change.deleted,
        occurred_at: change.occurred_at,
        received_at: record.received_at,
        payload: match keep_payload && !change.deleted {
            // A copy: a slice would keep the whole frame, or page, that it was cut from.
            true => Bytes::copy_from_slice(&change.payload),
            false => Bytes::new(),
        },
    }
}

/// What the records of all streams add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fold {
    /// By stream.
    pub streams: BTreeMap<StreamId, StreamFold>,
    /// Keep payloads in [`KeyState`]; the journal's images do, the machine does not.
    pub keep_payloads: bool,
}

impl Fold {
    /// An empty fold.
    pub fn new(keep_payloads: bool) -> Self {
        Self { streams: BTreeMap::new(), keep_payloads }
    }

    /// Adds one record.
    pub fn apply(&mut self, offset: u64, record: &Record) {
        let keep = self.keep_payloads;
        self.stream(&record.stream).apply(offset, record, keep);
    }

    /// Moves a stream's position, after the records of the same unit were applied.
    pub fn mark(&mut self, mark: &Mark) {
        self.stream(&mark.stream).advance(mark.position);
    }

    fn stream(&mut self, id: &StreamId) -> &mut StreamFold {
        if !self.streams.contains_key(id) {
            self.streams.insert(id.clone(), StreamFold::default());
        }
        self.streams.entry(id.clone()).or_default()
    }
}
