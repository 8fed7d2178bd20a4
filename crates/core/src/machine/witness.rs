//! What shows that no event fell between a snapshot and the subscription beside it.

use crate::connector::{Coverage, Numbering};
use crate::machine::Rung;
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::record::Witness;

/// Whether a complete snapshot can be installed now.
pub(super) enum Verdict {
    Install(Witness),
    Again(&'static str),
    /// An event or a timer will decide.
    Later,
}

impl Stream {
    /// Whether a complete snapshot overlaps the open subscription.
    pub(super) fn judge(&mut self, cx: &mut Cx<'_>) -> Verdict {
        let stashed = self.run.as_ref().and_then(|run| self.stashed_sequence(&run.collected.epoch));
        let graced = self.run.as_ref().is_some_and(|run| run.graced);
        let loose = !graced && self.is_contradicted(cx);
        let name = self.run.as_ref().and_then(|run| run.collected.epoch.clone());
        if !self.meet_snapshot_epoch(cx, name) {
            return Verdict::Again("the snapshot is of another epoch");
        }
        let tag = self.run.as_ref().and_then(|run| run.collected.tag);
        let unproved = self.is_stash_unproved(tag);
        let (Some(run), Some(link)) = (&mut self.run, &mut self.link) else {
            return Verdict::Later;
        };
        let new_epoch = link.new_epoch.is_some();
        let joined = link.asked.filter(|_| link.stashed.is_some_and(|count| count > 0));
        let lower = if new_epoch { stashed.max(joined) } else { run.lower };
        if tag.is_some() && tag < lower && !cx.mutated(Mutant::StaleSnapshotAccepted) {
            return Verdict::Again("the snapshot is older than what is held");
        }
        let held = self.seen.position.map(|p| p.sequence);
        let first = if new_epoch {
            link.parked.iter().filter_map(|p| p.event.sequence).min()
        } else {
            link.first
        };
        let behind = tag > held && !new_epoch && self.seen.position.is_some();
        let loose = loose || graced && tag.is_none() && link.settled;
        let owed = behind && (first.is_none() || link.settled) || loose;
        let promised = link.settled
            || link.proof.is_some()
            || link.rung != Rung::Overlap
            || link.base.is_some();
        let awaited = owed && promised || unproved;
        if awaited && !run.graced {
            run.graced = true;
            self.timers.set(Timer::Grace, cx.now.at + cx.config.timing.grace_ms);
            return Verdict::Later;
        }
        if awaited && self.timers.is_set(Timer::Grace) {
            return Verdict::Later;
        }
        self.weigh_witness(cx, tag, first)
    }

    /// What shows that no event fell between the snapshot and the subscription, strongest first.
    fn weigh_witness(&self, cx: &Cx<'_>, tag: Option<u64>, first: Option<u64>) -> Verdict {
        let (Some(run), Some(link)) = (&self.run, &self.link) else { return Verdict::Later };
        if cx.mutated(Mutant::NoWitness) {
            return Verdict::Install(Witness::Assumed);
        }
        let held = self.held_sequence();
        if let (Some(tag), Some(base)) = (tag, link.base) {
            let resumed = link.acked.is_none_or(|acked| acked.position.is_none());
            return match tag >= base {
                true if resumed => Verdict::Install(Witness::Resumed),
                true => Verdict::Install(Witness::AckPosition),
                false => Verdict::Again("the snapshot is older than the subscription"),
            };
        }
        let contiguous = cx.caps().position == Numbering::Contiguous;
        let new_epoch = link.new_epoch.is_some();
        match (tag, first) {
            (Some(tag), Some(first)) if contiguous && first.saturating_sub(1) <= tag => {
                return Verdict::Install(Witness::Contiguous);
            }
            (Some(_), Some(_)) if contiguous => {
                return Verdict::Again("the snapshot is older than the first event");
            }
            (Some(tag), Some(first)) if first <= tag => {
                return Verdict::Install(Witness::FirstEvent);
            }
            _ if contiguous && !self.held.is_empty() => return Verdict::Later,
            _ => {}
        }
        let staleness_ms = cx.caps().snapshot_staleness_ms_max;
        let young = link.acked.is_some_and(|acked| run.begun_at >= acked.at + staleness_ms);
        match young {
            true if tag.is_some() && tag == held && !new_epoch => {
                Verdict::Install(Witness::HeadUnmoved)
            }
            true => Verdict::Install(Witness::Assumed),
            false => Verdict::Again("the snapshot may be older than the subscription"),
        }
    }

    /// Events up to the tag were given time to arrive. If none came, the subscription is mute.
    pub(super) fn handle_grace_timer(&mut self, cx: &mut Cx<'_>) {
        if self.audit.is_running() {
            return self.handle_audit_grace(cx);
        }
        let Some(run) = self.run.as_ref().filter(|run| run.complete) else { return };
        if self.is_stash_unproved(run.collected.tag) {
            return self.leave_stash(cx);
        }
        let held = self.held_sequence();
        // Once the stream is complete on this socket, a head that others have moved says nothing.
        let ours = cx.caps().coverage == Coverage::Full;
        let none_came = self.link.as_ref().is_some_and(|l| match l.settled {
            true => ours && (!l.fruitful || run.held == held),
            false => !l.fruitful,
        });
        if run.collected.tag > held && none_came && !self.is_poisoned_again() {
            return self.handle_mute(cx, "subscribed, but no event came");
        }
        self.evaluate(cx);
    }
}
