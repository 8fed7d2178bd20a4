//! Keys that a snapshot lacks: gone, on the next page, or the snapshot is not what it says it is.

use std::collections::BTreeSet;

use crate::connector::{Paging, SnapshotBody};
use crate::ids::Key;
use crate::machine::Blocked;
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::snapshot::{Collected, Diff, diff, is_newer};

impl Stream {
    /// Whether keys that the snapshot lacks may be deleted; if it takes another look, asks for it.
    pub(super) fn deletes_agree(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.caps().snapshot_body != SnapshotBody::State {
            return true;
        }
        let Some(run) = &self.run else { return false };
        let absent = self.absent_keys(cx, &run.collected, run.keys.as_ref());
        let shifting = cx.caps().paging == Paging::Offset && !run.collected.is_frozen();
        let (lacks, of) = self.lacking(&run.collected, run.keys.as_ref());
        let empty = run.collected.rows.is_empty()
            && lacks == of
            && !cx.mutated(Mutant::EmptyAnswerBelieved);
        // An event saves a key from being deleted, not a snapshot without it from being strange.
        let timing = cx.timing();
        let many = lacks >= timing.mass_delete_min && lacks * 100 > of * timing.mass_delete_percent;
        let is_seen_twice =
            absent.is_subset(&self.absent_once) || cx.mutated(Mutant::ShiftingPagesBelieved);
        if (shifting || empty && !many) && !is_seen_twice {
            self.absent_once = absent;
            self.refetch(cx, "keys are missing; a second look decides", None);
            return false;
        }
        let implausible = !absent.is_empty()
            && (many || empty)
            && !self.deletes_expected
            && !cx.mutated(Mutant::MassDeleteApplied);
        if implausible {
            self.open_doubt(cx, &absent);
            self.block(cx, Blocked::MassDelete { lacks, of });
            return false;
        }
        true
    }

    /// Keys that are held, and that a snapshot which speaks of them lacks.
    pub(super) fn absent_keys(
        &self,
        cx: &Cx<'_>,
        collected: &Collected,
        keys: Option<&BTreeSet<Key>>,
    ) -> BTreeSet<Key> {
        let Diff { mut absent, .. } = diff(&self.seen.keys, &collected.rows, &self.touched);
        absent.retain(|key| !is_newer(self.touched.get(key), collected.tag));
        let scope = keys.filter(|_| !cx.mutated(Mutant::DeletesOutsideScope));
        absent.retain(|key| scope.is_none_or(|keys| keys.contains(key)));
        absent
    }

    /// How many of the keys that are held a snapshot does not have, and of how many.
    fn lacking(&self, collected: &Collected, keys: Option<&BTreeSet<Key>>) -> (u64, u64) {
        let (mut lacks, mut of) = (0, 0);
        for (key, _) in self.seen.keys.iter().filter(|(_, held)| held.present) {
            of += 1;
            let is_meant = keys.is_none_or(|keys| keys.contains(key));
            lacks += u64::from(is_meant && !collected.rows.contains_key(key));
        }
        (lacks, of)
    }
}
