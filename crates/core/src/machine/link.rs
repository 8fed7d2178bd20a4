//! One socket as the machine sees it.

use std::collections::BTreeMap;

use crate::bookmark::{After, Bookmark};
use crate::connector::Event;
use crate::fold::Anchor;
use crate::ids::{ConnId, Key, Label, TokenVersion};
use crate::machine::{Proof, Rung};
use crate::position::Position;
use crate::record::GapClosed;
use crate::time::{Millis, UnixMicros};

/// How far a socket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// The handshake is under way.
    Opening,
    /// The subscription was sent.
    Subscribing,
    /// The subscription is confirmed (or, where the vendor does not confirm, was sent).
    Subscribed,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) stage: Stage,
    pub(super) token: Option<TokenVersion>,
    pub(super) rung: Rung,
    /// The position that was asked for.
    pub(super) asked: Option<u64>,
    /// The same, as the vendor is asked.
    pub(super) after: Option<After>,
    /// The bookmark at which the vendor says that the subscription stands.
    pub(super) said: Option<Bookmark>,
    /// The bookmark of the last snapshot that was read beside this stream: somewhere ahead of it.
    pub(super) beside: Option<Bookmark>,
    /// The number of the last event of an opaque stream that came on it.
    pub(super) counted: Option<u64>,
    /// The event that must come back before the resume is believed.
    pub(super) anchor: Option<Anchor>,
    /// What has come back at the anchor's position so far (several events may share it).
    pub(super) anchor_seen: Option<u128>,
    pub(super) subscription: Option<Label>,
    pub(super) acked: Option<Acked>,
    pub(super) proof: Option<Proof>,
    /// Every event above this is delivered on this socket: known from the confirmation, the floor
    /// asked for, or a proof.
    pub(super) base: Option<u64>,
    /// The first event above what was held.
    pub(super) first: Option<u64>,
    /// Last position up to which late events of this socket were taken, and the ledger row that
    /// they narrow: only where a snapshot moved the position before any event came.
    pub(super) late: Option<Late>,
    /// The vendor has said on it that it is in the numbering held.
    pub(super) epoch_met: bool,
    /// A numbering that is not installed yet; its events are parked.
    pub(super) new_epoch: Option<NewEpoch>,
    /// It was asked for from behind what earlier sockets brought of that numbering; so many of
    /// the parked events are theirs.
    pub(super) stashed: Option<usize>,
    /// Events that may not be applied yet: of a numbering not installed, or of a hand-over.
    pub(super) parked: Vec<Parked>,
    /// The last event of each key on this socket: the identity of events without positions.
    pub(super) echo: BTreeMap<Key, u128>,
    /// Events that the other socket of a hand-over has delivered and this one will (without
    /// positions), per key in order.
    pub(super) expected: BTreeMap<Key, Vec<u128>>,
    /// How many were added to them.
    pub(super) expected_count: u64,
    /// When the last of them came.
    pub(super) expected_at: Option<Millis>,
    /// How many of the wanted keys it does not cover, as the vendor says.
    pub(super) dark: u64,
    /// Which those are, and why.
    pub(super) dark_why: Option<Label>,
    /// What came last on it could not be read, and ends it.
    pub(super) unread: bool,
    /// An event came on it that was not held before.
    pub(super) fruitful: bool,
    /// It is left as soon as what was read of it is taken in: bytes that could not be understood
    /// came, and what follows them waits until they have been asked for again.
    pub(super) holed: bool,
    /// A frame of a kind that is not known has come on it, once it was confirmed.
    pub(super) strange: bool,
    /// When bytes that could not be understood last came on it.
    pub(super) poisoned_at: Option<Millis>,
    /// The same moment by the wall clock.
    pub(super) poisoned_wall: Option<UnixMicros>,
    /// When its numbering was told to be another one, by what did not come: whatever came before
    /// was taken for what is held.
    pub(super) recognised_wall: Option<UnixMicros>,
    /// The last position of its last frame with events, and whether the frame was split: then what
    /// it ends with may go on in the next one.
    pub(super) frame_end: Option<(u64, bool)>,
    /// We do not read it at the moment.
    pub(super) paused: bool,
    /// A planned close was announced, or the token or the keys have changed.
    pub(super) leaving: bool,
    /// When the vendor will close it, where it said so.
    pub(super) closes_at: Option<Millis>,
    /// A proof or a snapshot has made the stream complete on this socket.
    pub(super) settled: bool,
    /// The head before the handshake: events up to it are history, not live.
    pub(super) replay_until: Option<u64>,
}

