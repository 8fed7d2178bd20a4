//! How a stream begins that has no record yet, and when a snapshot may be taken at all.

use serde::{Deserialize, Serialize};

use crate::bookmark::After;
use crate::connector::{Capabilities, Numbering, Replay, SnapshotBody, SnapshotKind};
use crate::directive::Act;
use crate::fold::OpenGap;
use crate::ids::Label;
use crate::machine::Rung;
use crate::machine::context::Cx;
use crate::machine::number::is_opaque;
use crate::machine::stream::{Jump, Stream};
use crate::record::{Body, GapCause, GapClosed, GapOutcome};

/// How a source's streams begin. `Initial` and `From` count only while a stream has no record (or
/// was told to forget its position); the others always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// The first start takes a snapshot; later ones take one whenever recovery asks for it.
    #[default]
    Initial,
    /// A snapshot is taken only where the stream cannot go on: at the first start, and when the
    /// vendor refuses the position, begins later, or is in another numbering. A resume that worked
    /// and cannot be proved takes none: its row stays `unproven`, and what it may have missed is
    /// stale. Rows are not audited.
    WhenNeeded,
    /// Never a snapshot: the record begins now, state is what events show, and what an outage loses
    /// stays lost to state too. All of it is in the ledger.
    Never,
    /// The first start asks the vendor for everything after this position, and takes a snapshot
    /// beside it where there is one. A person's word: the numbering is believed to be the vendor's
    /// present one.
    From {
        /// Where.
        after: After,
        /// The vendor's name of the numbering, where it names them. Without it the first name that
        /// the vendor says is taken for it.
        epoch: Option<Label>,
    },
}

/// Why a source cannot begin in a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unsuited {
    /// There is nothing to begin from.
    #[error("the source replays from no position")]
    NoReplay,
    /// A text where positions are numbers.
    #[error("the source's positions are numbers")]
    NotANumber,
    /// A number where positions are texts: it has to be given as one.
    #[error("the source's positions are texts that only the vendor reads")]
    NotAText,
}

impl Start {
    /// Whether a source with these capabilities can begin like this.
    ///
    /// # Errors
    /// Why not.
    pub fn suits(&self, caps: &Capabilities) -> Result<(), Unsuited> {
        let Self::From { after, .. } = self else { return Ok(()) };
        if caps.replay != Replay::FromPosition || caps.position == Numbering::None {
            return Err(Unsuited::NoReplay);
        }
        match (after, caps.position == Numbering::Opaque) {
            (After::Sequence(_), false) | (After::Bookmark(_), true) => Ok(()),
            (After::Bookmark(_), false) => Err(Unsuited::NotANumber),
            (After::Sequence(_), true) => Err(Unsuited::NotAText),
        }
    }

    /// Takes away what this way of beginning never uses: all else follows from what a source has.
    pub fn restrict(&self, caps: &mut Capabilities) {
        if *self == Self::Never {
            caps.snapshot = SnapshotKind::None;
        }
    }
}

impl Stream {
    /// Before the first attempt of a process.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        let rows = cx.caps().snapshot != SnapshotKind::None;
        let state = rows && cx.caps().snapshot_body == SnapshotBody::State;
        if self.seen.is_fresh() && cx.config.start.suits(cx.caps()).is_ok() {
            self.begin_from(cx);
        }
        // A row that left state behind, and a snapshot that could mend it.
        let spared = cx.config.start == Start::WhenNeeded;
        self.resync_owed |= state && !spared && self.seen.stale_before.is_some();
    }

    /// Puts the position where the configuration says: what lies before it is nobody's loss.
    fn begin_from(&mut self, cx: &mut Cx<'_>) {
        let Start::From { after, epoch } = cx.config.start.clone() else { return };
        if let Some(name) = epoch {
            let epoch = self.seen.epoch;
            self.write(cx, Body::EpochChanged { epoch, name: Some(name) });
        }
        self.open_gap(cx, GapCause::Start);
        let (sequence, bookmark) = match after {
            After::Sequence(sequence) => (sequence, None),
            After::Bookmark(bookmark) => (1, Some(bookmark)),
        };
        let position = self.position(sequence);
        let (by, why) = (Label::from("configuration"), Label::from("start"));
        self.write_directive(cx, Act::SetPosition { position, bookmark }, by, why);
        self.jump = Jump::Unwritten;
        let open: Vec<OpenGap> = self.seen.open_gaps.values().cloned().collect();
        for OpenGap { opened, .. } in open {
            let closed = GapClosed {
                gap: opened.gap,
                outcome: GapOutcome::Unrecoverable,
                after: opened.after,
                through: Some(position),
                wall_from: opened.wall_from,
                wall_to: cx.now.wall,
                cause: opened.cause,
                closed_by: None,
                reconciled: false,
            };
            self.close_gap(cx, closed);
        }
    }

    /// The position is a person's word, and nothing has come since.
    pub(super) fn is_vouched(&self) -> bool {
        self.seen.vouched.is_some() && self.seen.vouched == self.seen.position
    }

    /// A numbering that was entered by a person's word has no name until the vendor says one.
    pub(super) fn adopt_name(&mut self, cx: &mut Cx<'_>, name: Option<&Label>) {
        let entered = self.seen.position.is_some() && self.seen.epoch_name.is_none();
        let rung = self.outage.rung.is_none_or(|rung| rung == Rung::Resume);
        if let Some(name) = name.filter(|_| cx.caps().epoch_named && entered && rung) {
            let (epoch, name) = (self.seen.epoch, Some(name.clone()));
            self.write(cx, Body::EpochChanged { epoch, name });
        }
    }

    /// A resume that worked and cannot be proved is no need for a snapshot.
    pub(super) fn is_snapshot_spared(&self, cx: &Cx<'_>, cause: Option<GapCause>) -> bool {
        cx.config.start == Start::WhenNeeded
            && cause == Some(GapCause::Unproven)
            && self.link.as_ref().is_some_and(|link| link.rung == Rung::Resume)
    }

    /// Tells of a position that a person set and the vendor does not serve.
    pub(super) fn alarm_if_vouched(&self, cx: &mut Cx<'_>, what: &str) {
        if self.is_vouched() && !is_opaque(cx) {
            let at = self.held_sequence().unwrap_or(0);
            self.alarm(cx, format!("the vendor does not serve the position set, {at}: {what}"));
        } else if self.is_vouched() {
            self.alarm(cx, format!("the vendor does not serve the position set: {what}"));
        }
    }
}
