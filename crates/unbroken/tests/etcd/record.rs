//! What was recorded, read from the log itself and from the store, and held against what the writer
//! knows.

use std::collections::BTreeMap;
use std::path::Path;

use unbroken_core::record::{Body, GapCause, GapClosed, GapOutcome, Origin};
use unbroken_journal::Reader;
use unbroken_store::{StateFilter, StoreReader};

use crate::figures::Figures;
use crate::writer::Change;

/// See the module.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Every event of the stream, in the log's order.
    pub(crate) events: Vec<Change>,
    /// Gaps that were opened and never closed.
    pub(crate) open_gaps: usize,
    /// How many batches the log has.
    pub(crate) batches: usize,
    /// The ledger: the last row of each gap.
    pub(crate) ledger: Vec<GapClosed>,
}

impl Recorded {
    /// Reads the log from its beginning.
    pub(crate) fn read(data_dir: &Path) -> Self {
        let reader = Reader::open(data_dir.join("journal")).unwrap();
        assert_eq!(reader.oldest_offset().unwrap(), 0, "nothing may be past retention yet");
        let mut recorded = Self::default();
        let mut gaps = BTreeMap::new();
        for batch in reader.batches(0).unwrap() {
            recorded.batches += 1;
            for record in batch.unwrap().records {
                match record.body {
                    Body::Change(change) => {
                        let from_stream = matches!(change.origin, Origin::Live | Origin::Replay);
                        assert!(from_stream, "nothing else is an event here: {change:?}");
                        recorded.events.push(Change {
                            revision: change.position.unwrap().sequence,
                            key: change.key.to_string(),
                            value: (!change.deleted).then(|| change.payload.to_vec()),
                        });
                    }
                    Body::GapOpened(gap) => drop(gaps.insert(gap.gap, None)),
                    Body::GapClosed(gap) => drop(gaps.insert(gap.gap, Some(gap))),
                    Body::Quarantined(frame) => panic!("not understood: {frame:?}"),
                    _ => {}
                }
            }
        }
        recorded.open_gaps = gaps.values().filter(|closed| closed.is_none()).count();
        recorded.ledger = gaps.into_values().flatten().collect();
        recorded
    }

    /// The rows that say that events are missing, but for the one of the first start.
    pub(crate) fn losses(&self) -> Vec<&GapClosed> {
        let is_loss =
            |row: &&GapClosed| row.cause != GapCause::Start && row.outcome != GapOutcome::Repaired;
        self.ledger.iter().filter(is_loss).collect()
    }

    /// Every change is an event of the log once, in the order of its making, unless a row of the
    /// ledger says that it is lost; and what a row says is lost is not in the log. Changes of one
    /// revision may come in any order. Gives how many are lost.
    pub(crate) fn assert_complete(&self, changes: &[Change]) -> usize {
        let figures = self.judge(changes);
        self.assert_clean(&figures);
        figures.covered
    }

    /// The log, held against what was really changed.
    pub(crate) fn judge(&self, changes: &[Change]) -> Figures {
        let covers = |revision| self.ledger.iter().any(|row| covers(row, revision));
        Figures::of(changes, &self.events, covers)
    }

    /// Nothing is wrong, and no gap is open.
    pub(crate) fn assert_clean(&self, figures: &Figures) {
        let clean = Figures { covered: figures.covered, ..Figures::default() };
        assert_eq!(*figures, clean, "{:#?}", self.ledger);
        assert_eq!(self.open_gaps, 0, "{:#?}", self.ledger);
    }
}

/// Whether a row says that events of this revision may be missing.
fn covers(row: &GapClosed, revision: u64) -> bool {
    let after = row.after.map_or(0, |after| after.sequence);
    let through = row.through.map_or(0, |through| through.sequence);
    row.outcome != GapOutcome::Repaired && after < revision && revision <= through
}

/// The store's state: each key's value and the revision that wrote it. None may be stale, but for
/// that the service, where it has stopped, has not been Live since.
pub(crate) fn state(data_dir: &Path) -> BTreeMap<String, (Vec<u8>, u64)> {
    let store = StoreReader::open(&data_dir.join("store.sqlite")).unwrap();
    let state = store.state(&StateFilter::default()).unwrap();
    let streams = store.streams().unwrap();
    let rows = state.rows.into_iter().map(|row| {
        let stream = streams.iter().find(|stream| stream.stream == row.stream).unwrap();
        let stopped_at = stream.live_changed_at.filter(|_| !stream.live);
        assert_eq!(row.stale_since, stopped_at, "{}", row.key);
        (row.key.to_string(), (row.payload, row.version.unwrap().sequence))
    });
    rows.collect()
}

/// The store's ledger: after, through, outcome of each row.
pub(crate) fn ledger_in_store(
    data_dir: &Path,
) -> Vec<(Option<u64>, Option<u64>, Option<GapOutcome>)> {
    let store = StoreReader::open(&data_dir.join("store.sqlite")).unwrap();
    let rows = store.gaps().unwrap().into_iter();
    rows.map(|row| (row.after.map(|p| p.sequence), row.through.map(|p| p.sequence), row.outcome))
        .collect()
}