/// When and with what a subscription was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Acked {
    pub(super) at: Millis,
    pub(super) wall: UnixMicros,
    pub(super) position: Option<u64>,
    /// The position held then.
    pub(super) held: Option<Position>,
}

/// See [`Link::late`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Late {
    pub(super) floor: u64,
    pub(super) tag: Position,
    /// The row that was closed with the snapshot; the first late event ends it.
    pub(super) row: Option<GapClosed>,
    /// The rest of it, above the last late event: a crash must find it in the ledger.
    pub(super) rest: Option<GapClosed>,
    /// Since the last late event bytes came that could not be understood: it may have been one.
    pub(super) torn: bool,
}

impl Late {
    pub(super) fn new(floor: u64, tag: Position) -> Self {
        Self { floor, tag, row: None, rest: None, torn: false }
    }
}

/// See [`Link::new_epoch`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NewEpoch {
    /// The vendor's name for it, where it has one.
    pub(super) name: Option<Label>,
    /// It has no name, and its socket is gone: what the next one meets may be another.
    pub(super) over: bool,
}

impl NewEpoch {
    pub(super) fn named(name: Option<Label>) -> Self {
        Self { name, over: false }
    }
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Parked {
    pub(super) event: Event,
    pub(super) ordinal: u16,
    pub(super) received_at: UnixMicros,
    /// The socket that it came on, which may be gone by now.
    pub(super) conn: ConnId,
}

impl Link {
    pub(super) fn new(
        conn: ConnId,
        token: Option<TokenVersion>,
        rung: Rung,
        asked: Option<u64>,
        after: Option<After>,
    ) -> Self {
        Self {
            conn,
            stage: Stage::Opening,
            token,
            rung,
            asked,
            after,
            said: None,
            beside: None,
            counted: asked,
            anchor: None,
            anchor_seen: None,
            subscription: None,
            acked: None,
            proof: None,
            base: None,
            first: None,
            late: None,
            epoch_met: false,
            new_epoch: None,
            stashed: None,
            parked: Vec::new(),
            echo: BTreeMap::new(),
            expected: BTreeMap::new(),
            expected_count: 0,
            expected_at: None,
            dark: 0,
            dark_why: None,
            unread: false,
            fruitful: false,
            holed: false,
            strange: false,
            poisoned_at: None,
            poisoned_wall: None,
            recognised_wall: None,
            frame_end: None,
            paused: false,
            leaving: false,
            closes_at: None,
            settled: false,
            replay_until: None,
        }
    }

    /// Whether anything came on it that was not held before, or that waits.
    pub(super) fn has_brought(&self) -> bool {
        self.fruitful || self.stashed.is_some_and(|count| count < self.parked.len())
    }

    /// Whether what a resume brings first decides if it is one.
    pub(super) fn is_suspect(&self) -> bool {
        self.rung == Rung::Resume
            && self.stage == Stage::Subscribed
            && self.proof.is_none()
            && self.anchor.is_none()
            && self.new_epoch.is_none()
            && !self.settled
    }

    /// Whether a frame of this subscription id is ours.
    pub(super) fn owns(&self, subscription: Option<&Label>) -> bool {
        match (&self.subscription, subscription) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }
}
