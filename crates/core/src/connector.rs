//! What a connector declares and what it makes of the vendor's bytes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bookmark::Bookmark;
use crate::ids::{Key, Label};
use crate::time::UnixMicros;

/// What a source can do. Declared by the connector, never guessed; recovery is planned from this.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// What the events' positions are worth.
    pub position: Numbering,
    /// One position names one event. False where one revision may change several keys.
    pub position_unique: bool,
    /// All events of one position come in one frame (asked only where `position_unique` is false).
    pub position_whole_in_frame: bool,
    /// What an event is: something that happened, or what its key is at present.
    pub event_body: EventBody,
    /// What the vendor replays when a subscription names a position.
    pub replay: Replay,
    /// Whether a refusal of an old position names the oldest one served.
    pub floor: Floor,
    /// The vendor accepts a subscription that names no position.
    pub subscribe_without_position: bool,
    /// What a subscription is answered with.
    pub ack: Ack,
    /// Whether a second connection may be opened beside the first.
    pub connections: Connections,
    /// Whether the vendor names the epoch in acks, events or snapshots. Where it does not, a resume
    /// must bring back the last event held before it is believed.
    pub epoch_named: bool,
    /// Frames carry the id of the subscription they belong to.
    pub subscription_named: bool,
    /// Whether there is a snapshot, and whether it has a position.
    pub snapshot: SnapshotKind,
    /// What the snapshot's rows are.
    pub snapshot_body: SnapshotBody,
    /// How the snapshot is paged.
    pub paging: Paging,
    /// Whether stream and snapshot show every key of the vendor's numbering, or a part.
    pub coverage: Coverage,
    /// Read the head by REST before any handshake.
    pub rest_first: bool,
    /// The access token is bound to the socket: a new one needs a new socket.
    pub token_bound: bool,
    /// Requests and handshakes need an access token.
    pub token_needed: bool,
    /// How old an answer of the snapshot may be (a cache, a lagging replica), in milliseconds.
    pub snapshot_staleness_ms_max: u64,
    /// How far the vendor's clock and ours may differ, in milliseconds.
    pub clock_skew_ms_max: u64,
    /// What a query of the vendor's history can tell of an interval that is lost; `None`: there is
    /// no such query. No profile declares it: it takes a connector that knows the query.
    #[serde(skip)]
    pub history: Option<History>,
}

impl Default for Capabilities {
    /// The least: no positions, no replay, no snapshot, one connection.
    fn default() -> Self {
        Self {
            position: Numbering::None,
            position_unique: true,
            position_whole_in_frame: true,
            event_body: EventBody::Change,
            replay: Replay::None,
            floor: Floor::Unknown,
            subscribe_without_position: true,
            ack: Ack::None,
            connections: Connections::Unknown,
            epoch_named: false,
            subscription_named: false,
            snapshot: SnapshotKind::None,
            snapshot_body: SnapshotBody::State,
            paging: Paging::None,
            coverage: Coverage::Full,
            rest_first: false,
            token_bound: false,
            token_needed: true,
            snapshot_staleness_ms_max: 0,
            clock_skew_ms_max: 0,
            history: None,
        }
    }
}

/// A query of the vendor's history, which returns facts (a segment of a conversation, a period in a
/// state) and not the events that were missed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History {
    /// How long after an interval its facts may still be missing (indexing), in milliseconds.
    pub lag_ms: u64,
    /// How long before an interval a fact that reaches into it may have begun, in milliseconds.
    pub reach_ms: u64,
    /// Between two walks that have to agree, in milliseconds.
    pub again_ms: u64,
    /// After so many walks that did not agree the interval is given up.
    pub walks_max: u32,
}

impl Capabilities {
    /// Whether positions of two numberings can be told apart: by the epoch's name, or because a
    /// bookmark of one is none of the other.
    pub fn tells_numberings(&self) -> bool {
        self.epoch_named || self.position == Numbering::Opaque
    }
}

macro_rules! capability {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }
    };
}

