//! What the log holds.
//!
//! **State = the last write in offset order, per key, among records with `effect = state`,
//! published outside snapshot brackets.** Every consumer, in every language, implements that one
//! sentence; [`crate::fold`] is the reference.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::bookmark::Bookmark;
use crate::directive::Directive;
use crate::ids::{AppendId, ConnId, GapId, Key, Label, SnapshotId, StreamId};
use crate::position::{Epoch, Position};
use crate::time::UnixMicros;

/// The digest by which two values of a key are compared: xxh3-128, stable over versions and
/// platforms, so it may be stored.
pub fn digest(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// One entry of the log. It gets its offset from the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Wall clock when the cause of this record reached us.
    pub received_at: UnixMicros,
    /// What happened.
    pub body: Body,
}

/// What a record says. Consumers ignore kinds that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// One event of the vendor's (or, with `origin = synthetic`, a net change that stands for
    /// events which cannot be had).
    Change(Change),
    /// A snapshot bracket opens; its items are staged until its End.
    SnapshotBegin(SnapshotBegin),
    /// One key's value in an open bracket. Only keys that differ from what is held are written.
    SnapshotItem {
        /// The bracket.
        snapshot: SnapshotId,
        /// The value, `origin = snapshot`.
        change: Change,
    },
    /// The bracket closes: consumers publish its items at once. The position moves to the tag here
    /// and not before.
    SnapshotEnd(SnapshotEnd),
    /// The bracket will never close; consumers drop what they staged.
    SnapshotAbort {
        /// The bracket.
        snapshot: SnapshotId,
    },
    /// An interval of doubt begins.
    GapOpened(GapOpened),
    /// An interval of doubt ends, or an ended one is narrowed: the last row of a gap wins.
    GapClosed(GapClosed),
    /// The vendor said (in a heartbeat, or behind the events of a page) that the stream has come
    /// to this position.
    Progress {
        /// The position.
        position: Position,
        /// The vendor's opaque name of it, where positions are opaque.
        bookmark: Option<Bookmark>,
    },
    /// From here on positions belong to another numbering. Of the present epoch: its name has
    /// become known, and nothing else changes.
    EpochChanged {
        /// The new epoch.
        epoch: Epoch,
        /// The vendor's name for it, where it has one.
        name: Option<Label>,
    },
    /// Bytes that could not be understood, kept so that nothing is lost.
    Quarantined(Quarantined),
    /// A turn in a connection's life.
    Connection(ConnectionTurn),
    /// A key's tombstone and version are dropped from state.
    Forgotten {
        /// The key.
        key: Key,
    },
    /// A person has decided something about the stream.
    Directive(Directive),
    /// The vendor's history is to be asked about a row of the ledger that has ended.
    HistoryOwed(HistoryOwed),
    /// It was asked in vain, and will not be asked again: the row stays as it is.
    HistoryForgone {
        /// The ledger row.
        gap: GapId,
        /// Why, in a few words.
        why: Label,
    },
}

impl Body {
    /// The vendor's bytes, of the kinds that carry any.
    pub fn payload(&self) -> Option<&Bytes> {
        match self {
            Self::Change(change) | Self::SnapshotItem { change, .. } => Some(&change.payload),
            Self::Quarantined(quarantined) => Some(&quarantined.bytes),
            _ => None,
        }
    }

    /// As [`Body::payload`], to be replaced.
    pub fn payload_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Change(change) | Self::SnapshotItem { change, .. } => Some(&mut change.payload),
            Self::Quarantined(quarantined) => Some(&mut quarantined.bytes),
            _ => None,
        }
    }

    /// The length of the vendor's bytes; 0 of the kinds that carry none.
    pub fn payload_len(&self) -> usize {
        self.payload().map_or(0, Bytes::len)
    }

    /// The key that it is about, of the kinds that are about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Change(change) | Self::SnapshotItem { change, .. } => Some(&change.key),
            Self::Forgotten { key } => Some(key),
            _ => None,
        }
    }
}

