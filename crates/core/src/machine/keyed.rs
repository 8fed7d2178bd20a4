//! A fresh look at some keys only, as a person asked for.
//!
//! It is a reconciliation on the open subscription like any other, with the same witness and the
//! same proof of a deletion; only, nothing follows from it for any key that was not named: no
//! deletion, no freshness, no end of a ledger row.

use std::collections::BTreeSet;

use crate::connector::{SnapshotBody, SnapshotKind};
use crate::ids::{Key, Label};
use crate::machine::Report;
use crate::machine::context::Cx;
use crate::machine::reconcile::{Purpose, Run};
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;

impl Stream {
    pub(super) fn handle_keyed_resync(&mut self, cx: &mut Cx<'_>, keys: Vec<Key>) {
        let (kind, body) = (cx.caps().snapshot, cx.caps().snapshot_body);
        if kind == SnapshotKind::None || body != SnapshotBody::State {
            let why = Label::from("the source has no snapshot of its keys");
            return cx.report(Report::SnapshotRefused { stream: self.id.clone(), why });
        }
        self.keys_owed.extend(keys);
        if self.is_live() && !self.keys_owed.is_empty() {
            self.begin_keyed(cx);
        }
    }

    /// Fetches the keys that are owed, on a stream that is complete but for them.
    pub(super) fn begin_keyed(&mut self, cx: &mut Cx<'_>) {
        let keys: BTreeSet<Key> = std::mem::take(&mut self.keys_owed);
        self.doubt(cx, "keys have to be fetched");
        self.touched.clear();
        self.absent_once.clear();
        self.audit = Default::default();
        for timer in [Timer::Prove, Timer::Grace, Timer::Behind] {
            self.timers.stop(timer);
        }
        let token = self.link.as_ref().and_then(|link| link.token);
        let lower = self.shown_sequence(cx);
        let mut run = Run::new(Purpose::Reconcile, token, cx.now.at, lower);
        run.since = self.complete_since(cx);
        run.keys = Some(keys);
        self.run = Some(run);
        self.fetch(cx);
    }

    /// Gives up what is being fetched; keys that a person asked for stay owed.
    pub(super) fn drop_run(&mut self) {
        let keys = self.run.take().and_then(|run| run.keys);
        self.keys_owed.extend(keys.into_iter().flatten());
    }
}
