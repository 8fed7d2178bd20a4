//! The audit: heartbeats do not prove a subscription, only the vendor's own data does.

use std::collections::{BTreeMap, BTreeSet};

use crate::connector::{Class, Coverage, Failure, Numbering, Page, SnapshotBody, SnapshotKind};
use crate::ids::{Key, Label};
use crate::machine::context::Cx;
use crate::machine::drift::Clean;
use crate::machine::mutant::Mutant;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::{Jump, Stream};
use crate::machine::timer::Timer;
use crate::machine::{CloseHow, Phase, Start};
use crate::snapshot::diff;

/// An audit is begun after this part of the interval, in percent: the rest is for the request
/// itself.
const AUDIT_PERCENT: u64 = 90;

/// Where a comparison of rows stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Stage {
    #[default]
    None,
    /// Touched keys are recorded; what is on its way arrives.
    Before,
    /// Rows are being fetched.
    Fetching,
    /// What was on its way while the vendor read its rows arrives.
    After,
}

/// The audit of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Audit {
    stage: Stage,
    /// A head that the stream has not reached yet.
    behind: Option<u64>,
    /// Keys that differed in the audit before.
    differed: BTreeSet<Key>,
    /// Where the stream stood when touched keys began to be recorded: what was dropped before can
    /// show, what is dropped later may not.
    pub(super) since: Option<Clean>,
    /// Keys that events touched before the rows were asked for.
    before: BTreeSet<Key>,
    /// This audit follows another one at once.
    follows: bool,
}

impl Audit {
    pub(super) fn is_running(&self) -> bool {
        self.stage != Stage::None
    }

    pub(super) fn is_recording(&self) -> bool {
        self.stage != Stage::None
    }

    /// The connection is over. What differed on it does not differ less for that.
    pub(super) fn drop_attempt(&mut self) {
        *self = Self { differed: std::mem::take(&mut self.differed), ..Self::default() };
    }

    /// A snapshot has answered what differed.
    pub(super) fn forget_doubt(&mut self) {
        self.differed.clear();
    }
}

impl Stream {
    /// Sets the time of the next audit so that a key that goes wrong is found within one audit
    /// interval and the grace: what an audit of rows itself takes is part of the interval.
    pub(super) fn schedule_audit(&mut self, cx: &mut Cx<'_>) {
        let takes_ms = match self.audits_rows(cx) {
            true => self.audit_lead_ms(cx) + cx.timing().grace_ms,
            false => 0,
        };
        let within_ms = cx.timing().audit_ms * AUDIT_PERCENT / 100;
        self.set_timer(cx, Timer::Audit, within_ms.saturating_sub(takes_ms));
    }

    fn audits_head(&self, cx: &Cx<'_>) -> bool {
        let caps = cx.caps();
        !matches!(caps.position, Numbering::None | Numbering::Opaque)
            && caps.coverage == Coverage::Full
            && caps.snapshot == SnapshotKind::Positioned
    }

    fn audits_rows(&self, cx: &Cx<'_>) -> bool {
        let caps = cx.caps();
        !self.audits_head(cx)
            && cx.config.start != Start::WhenNeeded
            && caps.snapshot != SnapshotKind::None
            && caps.snapshot_body == SnapshotBody::State
    }

    /// How long before its request an audit of rows begins to note which keys are touched: an
    /// answer may be this old, and an event this late.
    fn audit_lead_ms(&self, cx: &Cx<'_>) -> u64 {
        cx.timing().grace_ms + cx.caps().snapshot_staleness_ms_max
    }

    /// Whether an audit has found a difference that no second look has decided about.
    pub(super) fn is_in_doubt(&self, cx: &Cx<'_>) -> bool {
        !self.audit.differed.is_empty() && self.audits_rows(cx)
    }

    /// The second look, which a reconnect has put off.
    pub(super) fn look_again(&mut self, cx: &mut Cx<'_>) {
        self.set_phase(cx, Phase::CatchingUp);
        if !self.audit.is_running() && !self.timers.is_set(Timer::Audit) {
            self.begin_row_audit(cx);
        }
    }

    /// An audit is due.
    pub(super) fn handle_audit_timer(&mut self, cx: &mut Cx<'_>) {
        let is_due = self.is_live() || self.is_in_doubt(cx) && self.link.is_some();
        if !is_due || self.run.is_some() || self.audit.is_running() {
            return;
        }
        if self.audits_head(cx) {
            let token = self.link.as_ref().and_then(|link| link.token);
            self.begin_run(cx, Purpose::AuditHead, token);
        } else if self.audits_rows(cx) {
            self.begin_row_audit(cx);
        }
    }

    fn begin_row_audit(&mut self, cx: &mut Cx<'_>) {
        self.touched.clear();
        self.audit.before.clear();
        self.audit.since = Some(self.here(cx));
        self.audit.stage = Stage::Before;
        let lead_ms = self.audit_lead_ms(cx);
        self.set_timer(cx, Timer::Grace, lead_ms);
    }