/// A new value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// What the event is about.
    pub key: Key,
    /// The vendor's position, where it has one. Of a snapshot item: the item's own version if the
    /// vendor gives one, else the snapshot's tag.
    pub position: Option<Position>,
    /// The vendor's opaque position of this event, where it has one; `position` is then our count
    /// of what arrived.
    pub bookmark: Option<Bookmark>,
    /// Which of the events with this position and key it is, from 0.
    pub ordinal: u16,
    /// The vendor's event id, where it has one.
    pub event_id: Option<Label>,
    /// The vendor's name for this kind of event, where it has one.
    pub kind: Option<Label>,
    /// The key is gone.
    pub deleted: bool,
    /// How it came to us.
    pub origin: Origin,
    /// Whether it may touch state.
    pub effect: Effect,
    /// The vendor's time of the event.
    pub occurred_at: Option<UnixMicros>,
    /// Digest of the value, by which it is compared with a snapshot row ([`digest`] of the payload
    /// unless the profile compares only a part of it). 0 for a deletion.
    pub digest: u128,
    /// The vendor's bytes.
    pub payload: Bytes,
}

/// How a change came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the stream, as it happened.
    Live,
    /// From the stream, out of the vendor's history after a resume.
    Replay,
    /// From a snapshot.
    Snapshot,
    /// From a history query.
    Backfill,
    /// Made by us as the net effect of events that cannot be had.
    Synthetic,
}

/// Whether a change may touch state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is the key's value from this offset on.
    State,
    /// It only fills the record: a newer value was already written.
    History,
}

/// See [`Body::SnapshotBegin`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotBegin {
    /// The bracket.
    pub snapshot: SnapshotId,
    /// The position that every row is known to have reached (the minimum over the pages).
    pub tag: Option<Position>,
    /// Whether rows are the state of the stream's keys, or another entity that carries only a
    /// position.
    pub rows_are_state: bool,
    /// The bracket speaks of these keys only, as a person asked: nothing follows from it for any
    /// other key. `None`: of every key of the stream.
    pub keys: Option<Vec<Key>>,
}

/// See [`Body::SnapshotEnd`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotEnd {
    /// The bracket.
    pub snapshot: SnapshotId,
    /// Items written in the bracket.
    pub count: u64,
    /// Rows the vendor sent (items are only those that differed).
    pub rows: u64,
    /// The exclusive-or of the items' digests: cheap proof that the bracket is whole.
    pub digest: u128,
    /// Same as in the Begin.
    pub tag: Option<Position>,
    /// Same as in the Begin.
    pub rows_are_state: bool,
    /// The Begin names the keys that the bracket speaks of. The tag is then of those rows alone.
    pub keyed: bool,
    /// Rows may be newer than the tag, up to here; until the stream has come so far, keys are each
    /// valid but need not fit together.
    pub converging_until: Option<Position>,
    /// What proved that no event fell between the snapshot and the subscription.
    pub witness: Witness,
}

/// What proved that a snapshot and a subscription overlap, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The acknowledgement named a position not above the tag.
    AckPosition,
    /// On a contiguous stream the first event was not above tag + 1.
    Contiguous,
    /// The first event of our own subscription was not above the tag.
    FirstEvent,
    /// The subscription was accepted from the tag itself and proved like a resume.
    Resumed,
    /// The tag equals the position already held: nothing was missed.
    HeadUnmoved,
    /// Only the declared staleness bound of the snapshot: an assumption, not a proof.
    Assumed,
}

/// See [`Body::GapOpened`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GapOpened {
    /// The ledger row.
    pub gap: GapId,
    /// Everything up to here is in the log (exclusive lower bound); `None`: nothing is known.
    pub after: Option<Position>,
    /// Wall clock of the last moment known to be covered.
    pub wall_from: UnixMicros,
    /// Why.
    pub cause: GapCause,
}

/// Why there is doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The first run: nothing is known before the first coverage.
    Start,
    /// The vendor refused the position as too old.
    Refused,
    /// The vendor silently began later than it was asked to.
    Clamped,
    /// The vendor cannot replay.
    NoReplay,
    /// The resume could not be proved in time.
    Unproven,
    /// The vendor began another numbering.
    EpochChanged,
    /// A hole in a contiguous numbering that a resume did not fill.
    Hole,
    /// A snapshot shows state that the stream never did, although it was complete.
    Drift,
    /// The subscription had gone mute.
    Mute,
    /// Bytes at this place could not be understood, twice.
    Poison,
    /// The subscription left out a part of the wanted keys.
    Partial,
    /// A person has moved the position, or had it forgotten.
    Operator,
}

