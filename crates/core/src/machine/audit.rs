//! The audit: heartbeats do not prove a subscription, only the vendor's own data does.

use std::collections::BTreeSet;

use crate::connector::{Class, Coverage, Failure, Numbering, Page, SnapshotBody, SnapshotKind};
use crate::ids::{Key, Label};
use crate::machine::CloseHow;
use crate::machine::context::Cx;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::record::GapCause;
use crate::snapshot::diff;

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
}

impl Audit {
    pub(super) fn is_running(&self) -> bool {
        self.stage != Stage::None
    }

    pub(super) fn is_recording(&self) -> bool {
        self.stage != Stage::None
    }
}

impl Stream {
    /// An audit is due.
    pub(super) fn handle_audit_timer(&mut self, cx: &mut Cx<'_>) {
        if !self.is_live() || self.run.is_some() {
            return;
        }
        let caps = cx.caps();
        let numbered = caps.position != Numbering::None;
        if numbered && caps.coverage == Coverage::Full && caps.snapshot == SnapshotKind::Positioned
        {
            let token = self.link.as_ref().and_then(|link| link.token);
            self.begin_run(cx, Purpose::AuditHead, token);
        } else if caps.snapshot != SnapshotKind::None && caps.snapshot_body == SnapshotBody::State {
            self.begin_row_audit(cx);
        }
    }

    fn begin_row_audit(&mut self, cx: &mut Cx<'_>) {
        self.touched.clear();
        self.audit.stage = Stage::Before;
        let lead_ms = cx.timing().grace_ms + cx.caps().snapshot_staleness_ms_max;
        self.set_timer(cx, Timer::Grace, lead_ms);
    }

    pub(super) fn end_audit(&mut self, cx: &mut Cx<'_>) {
        self.run = None;
        self.audit.stage = Stage::None;
        self.set_timer(cx, Timer::Audit, cx.timing().audit_ms);
    }

    pub(super) fn handle_audit_head(&mut self, cx: &mut Cx<'_>, page: Page) {
        self.end_audit(cx);
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
        if self.is_live() && self.held_sequence() < Some(head) && self.held.is_empty() {
            self.handle_mute(cx, "the subscription has gone mute");
        }
    }

    pub(super) fn handle_audit_grace(&mut self, cx: &mut Cx<'_>) {
        match self.audit.stage {
            Stage::Before => {
                self.audit.stage = Stage::Fetching;
                let token = self.link.as_ref().and_then(|link| link.token);
                self.begin_run(cx, Purpose::Audit, token);
            }
            Stage::After => self.compare(cx),
            Stage::Fetching | Stage::None => {}
        }
    }

    pub(super) fn handle_audit_rows(&mut self, cx: &mut Cx<'_>) {
        self.audit.stage = Stage::After;
        self.set_timer(cx, Timer::Grace, cx.timing().grace_ms);
    }

    /// Keys that no event touched around the request must be equal on both sides.
    fn compare(&mut self, cx: &mut Cx<'_>) {
        let Some(run) = self.run.take() else { return self.end_audit(cx) };
        let found = diff(&self.seen.keys, &run.collected.rows, &self.touched);
        let differing: BTreeSet<Key> = found
            .upserts
            .iter()
            .map(|(key, _)| (*key).clone())
            .chain(found.absent)
            .filter(|key| !self.touched.contains_key(key))
            .collect();
        let again = differing.intersection(&self.audit.differed).next().is_some();
        self.end_audit(cx);
        if differing.is_empty() {
            self.audit.differed.clear();
            if !self.is_live() {
                self.settle(cx);
            }
        } else if again {
            let count = differing.len();
            self.alarm(cx, format!("{count} keys differ from the vendor without an event"));
            self.audit.differed.clear();
            self.outage.overlap = Some(GapCause::Drift);
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
