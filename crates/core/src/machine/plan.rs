//! Capabilities and what is remembered of the outage decide the rung: pure.

use crate::connector::{Ack, Capabilities, Numbering, Replay, SnapshotKind};
use crate::fold::Anchor;
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;

/// What an attempt begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the head by REST before any handshake.
    ReadHead,
    /// Subscribe after the durable position; with an anchor, a little before it.
    Resume { asked: u64, anchor: Option<Anchor> },
    /// Subscribe from the oldest position served.
    Floor { asked: u64 },
    /// Snapshot first, then subscribe after its tag.
    Rebase,
    /// Subscribe from now (in a numbering that is not installed yet, from behind what came of it),
    /// then a snapshot.
    Overlap { asked: Option<u64> },
    /// The source declares no way that could lead to Live.
    NoWay,
}

/// Whether only an anchor can prove a resume.
pub(super) fn needs_anchor(caps: &Capabilities) -> bool {
    let holes_show = caps.position == Numbering::Contiguous || caps.ack == Ack::WithPosition;
    !caps.tells_numberings() || !holes_show
}

/// Whether a subscription after a snapshot's tag can be proved.
fn rebase_is_provable(caps: &Capabilities) -> bool {
    caps.position == Numbering::Contiguous || caps.ack == Ack::WithPosition
}

impl Stream {
    /// Chooses the rung.
    pub(super) fn plan(&self, cx: &Cx<'_>) -> Step {
        let caps = cx.caps();
        let outage = &self.outage;
        let numbered = caps.position != Numbering::None;
        let opaque = caps.position == Numbering::Opaque;
        let positioned = numbered && caps.snapshot == SnapshotKind::Positioned;
        let from = match cx.mutated(Mutant::ResumeFromSeen) {
            true => self.seen.position,
            false => self.durable,
        };
        let durable = from
            .filter(|p| numbered && p.epoch == self.seen.epoch && !outage.new_epoch)
            .map(|p| p.sequence)
            .filter(|at| !opaque || self.seen.bookmarks.at(*at).is_some());
        let free = outage.overlap.is_none();
        if caps.rest_first && positioned && !outage.head_known && durable.is_some() && free {
            return Step::ReadHead;
        }
        let replays = match caps.replay {
            Replay::FromPosition => true,
            Replay::HeadOnly => durable.is_some() && outage.head == durable,
            Replay::None => false,
        };
        let resume = durable.filter(|_| replays && !outage.refused && free);
        if let Some(step) = resume.and_then(|durable| self.resume(cx, durable)) {
            return step;
        }
        if let Some(asked) =
            outage.floor.filter(|_| free && !opaque && replays && !outage.new_epoch)
        {
            return Step::Floor { asked };
        }
        if let Some(asked) = self.stashed_place(cx).filter(|_| free && replays) {
            return Step::Overlap { asked: Some(asked) };
        }
        let rebase = positioned && caps.replay != Replay::None;
        let same_numbering_known = caps.tells_numberings() || self.seen.position.is_none();
        let counted = !cx.mutated(Mutant::RefusalsUncounted);
        let refused = outage.rebase_refusals >= 2 && counted || self.rebase_incapable > 0;
        if rebase && free && !refused && rebase_is_provable(caps) && same_numbering_known {
            return Step::Rebase;
        }
        if caps.subscribe_without_position {
            Step::Overlap { asked: None }
        } else if rebase {
            Step::Rebase
        } else {
            Step::NoWay
        }
    }

    fn resume(&self, cx: &Cx<'_>, durable: u64) -> Option<Step> {
        let caps = cx.caps();
        let plain = Step::Resume { asked: durable, anchor: None };
        if cx.mutated(Mutant::CanaryUnasked) {
            return Some(plain);
        }
        if !needs_anchor(caps) || (self.outage.no_anchor && caps.tells_numberings()) {
            return Some(plain);
        }
        let last = self.seen.anchors[1].filter(|a| a.position.epoch == self.seen.epoch);
        let held = self.held_sequence();
        match last.filter(|a| held == Some(a.position.sequence)) {
            Some(last) => {
                let before = self.seen.anchors[0]
                    .filter(|a| a.position.epoch == last.position.epoch)
                    .map_or(last.position.sequence.saturating_sub(1), |a| a.position.sequence);
                let asked = before.min(durable);
                if caps.position == Numbering::Opaque && self.seen.bookmarks.at(asked).is_none() {
                    return Some(plain);
                }
                Some(Step::Resume { asked, anchor: Some(last) })
            }
            None => (caps.tells_numberings() || self.is_vouched()).then_some(plain),
        }
    }
}