capability! {
    /// What positions are worth.
    Numbering {
        /// There are none.
        None,
        /// They are bookmarks: bytes that are compared for equality only.
        Opaque,
        /// They increase, with holes that mean nothing.
        Increasing,
        /// Each is the one before plus 1.
        Contiguous,
    }
}
capability! {
    /// What an event is.
    EventBody {
        /// Something that happened, told once: told again it is the same event.
        Change,
        /// What its key is at present, told whenever it is asked for: what equals the value held is
        /// no news, and neither is what is older by the vendor's own time.
        State,
    }
}
capability! {
    /// What a vendor replays.
    Replay {
        /// Nothing; a subscription begins now.
        None,
        /// It accepts a position only if that is its very head.
        HeadOnly,
        /// Everything after the position, as long as it keeps it.
        FromPosition,
    }
}
capability! {
    /// Whether the oldest position served is known.
    Floor {
        /// A refusal names it.
        Announced,
        /// It is not told.
        Unknown,
    }
}
capability! {
    /// What a subscription is answered with.
    Ack {
        /// Nothing.
        None,
        /// A confirmation.
        Plain,
        /// A confirmation that names the position after which the events begin.
        WithPosition,
    }
}
capability! {
    /// How many connections a source may have.
    Connections {
        /// One; a second one evicts it or is refused.
        One,
        /// More than one.
        Many,
        /// Not known: treated as one.
        Unknown,
    }
}
capability! {
    /// Whether a snapshot exists and has a position.
    SnapshotKind {
        /// There is none.
        None,
        /// Rows only.
        Unpositioned,
        /// Rows with the position that they have reached.
        Positioned,
    }
}
capability! {
    /// What the rows of a snapshot are.
    SnapshotBody {
        /// The state of the stream's keys.
        State,
        /// Another entity; only the position is of use.
        Other,
    }
}
capability! {
    /// How a snapshot is paged.
    Paging {
        /// One answer.
        None,
        /// By row number: rows may move between pages.
        Offset,
        /// In key order, each page beginning after the last key.
        Keyed,
        /// All pages belong to one frozen snapshot.
        SnapshotId,
    }
}
capability! {
    /// Whether keys outside our view share the numbering.
    Coverage {
        /// Every event of the numbering is ours.
        Full,
        /// We see a part; another's events move the head too.
        Filtered,
    }
}

/// Turns the vendor's bytes into meaning. Pure: the same bytes give the same answer.
pub trait Connector {
    /// What the source can do.
    fn capabilities(&self) -> &Capabilities;

    /// Reads one frame. Never fails: what cannot be understood becomes [`Item::Poison`].
    fn decode(&self, bytes: &Bytes) -> Decoded;
}

/// What one frame meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decoded {
    /// The subscription it belongs to, where the vendor says so.
    pub subscription: Option<Label>,
    /// The epoch it belongs to, where the vendor says so.
    pub epoch: Option<Label>,
    /// What it contained, in order. Empty for a bare sign of life (a heartbeat, a pong).
    pub items: Vec<Item>,
}

/// One thing that a frame contained.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// More events of the frame's last position may follow in the next frame, although
    /// `position_whole_in_frame` is declared: the vendor has split what would have been too large.
    /// An identity counts within one frame, so each part must name a key once.
    More,
    /// An event.
    Event(Event),
    /// The subscription is confirmed; events begin after `position`.
    Ack {
        /// The position, where the vendor says so.
        position: Option<u64>,
    },
    /// The subscription leaves out a part of the wanted keys (a limit, a missing permission). In a
    /// confirmation it stands before the [`Item::Ack`].
    Dark {
        /// How many.
        keys: u64,
        /// Which, and why, where the vendor says so: a few words for a person.
        why: Option<Label>,
    },
    /// A sign of life that names the head of the stream.
    Heartbeat {
        /// The head.
        position: Option<u64>,
    },
    /// The place in the stream behind everything that came before it on this connection (opaque
    /// positions only): of a page or frame as a whole, or of a heartbeat. Before an [`Item::Ack`]:
    /// the place after which the events of the subscription begin.
    Bookmark {
        /// The place.
        at: Bookmark,
    },
    /// The vendor refuses the subscription or ends it.
    Refusal(Failure),
    /// The vendor will close this connection soon.
    Closing {
        /// How long it says it will wait, in milliseconds.
        within_ms: Option<u64>,
    },
    /// Well-formed, but nothing that the connector knows.
    Unknown,
    /// Bytes that could not be understood.
    Poison {
        /// Path, expected, found: never the payload.
        reason: Label,
        /// The frame.
        bytes: Bytes,
    },
    /// The same of a source of which fields are dropped: nobody can say where in such bytes they
    /// are, so only their shape is kept.
    Withheld {
        /// Path, expected, found: never the payload.
        reason: Label,
        /// Names and kinds, no values.
        shape: Bytes,
        /// How many bytes there were.
        length: u64,
        /// Their digest.
        digest: u128,
    },
    /// Bytes that end the connection which brings them, because nothing can read them: larger than
    /// a frame may be, no text.
    Unread {
        /// What they are.
        reason: Label,
        /// How many there were, 0 if nobody knows.
        length: u64,
    },
}