    pub(super) fn end_audit(&mut self, cx: &mut Cx<'_>) {
        self.run = None;
        self.audit.stage = Stage::None;
        self.schedule_audit(cx);
    }

    pub(super) fn handle_audit_head(&mut self, cx: &mut Cx<'_>, page: Page) {
        self.end_audit(cx);
        self.adopt_name(cx, page.epoch.as_ref());
        let other = page.epoch.is_some() && page.epoch != self.seen.epoch_name;
        if cx.caps().epoch_named && other {
            return self.leave_epoch(cx, "the audit found another epoch");
        }
        if let Some(head) = page.tag {
            self.note_head(cx, head);
        }
    }

    /// The vendor's head is known: the stream has to reach it within the grace.
    pub(super) fn note_head(&mut self, cx: &mut Cx<'_>, head: u64) {
        if self.is_live() && Some(head) > self.held_sequence() && self.audit.behind.is_none() {
            self.audit.behind = Some(head);
            self.set_timer(cx, Timer::Behind, cx.timing().grace_ms);
        }
    }

    pub(super) fn handle_behind_timer(&mut self, cx: &mut Cx<'_>) {
        let Some(head) = self.audit.behind.take() else { return };
        if cx.mutated(Mutant::MuteUnnoticed) {
            return;
        }
        // A hole that is being waited for has a timer of its own. What waits since an earlier
        // socket has none: it says nothing of this one.
        let waits = self.timers.is_set(Timer::Hole);
        if self.is_live() && self.held_sequence() < Some(head) && !waits {
            self.handle_mute(cx, "the subscription has gone mute");
        }
    }

    pub(super) fn handle_audit_grace(&mut self, cx: &mut Cx<'_>) {
        match self.audit.stage {
            Stage::Before => {
                self.audit.stage = Stage::Fetching;
                self.audit.before = std::mem::take(&mut self.touched).into_keys().collect();
                let token = self.link.as_ref().and_then(|link| link.token);
                self.begin_run(cx, Purpose::Audit, token);
            }
            Stage::After => self.compare(cx),
            Stage::Fetching | Stage::None => {}
        }
    }

    /// The rows are here. What comes meanwhile does not lengthen the wait for what is on its way.
    pub(super) fn handle_audit_rows(&mut self, cx: &mut Cx<'_>) {
        if self.audit.stage != Stage::Fetching {
            return;
        }
        self.audit.stage = Stage::After;
        self.set_timer(cx, Timer::Grace, cx.timing().grace_ms);
    }

    /// Keys that no event touched around the request must be equal on both sides. Of a key that was
    /// touched shortly before it only a further audit can tell, which follows at once: otherwise an
    /// event dropped behind another one could go unseen for two intervals.
    fn compare(&mut self, cx: &mut Cx<'_>) {
        let Some(run) = self.run.take() else { return self.end_audit(cx) };
        let none = BTreeMap::new();
        let touched = match cx.mutated(Mutant::DriftOfTouchedKeys) {
            true => &none,
            false => &self.touched,
        };
        let found = diff(&self.seen.keys, &run.collected.rows, touched);
        let (unsure, differing): (BTreeSet<Key>, BTreeSet<Key>) = found
            .upserts
            .iter()
            .map(|(key, _)| (*key).clone())
            .chain(found.absent)
            .filter(|key| !touched.contains_key(key))
            .partition(|key| self.audit.before.contains(key));
        let again = differing.intersection(&self.audit.differed).next().is_some()
            || cx.mutated(Mutant::DriftAtFirstSight);
        let follows = std::mem::take(&mut self.audit.follows);
        self.end_audit(cx);
        if differing.is_empty() {
            self.audit.differed.clear();
            if !unsure.is_empty() && !follows && self.is_live() {
                self.audit.follows = true;
                return self.begin_row_audit(cx);
            }
            if unsure.is_empty() {
                self.clean = self.audit.since.or(self.clean);
            }
            self.drifted = false;
            if !self.is_live() {
                self.settle(cx);
            }
        } else if again {
            let count = differing.len();
            self.alarm(cx, format!("{count} keys differ from the vendor without an event"));
            self.audit.differed.clear();
            self.resync_owed = true;
            match self.is_exact(cx, &run.collected) {
                // Below what is held: asked for from there, it could not be taken.
                true => {
                    self.open_drift(cx, &differing);
                    self.jump = Jump::Unwritten;
                }
                false => self.drifted = true,
            }
            let class = Class::Retry { after_ms: None };
            let what = Label::from("state has drifted from the vendor's");
            self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what });
        } else {
            self.audit.differed = differing;
            self.doubt(cx, "keys differ from the vendor; a second look decides");
            self.begin_row_audit(cx);
        }
    }
}
