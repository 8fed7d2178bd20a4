//! From a confirmed subscription to a proof that it misses nothing.

use crate::connector::Numbering;
use crate::ids::{ConnId, Label};
use crate::machine::context::Cx;
use crate::machine::link::{Acked, Link, NewEpoch, Stage};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::reconcile::{Purpose, Run};
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::machine::{Phase, Proof, Report, Rung};
use crate::record::GapCause;

/// The last event held has not come again: it alone can show that the numbering goes on.
fn is_canary_missing(cx: &Cx<'_>, link: &Link) -> bool {
    link.rung == Rung::Resume
        && link.anchor.is_some()
        && link.proof.is_none()
        && link.new_epoch.is_none()
        && !cx.caps().tells_numberings()
        && !cx.mutated(Mutant::HiddenEpochKept)
}

impl Stream {
    /// The subscription is confirmed.
    pub(super) fn handle_ack(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        subscription: Option<Label>,
        epoch: Option<Label>,
        position: Option<u64>,
    ) {
        let position = match is_opaque(cx) {
            true => self.stands_at(cx, conn, epoch.as_ref()),
            false => position,
        };
        let held = self.seen.position;
        let acked = Acked { at: cx.now.at, wall: cx.now.wall, position, held };
        match self.link_mut(conn) {
            Some(link) if link.stage == Stage::Subscribing => {
                link.stage = Stage::Subscribed;
                link.acked = Some(acked);
                link.subscription = subscription;
            }
            _ => return,
        }
        if self.is_spare(conn) {
            return self.handle_spare_ack(cx, epoch);
        }
        self.timers.stop(Timer::Subscribe);
        self.set_phase(cx, Phase::CatchingUp);
        if self.meet_epoch(cx, epoch.as_ref()) {
            self.resume_ack(cx, position);
        }
    }

    /// Compares the epoch that the vendor names with the one held. False if the attempt is over.
    pub(super) fn meet_epoch(&mut self, cx: &mut Cx<'_>, name: Option<&Label>) -> bool {
        self.adopt_name(cx, name);
        let Some(link) = &mut self.link else { return false };
        let known = link.new_epoch.as_ref().map_or(&self.seen.epoch_name, |new| &new.name);
        let is_fenced = cx.caps().epoch_named && !cx.mutated(Mutant::EpochFenceOpen);
        if !is_fenced || name.is_none() || known.as_ref() == name {
            link.epoch_met |= is_fenced && name.is_some();
            return true;
        }
        let prepared = self.prepared.as_ref().and_then(|p| p.collected.epoch.as_ref());
        let untouched = link.first.is_none() && self.run.is_none() && link.new_epoch.is_none();
        let acceptable = match link.rung {
            Rung::Overlap => untouched,
            Rung::Rebase => prepared == name && link.proof.is_none(),
            Rung::Resume | Rung::Floor => false,
        };
        if !acceptable {
            self.leave_epoch(cx, "the vendor is in another epoch");
            return false;
        }
        self.outage.new_epoch |= self.seen.position.is_some();
        let name = name.cloned();
        if let Some(link) = &mut self.link {
            link.new_epoch = Some(NewEpoch::named(name));
        }
        self.join_stash(cx);
        true
    }

    /// Compares the epoch of a snapshot beside an open subscription with that of the socket. False
    /// if they are two.
    pub(super) fn meet_snapshot_epoch(&mut self, cx: &Cx<'_>, name: Option<Label>) -> bool {
        let Some(link) = &mut self.link else { return true };
        let known = link.new_epoch.as_ref().map_or(&self.seen.epoch_name, |new| &new.name);
        if !cx.caps().epoch_named || name.is_none() || *known == name {
            return true;
        }
        // Where the socket itself has said what it is in, a page of another is an old one.
        let untouched = link.first.is_none() && link.new_epoch.is_none() && !link.epoch_met;
        if link.rung != Rung::Overlap || !untouched {
            return false;
        }
        link.new_epoch = Some(NewEpoch::named(name));
        self.outage.new_epoch |= self.seen.position.is_some();
        self.join_stash(cx);
        true
    }