/// See [`Body::GapClosed`]. The interval is `(after, through]`; across epochs it is `(after, end of
/// that epoch]` and `(start of the new epoch, through]`, and the wall-clock interval says the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GapClosed {
    /// The ledger row.
    pub gap: GapId,
    /// How it ended.
    pub outcome: GapOutcome,
    /// Same as in the opening, or later: events that came late narrow the row from its beginning.
    pub after: Option<Position>,
    /// The last position of the interval (inclusive); `None` where the vendor has no positions.
    pub through: Option<Position>,
    /// Same as in the opening.
    pub wall_from: UnixMicros,
    /// Wall clock of the first moment covered again.
    pub wall_to: UnixMicros,
    /// Same as in the opening.
    pub cause: GapCause,
    /// The snapshot that reconciled state, if one did.
    pub closed_by: Option<SnapshotId>,
    /// State of the stream's keys was brought up to date; if not, keys untouched since the gap are
    /// stale and say so.
    pub reconciled: bool,
}

/// See [`Body::HistoryOwed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HistoryOwed {
    /// The row, as it has ended.
    pub row: GapClosed,
    /// Facts that reach into the interval may have begun from here on.
    pub since: UnixMicros,
}

/// How a ledger row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapOutcome {
    /// Every event of the interval is in the log after all.
    Repaired,
    /// Facts about the interval are in the log, but not its events.
    Summarised,
    /// Events may be missing; nothing proves it either way.
    Unproven,
    /// Events are missing and cannot be had.
    Unrecoverable,
    /// State was wrong without a visible outage and was corrected.
    Drift,
}

/// See [`Body::Quarantined`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quarantined {
    /// The socket it came from, if any.
    pub conn: Option<ConnId>,
    /// What was wrong: path, expected, found. Never the payload.
    pub reason: Label,
    /// Length of the original in bytes.
    pub length: u64,
    /// Digest of the original; 0 where it was too large to be read.
    pub digest: u128,
    /// The original, up to [`QUARANTINE_BYTES_MAX`].
    pub bytes: Bytes,
}

/// Most bytes of a poisonous frame that are kept: enough to diagnose, too few to fill a disk.
pub const QUARANTINE_BYTES_MAX: usize = 64 * 1024;

/// A turn in a connection's life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionTurn {
    /// The socket.
    pub conn: ConnId,
    /// What it came to.
    pub turn: Turn,
    /// Who brought it about.
    pub by: Closer,
    /// Why, in a few words.
    pub why: Label,
}

/// What a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The handshake was accepted.
    Opened,
    /// The stream is Live on it: complete, current, proved.
    Live,
    /// The stream is no longer Live although the socket is open.
    Doubted,
    /// The socket is gone.
    Closed,
}

/// Who ended a connection (or brought about its turn).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closer {
    /// The vendor closed it.
    Vendor,
    /// We closed it.
    Us,
    /// The network broke it.
    Transport,
}

/// One atomic unit for the journal: it is durable as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Append {
    /// Counts up from 1 in each process.
    pub id: AppendId,
    /// What to write, in order. May be empty if only the mark moves.
    pub records: Vec<Record>,
    /// Where a resume may start once this unit is durable.
    pub mark: Option<Mark>,
}

impl Append {
    /// Adds the unit that follows this one, so that both become durable together: an answer for the
    /// later one stands for both. Given back if it moves another stream, of which a unit can hold
    /// one mark only.
    ///
    /// # Errors
    /// The later unit, as it was.
    pub fn join(&mut self, mut later: Self) -> Result<(), Self> {
        let streams = (self.mark.as_ref(), later.mark.as_ref());
        if matches!(streams, (Some(mark), Some(next)) if mark.stream != next.stream) {
            return Err(later);
        }
        self.id = later.id;
        self.records.append(&mut later.records);
        self.mark = later.mark.or(self.mark.take());
        Ok(())
    }
}

/// Where a resume may start: everything of the stream up to here is in the log or in its ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The stream.
    pub stream: StreamId,
    /// The position.
    pub position: Position,
}
