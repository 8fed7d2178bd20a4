//! How much of a batch there is time for.

use crate::{Batch, Checkpoint};

/// Once it may be brokers that were away in the middle. Twice it is the road, or their disks.
const LATE_MAX: u32 = 2;

/// Over a road that is too slow for a whole batch none would ever be committed: what came too late
/// is sent again from its beginning. It is kept for as long as the service runs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Most records of one transaction; `None`: all.
    records_max: Option<usize>,
    /// The base of a batch that came too late, and how often it did.
    late: Option<(Option<Checkpoint>, u32)>,
}

impl Pace {
    /// The first record of a batch for which there is no time with those before it.
    pub(super) fn too_much(&self, batch: &Batch) -> Option<u64> {
        let (offset, _) = batch.entries().nth(self.records_max?)?;
        Some(offset)
    }

    /// Nothing of this batch is there, for want of time.
    pub(super) fn came_late(&mut self, batch: &Batch) {
        let before = self.late.filter(|(base, _)| *base == batch.base);
        let times = before.map_or(0, |(_, times)| times) + 1;
        self.late = Some((batch.base, times));
        if times >= LATE_MAX {
            self.late = None;
            self.records_max = Some((batch.entries().count() / 2).max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use unbroken_core::ids::ConnId;
    use unbroken_core::record::{Body, Closer, ConnectionTurn, Record, Turn};
    use unbroken_core::time::UnixMicros;
    use unbroken_journal::JournalId;

    use super::Pace;
    use crate::{Batch, Checkpoint};

    fn batch(from: u64, until: u64) -> Batch {
        let at = |offset| Checkpoint::in_log(JournalId::from_bytes([7; 16]), offset);
        let turn = ConnectionTurn {
            conn: ConnId(1),
            turn: Turn::Opened,
            by: Closer::Us,
            why: "a test".into(),
        };
        let record = Record {
            stream: "cx/a".into(),
            received_at: UnixMicros(1),
            body: Body::Connection(turn),
        };
        let rows = (from..until).map(|offset| (offset, record.clone())).collect();
        Batch::of_rows(Some(at(from)), at(until), rows, Arc::default())
    }

    #[test]
    fn what_comes_too_late_twice_is_cut_until_there_is_time_for_it() {
        let mut pace = Pace::default();
        pace.came_late(&batch(0, 100));
        assert_eq!(pace.too_much(&batch(0, 100)), None, "brokers may have been away");
        pace.came_late(&batch(40, 100));
        assert_eq!(pace.too_much(&batch(0, 100)), None, "another one was");
        pace.came_late(&batch(40, 140));
        assert_eq!(pace.too_much(&batch(40, 140)), Some(90));
        assert_eq!(pace.too_much(&batch(90, 140)), None);
        for records in [25, 12, 6, 3, 1, 1] {
            let now = 90 + 2 * records;
            pace.came_late(&batch(90, now));
            pace.came_late(&batch(90, now));
            assert_eq!(pace.too_much(&batch(90, now)), Some(90 + records));
        }
        assert_eq!(pace.too_much(&batch(90, 91)), None, "one record is never cut");
    }
}