    /// Where numberings have no names, snapshots that stay below what is held for longer than they
    /// may be old are of another: waiting for one that is not below it could last for ever.
    pub(super) fn doubt_numbering(&mut self, cx: &mut Cx<'_>) {
        let Some(run) = &self.run else { return };
        let is_last = u64::from(run.tries) >= self.tries_max(cx);
        let tag = run.collected.tag;
        if cx.caps().tells_numberings() || tag.is_none() || !is_last {
            return;
        }
        let is_new = self.link.as_ref().is_some_and(|link| link.new_epoch.is_some());
        if !is_new && tag < run.lower {
            self.alarm(cx, "the vendor's snapshots stay below what is held");
            self.outage.overlap = Some(GapCause::Unproven);
        }
    }

    /// What a confirmed subscription still needs, by its rung.
    pub(super) fn resume_ack(&mut self, cx: &mut Cx<'_>, position: Option<u64>) {
        let Some(link) = &mut self.link else { return };
        match link.rung {
            Rung::Resume | Rung::Rebase => self.settle_positioned_ack(cx, position),
            Rung::Floor => {
                link.base = link.asked;
                self.outage.refused = true;
                let cause = self.gap_cause(cx);
                self.begin_reconcile(cx, Some(cause));
            }
            Rung::Overlap => {
                link.base = position;
                if !cx.caps().tells_numberings()
                    && !cx.mutated(Mutant::HiddenEpochKept)
                    && cx.caps().position != Numbering::None
                    && self.seen.position.is_some()
                {
                    link.new_epoch = Some(NewEpoch::named(None));
                    self.outage.new_epoch = true;
                }
                let cause = self.gap_cause(cx);
                self.begin_reconcile(cx, Some(cause));
            }
        }
    }

    fn settle_positioned_ack(&mut self, cx: &mut Cx<'_>, position: Option<u64>) {
        let Some(link) = &self.link else { return };
        let asked = link.asked;
        let anchored = link.anchor.is_some() && !cx.caps().tells_numberings();
        let contiguous = cx.caps().position == Numbering::Contiguous;
        if position.is_some() && position > asked {
            if cx.mutated(Mutant::ClampInAckBelieved) {
                return self.handle_proof(cx, Proof::Ack);
            }
            return self.handle_clamp(cx);
        }
        // A confirmation from below what was asked for may come from a server that has not got so
        // far itself: what lies between need not be what we hold.
        if position.is_some() && position == asked && !anchored {
            return self.handle_proof(cx, Proof::Ack);
        }
        if cx.mutated(Mutant::UnprovenGoesLive) {
            return self.handle_proof(cx, Proof::Ack);
        }
        let head_unmoved = self.outage.head.is_some() && self.outage.head == self.held_sequence();
        if contiguous && head_unmoved && link.rung == Rung::Resume && !anchored {
            return self.handle_proof(cx, Proof::Head);
        }
        if !contiguous && link.anchor.is_none() {
            return self.begin_reconcile(cx, Some(GapCause::Unproven));
        }
        self.set_timer(cx, Timer::Prove, cx.timing().prove_ms);
    }

    /// The subscription is known to miss nothing since the position it was asked for.
    pub(super) fn handle_proof(&mut self, cx: &mut Cx<'_>, proof: Proof) {
        let Some(link) = &mut self.link else { return };
        if link.proof.is_some() {
            return;
        }
        link.proof = Some(proof);
        link.base = link.asked;
        link.anchor = None;
        link.settled = true;
        let rung = link.rung;
        self.take_ahead();
        self.timers.stop(Timer::Prove);
        self.timers.stop(Timer::Grace);
        cx.report(Report::Proved { stream: self.id.clone(), proof });
        if rung == Rung::Rebase && self.prepared.is_some() {
            return self.install_prepared(cx);
        }
        self.repair_gaps(cx);
        if self.seen.open_gaps.is_empty() {
            self.run = None;
            self.settle(cx);
        } else if self.run.is_none() {
            self.begin_reconcile(cx, None);
        }
    }

