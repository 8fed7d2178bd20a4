//! Keys that have ended in an interval whose events are lost, as the vendor's history tells.
//!
//! A stream of things that pass (conversations, say) has no snapshot as a rule: whoever misses the
//! end of one is never told of it again, and would hold it for ever. What two walks over history
//! agree on as over leaves state, in a bracket of those keys alone: a correction like one that a
//! snapshot makes, and no event.

use std::collections::BTreeSet;

use crate::ids::Key;
use crate::machine::context::Cx;
use crate::machine::install::absence;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::record::{Body, SnapshotBegin, SnapshotEnd, Witness};
use crate::time::UnixMicros;

impl Stream {
    /// Takes keys out of state of which nothing has been heard since the interval ended: what came
    /// later is newer than what history tells of the interval.
    pub(super) fn end_keys(&mut self, cx: &mut Cx<'_>, mut keys: BTreeSet<Key>, until: UnixMicros) {
        if cx.mutated(Mutant::EndUnheeded) {
            return;
        }
        let later = cx.mutated(Mutant::EndOfTheRevived);
        keys.retain(|key| {
            let held = self.seen.keys.get(key).filter(|held| held.present);
            held.is_some_and(|held| held.received_at <= until || later)
        });
        if keys.is_empty() {
            return;
        }
        let snapshot = self.seen.last_snapshot.next();
        let named = Some(keys.iter().cloned().collect());
        self.write(
            cx,
            Body::SnapshotBegin(SnapshotBegin {
                snapshot,
                tag: None,
                rows_are_state: true,
                keys: named,
            }),
        );
        let count = keys.len() as u64;
        let unit_items = cx.timing().snapshot_unit_items.max(1);
        for (written, key) in (1..).zip(keys) {
            let change = absence(key, None);
            self.write(cx, Body::SnapshotItem { snapshot, change });
            if u64::is_multiple_of(written, unit_items) {
                self.flush(cx);
            }
        }
        let end = SnapshotEnd {
            snapshot,
            count,
            rows: 0,
            digest: 0,
            tag: None,
            rows_are_state: true,
            keyed: true,
            converging_until: None,
            witness: Witness::Assumed,
        };
        self.write(cx, Body::SnapshotEnd(end));
    }
}
