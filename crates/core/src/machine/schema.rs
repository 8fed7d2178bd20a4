//! Whether the vendor's frames are still those that the profile knows.
//!
//! A vendor that renames a field sends as much as before, and nothing of it is understood: that
//! must not look like a quiet afternoon. Once the stream has been Live, frames with something in
//! them that the profile does not know (or cannot understand) are counted against all frames.

use crate::connector::{Item, Numbering};
use crate::machine::Report;
use crate::machine::context::Cx;
use crate::machine::drift::Clean;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::position::Position;
use crate::record::{GapCause, GapClosed, GapOutcome};
use crate::time::Millis;

/// Frames of one half of the window: what is judged are the last 1,000 to 2,000. Long enough for
/// one per cent to be more than a few, short enough to be past within seconds on a busy stream.
const HALF_FRAMES: u32 = 1_000;

/// So many strange frames at least: fewer are an accident. On a quiet stream, where nearly every
/// frame that is no heartbeat is an event, this is what counts.
const STRANGE_MIN: u32 = 5;

/// More than one in a hundred, as the design asks.
const STRANGE_PERCENT: u32 = 1;

/// While it goes on a person is told again, but not without end.
const REPEAT_MS: u64 = 3_600_000;

/// The window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Schema {
    now: Half,
    before: Half,
    began: bool,
    alarmed_at: Option<Millis>,
    /// It was noticed, and what was not understood, from here on, is not on the ledger yet.
    owed: Option<Clean>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Half {
    frames: u32,
    strange: u32,
    /// Where the stream stood before the first strange one.
    since: Option<Clean>,
}

/// What a frame more has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The vendor speaks otherwise: so many strange frames, of so many.
    Changed { strange: u32, frames: u32 },
    /// Frames are understood again.
    Known,
}

impl Schema {
    /// Counts a frame: a strange one with where the stream stood before it.
    fn count(&mut self, at: Millis, strange: Option<Clean>) -> Option<Turn> {
        self.now.frames += 1;
        self.now.strange += u32::from(strange.is_some());
        self.now.since = self.now.since.or(strange);
        let turn = strange.and_then(|_| self.judge(at));
        if self.now.frames < HALF_FRAMES {
            return turn;
        }
        self.before = std::mem::take(&mut self.now);
        if turn.is_none() && self.alarmed_at.is_some() && !self.before.is_too_strange() {
            self.alarmed_at = None;
            return Some(Turn::Known);
        }
        turn
    }

    /// While nothing strange has come, what was counted decides nothing.
    #[cfg(feature = "proof")]
    pub(super) fn forget_count(&mut self) {
        if self.now.strange + self.before.strange == 0 && self.alarmed_at.is_none() {
            *self = Self::default();
        }
    }

    fn judge(&mut self, at: Millis) -> Option<Turn> {
        let window = Half {
            frames: self.now.frames + self.before.frames,
            strange: self.now.strange + self.before.strange,
            since: self.before.since.or(self.now.since),
        };
        if !window.is_too_strange() {
            return None;
        }
        let Half { frames, strange, since } = window;
        if self.alarmed_at.is_some_and(|told| at.since(told) < REPEAT_MS) {
            return None;
        }
        if self.alarmed_at.is_none() {
            self.owed = since;
        }
        self.alarmed_at = Some(at);
        Some(Turn::Changed { strange, frames })
    }
}

impl Half {
    fn is_too_strange(self) -> bool {
        self.strange >= STRANGE_MIN && self.strange * 100 > self.frames * STRANGE_PERCENT
    }
}

impl Stream {
    /// Looks at a frame of the first socket for what it says of the vendor's schema.
    pub(super) fn watch_schema(&mut self, cx: &mut Cx<'_>, items: &[Item]) {
        self.schema.began |= self.is_live();
        if !self.schema.began {
            return;
        }
        let stream = self.id.clone();
        let strange = items.iter().any(is_strange).then(|| self.covered_until(cx));
        match self.schema.count(cx.now.at, strange) {
            None => {}
            Some(Turn::Known) => cx.report(Report::SchemaKnown { stream }),
            Some(Turn::Changed { strange, frames }) => {
                cx.report(Report::SchemaChanged { stream, strange, frames });
            }
        }
    }

    /// What was not understood may have been events. Where holes show, the numbers tell; elsewhere
    /// the interval is put on the ledger, once for each time that the vendor changes. Not while
    /// what was read behind such bytes waits for what a resume brings before it: it would be taken
    /// in at once, and what comes then would be older than what is held.
    pub(super) fn doubt_schema(&mut self, cx: &mut Cx<'_>) {
        let waits = !self.held.is_empty() && !cx.mutated(Mutant::AlarmReleases);
        if self.is_holed() || waits {
            return;
        }
        let Some(since) = self.schema.owed.take() else { return };
        let contiguous = cx.caps().position == Numbering::Contiguous;
        if contiguous || cx.mutated(Mutant::SchemaChangeUnnoticed) {
            return;
        }
        // Others were understood meanwhile, which no row may call lost: two rows.
        if since != self.covered_until(cx) && !cx.mutated(Mutant::SchemaChangeFromTheAlarm) {
            self.write_doubt(cx, since, self.seen.position);
        }
        // Elsewhere state is fetched already.
        if !self.is_live() {
            return;
        }
        // No snapshot asked for before is young enough, and coverage begins behind this frame.
        if let Some(link) = &mut self.link {
            link.poisoned_at = Some(cx.now.at);
            link.poisoned_wall = Some(cx.now.wall);
        }
        self.begin_reconcile(cx, Some(GapCause::Poison));
    }

    /// What came garbled again lies before the first event that waits: that much is put on the
    /// ledger before anything behind it is written. State is looked at when what waits has been
    /// taken in, in its order with what comes again. False where nothing waits.
    pub(super) fn owe_doubt(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.is_live() || cx.mutated(Mutant::DoubtReleases) {
            return false;
        }
        let Some(first) = self.held.keys().next().copied() else { return false };
        let since = self.covered_until(cx);
        let before = Some(self.position(first.saturating_sub(1)));
        self.write_doubt(cx, since, before.max(since.position));
        self.schema.owed.get_or_insert(since);
        true
    }

    /// Between these two something may be missing, and something is not.
    fn write_doubt(&mut self, cx: &mut Cx<'_>, since: Clean, through: Option<Position>) {
        let cause = GapCause::Poison;
        let gap = self.open_since(cx, since, cause);
        let closed = GapClosed {
            gap,
            outcome: GapOutcome::Unproven,
            after: since.position,
            through,
            wall_from: since.wall,
            wall_to: cx.now.wall,
            cause,
            closed_by: None,
            reconciled: false,
        };
        self.close_gap(cx, closed);
    }
}

fn is_strange(item: &Item) -> bool {
    matches!(
        item,
        Item::Unknown | Item::Poison { .. } | Item::Withheld { .. } | Item::Unread { .. }
    )
}