    /// Live, unless something is still owed.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.is_live() || self.is_holed() {
            return;
        }
        if !self.gaps_to_close().is_empty() || std::mem::take(&mut self.resync_owed) {
            self.begin_reconcile(cx, None);
        } else if !self.keys_owed.is_empty() {
            self.begin_keyed(cx);
        } else if self.is_dark() {
            self.set_phase(cx, Phase::CatchingUp);
            if !self.timers.is_set(Timer::Retry) {
                self.set_timer(cx, Timer::Retry, cx.timing().blocked_ms);
            }
        } else if self.seen.converging_until.is_some() {
            self.set_phase(cx, Phase::CatchingUp);
            self.set_timer(cx, Timer::Prove, cx.timing().prove_ms);
        } else if self.is_in_doubt(cx) {
            self.look_again(cx);
        } else {
            self.go_live(cx);
        }
    }

    /// The vendor began later than it was asked to: the same socket becomes an Overlap.
    pub(super) fn handle_clamp(&mut self, cx: &mut Cx<'_>) {
        let first = self.held.keys().next().copied();
        self.become_overlap(cx);
        self.timers.stop(Timer::Prove);
        self.outage.overlap = Some(GapCause::Clamped);
        let what = match first {
            Some(first) => format!("the stream silently begins at {first}"),
            None => "the stream silently begins later than asked".to_owned(),
        };
        cx.report(Report::Stale { stream: self.id.clone(), what: Label::new(what) });
        self.begin_reconcile(cx, Some(GapCause::Clamped));
    }

    /// The socket stays; what it was asked for no longer counts. Where numberings have no names,
    /// the last event held was asked for: without it, they are two.
    fn become_overlap(&mut self, cx: &Cx<'_>) {
        self.prepared = None;
        let Some(link) = &mut self.link else { return };
        if is_canary_missing(cx, link) {
            link.new_epoch = Some(NewEpoch::named(None));
            link.recognised_wall = Some(cx.now.wall);
            self.outage.new_epoch = true;
        }
        link.rung = Rung::Overlap;
        link.anchor = None;
        link.base = link.acked.and_then(|acked| acked.position);
        let (conn, new_epoch) = (link.conn, link.new_epoch.is_some());
        let ours = if new_epoch { self.take_held_of(conn) } else { Vec::new() };
        if let Some(link) = &mut self.link {
            link.parked.extend(ours);
        }
    }

    /// A resume has gone unproved for too long, or a fuzzy snapshot unconfirmed.
    pub(super) fn handle_prove_timer(&mut self, cx: &mut Cx<'_>) {
        if self.is_live() {
            return;
        }
        let guard = match self.seen.converging_until {
            Some(_) => Mutant::QuietWhileConverging,
            None => Mutant::QuietVendorWaits,
        };
        if cx.mutated(guard) {
            return;
        }
        let owes = |link: &Link| link.rung == Rung::Rebase || is_canary_missing(cx, link);
        if self.link.as_ref().is_some_and(|link| link.proof.is_none() && owes(link)) {
            self.become_overlap(cx);
            let cause = self.gap_cause(cx);
            return self.begin_reconcile(cx, Some(cause));
        }
        let cause = self
            .link
            .as_ref()
            .is_some_and(|link| link.proof.is_none() && link.rung == Rung::Resume)
            .then_some(GapCause::Unproven);
        // What waits behind a hole shows that there is something to bring. It would be given up for
        // a hiccup, and what the vendor would still serve with it.
        let conn = self.link.as_ref().map(|link| link.conn);
        let came = self.held.values().any(|event| Some(event.conn) == conn);
        let fruitless = self.link.as_ref().is_some_and(|link| !link.fruitful);
        if cause.is_some() && !self.held.is_empty() && !came && fruitless && self.outage.mute == 0 {
            return self.handle_mute(cx, "subscribed, but what is missing did not come");
        }
        let ahead = self.run.as_ref().is_some_and(Run::is_ahead);
        if ahead || self.run.as_ref().is_none_or(|run| run.purpose != Purpose::Reconcile) {
            self.begin_reconcile(cx, cause);
        }
    }
}