/// One fact of the vendor's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    /// What makes it this fact and no other: equal in every answer that has it.
    pub id: Label,
    /// What it is about.
    pub key: Key,
    /// The vendor's name for this kind of fact.
    pub kind: Option<Label>,
    /// When it began.
    pub began_at: UnixMicros,
    /// When it ended; `None`: it had not, when the vendor was asked.
    pub ended_at: Option<UnixMicros>,
    /// The vendor says that what the key stands for is over for good: if state has heard nothing of
    /// it since the interval, it leaves state.
    pub over: bool,
    /// The vendor's bytes.
    pub payload: Bytes,
}

/// One page of an answer of the vendor's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HistoryPage {
    /// Its facts; those outside of the interval are left out by the machine.
    pub facts: Vec<Fact>,
    /// How many of what the vendor counts in its total are on this page.
    pub hits: u64,
    /// How many there are on all pages, as the vendor says.
    pub total: Option<u64>,
    /// What names the following page; `None`: this is the last.
    pub next: Option<Label>,
    /// The vendor is still at work: there is no page yet, and `next` is to be asked for after so
    /// many milliseconds.
    pub later_ms: Option<u64>,
}

/// A normalised event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What it is about.
    pub key: Key,
    /// The vendor's sequence, where it has one.
    pub sequence: Option<u64>,
    /// The vendor's opaque position, where it has one. Each event has its own: one that several
    /// events share is an [`Item::Bookmark`] behind them.
    pub bookmark: Option<Bookmark>,
    /// The vendor's id, where it has one.
    pub event_id: Option<Label>,
    /// The vendor's name for this kind of event.
    pub kind: Option<Label>,
    /// The key is gone.
    pub deleted: bool,
    /// The vendor's time.
    pub occurred_at: Option<UnixMicros>,
    /// See [`crate::record::Change::digest`].
    pub digest: u128,
    /// By what an event without a position is known when it is told again: the digest of all that
    /// the vendor says in it. `digest` leaves out what only one of a vendor's services says.
    pub identity: u128,
    /// The vendor's bytes of this event.
    pub payload: Bytes,
}

/// One page of a snapshot, or the answer to a head request (then without rows).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// The epoch, where the vendor says so.
    pub epoch: Option<Label>,
    /// The position that this page's rows have reached.
    pub tag: Option<u64>,
    /// The same, where positions are opaque.
    pub bookmark: Option<Bookmark>,
    /// The frozen snapshot that the page belongs to, where the vendor says so (id or etag).
    pub snapshot_id: Option<Label>,
    /// How many rows the whole snapshot has, where the vendor says so.
    pub total: Option<u64>,
    /// The rows.
    pub rows: Vec<Row>,
    /// How to ask for the page after this one; `None` on the last.
    pub next: Option<Label>,
}

/// One row of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The key.
    pub key: Key,
    /// The row's own version, where the vendor gives one.
    pub version: Option<u64>,
    /// The vendor's time of the value.
    pub occurred_at: Option<UnixMicros>,
    /// See [`crate::record::Change::digest`].
    pub digest: u128,
    /// The vendor's bytes of this row.
    pub payload: Bytes,
}

/// What the vendor (or the network) answered instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// What to do about it.
    pub class: Class,
    /// HTTP status or close code, where there was one.
    pub code: Option<u16>,
    /// A few words for a person. Never a secret, never a payload.
    pub what: Label,
}

/// What a failure calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Try again, not before the vendor said so.
    Retry {
        /// `Retry-After`, in milliseconds.
        after_ms: Option<u64>,
    },
    /// The token is not accepted.
    Reauthorize,
    /// The position is too old (or unknown).
    Stale {
        /// The oldest position after which everything is served, where the vendor says so.
        floor: Option<u64>,
    },
    /// A planned close.
    Closing,
    /// Only a person can help.
    Fatal,
}
