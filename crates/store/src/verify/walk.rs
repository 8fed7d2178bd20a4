//! One pass over the log, in step with the store.

use std::path::Path;

use unbroken_core::fold::Fold;
use unbroken_core::record::{Body, Mark, Record};

use super::brackets::Brackets;
use super::gaps::Ledger;
use super::snapshots::Snapshots;
use super::tables::{
    RecordRow, Table, TurnRow, event_differs, prepare, quarantine_differs, turn_differs,
};
use super::{Finding, Verification, state};
use crate::column::{signed, unsigned};
use crate::reader::{StateFilter, StoreReader};
use crate::rebuild::base;
use crate::row::{EventRow, QuarantineRow};
use crate::writer::Checkpoint;
use crate::{Log, LogExtent, StoreError};

/// Compares the store at `path` with the log: every event, quarantined frame and connection turn
/// has its row, and no other row is there; state is the fold of the log, key by key; so are the
/// streams' rows, the gap ledger and the brackets of snapshots, and the file is whole. The service
/// may be running meanwhile.
///
/// # Errors
/// If the file or the log cannot be read. That they disagree is no error but a [`Finding`].
pub fn verify_store(path: &Path, log: &impl Log) -> Result<Verification, StoreError> {
    let reader = StoreReader::open(path)?;
    let failed = |source| StoreError::Read { what: "checkpoint", source };
    // All tables as of one moment. The log is asked afterwards, so that it cannot be behind.
    let tx = reader.connection().unchecked_transaction().map_err(failed)?;
    let checkpoint = reader.checkpoint()?;
    let extent = log.extent().map_err(StoreError::Log)?;
    let mut report = Verification {
        checkpoint: checkpoint.next_offset,
        log_end: extent.end_offset,
        ..Verification::default()
    };
    if let Some(finding) = misfit(&checkpoint, &extent) {
        report.found(finding);
        return Ok(report);
    }
    Walk::begin(&reader, &checkpoint, &extent, log)?.run(log, &mut report)?;
    if let Some(what) = damage(&reader)? {
        report.found(Finding::Damaged { what });
    }
    tx.commit().map_err(failed)?;
    Ok(report)
}

/// What the comparison does not read: indices, and pages of tables that list what it has seen.
fn damage(reader: &StoreReader) -> Result<Option<String>, StoreError> {
    let said = reader
        .connection()
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|source| StoreError::Read { what: "file", source })?;
    Ok((said != "ok").then_some(said))
}

fn misfit(store: &Checkpoint, log: &LogExtent) -> Option<Finding> {
    let checkpoint = store.next_offset;
    if store.journal_id != log.journal_id {
        let (found, expected) = (store.journal_id.clone(), log.journal_id.clone());
        Some(Finding::OtherJournal { found, expected })
    } else if checkpoint > log.end_offset {
        Some(Finding::BeyondLog { checkpoint, end: log.end_offset })
    } else if checkpoint < log.oldest_offset {
        Some(Finding::Lapsed { checkpoint, oldest: log.oldest_offset })
    } else {
        None
    }
}

struct Walk<'a> {
    reader: &'a StoreReader,
    /// Rows and records are compared from here on ...
    oldest: u64,
    /// ... up to here.
    checkpoint: u64,
    /// Records from here on are folded; what is before is in `fold` already.
    fold_from: u64,
    fold: Fold,
    ledger: Ledger,
    brackets: Brackets,
    snapshots: Snapshots,
    late: Vec<Mark>,
}

struct Tables<'s> {
    events: Table<'s, EventRow>,
    quarantine: Table<'s, QuarantineRow>,
    turns: Table<'s, TurnRow>,
}

impl<'a> Walk<'a> {
    fn begin(
        reader: &'a StoreReader,
        checkpoint: &Checkpoint,
        extent: &LogExtent,
        log: &impl Log,
    ) -> Result<Self, StoreError> {
        let (fold_from, fold) = base(log, extent)?.unwrap_or((0, Fold::new(true)));
        Ok(Self {
            reader,
            oldest: extent.oldest_offset.max(checkpoint.first_offset),
            checkpoint: checkpoint.next_offset,
            fold_from,
            fold,
            ledger: Ledger::default(),
            brackets: Brackets::default(),
            snapshots: Snapshots::default(),
            late: Vec::new(),
        })
    }

    fn run(mut self, log: &impl Log, report: &mut Verification) -> Result<(), StoreError> {
        let connection = self.reader.connection();
        let mut events = prepare::<EventRow>(connection)?;
        let mut quarantine = prepare::<QuarantineRow>(connection)?;
        let mut turns = prepare::<TurnRow>(connection)?;
        let mut tables = Tables {
            events: Table::open(&mut events, self.oldest)?,
            quarantine: Table::open(&mut quarantine, self.oldest)?,
            turns: Table::open(&mut turns, self.oldest)?,
        };
        self.walk(log, &mut tables, report)?;
        let Tables { mut events, mut quarantine, mut turns } = tables;
        // Whatever is left in the tables belongs to no record.
        events.take(u64::MAX, report)?;
        quarantine.take(u64::MAX, report)?;
        turns.take(u64::MAX, report)?;
        self.finish(report)
    }

    fn walk(
        &mut self,
        log: &impl Log,
        tables: &mut Tables<'_>,
        report: &mut Verification,
    ) -> Result<(), StoreError> {
        for batch in log.batches(self.oldest).map_err(StoreError::Log)? {
            let batch = batch.map_err(StoreError::Log)?;
            if batch.first_offset > self.checkpoint {
                break;
            }
            if batch.first_offset == self.checkpoint {
                if !batch.records.is_empty() {
                    break;
                }
                self.late.extend(batch.marks);
                continue;
            }
            for (offset, record) in (batch.first_offset..self.checkpoint).zip(&batch.records) {
                if offset == self.fold_from {
                    self.ledger.add_image(&self.fold);
                    self.brackets.add_image(&self.fold);
                    self.snapshots.add_image(&self.fold);
                }
                self.follow(offset, record, tables, report)?;
            }
            // The marks of a batch that ends where the image does are in it; again does no harm.
            if batch.next_offset() >= self.fold_from {
                batch.marks.iter().for_each(|mark| self.fold.mark(mark));
            }
        }
        Ok(())
    }

    fn follow(
        &mut self,
        offset: u64,
        record: &Record,
        tables: &mut Tables<'_>,
        report: &mut Verification,
    ) -> Result<(), StoreError> {
        if offset >= self.fold_from {
            self.fold.apply(offset, record);
        }
        self.ledger.follow(offset, record);
        self.snapshots.follow(offset, record);
        match &record.body {
            Body::Change(change) => {
                tables.events.check(offset, report, |row| event_differs(row, record, change, None))
            }
            Body::Quarantined(poison) => tables
                .quarantine
                .check(offset, report, |row| quarantine_differs(row, record, poison)),
            Body::Connection(turn) => {
                tables.turns.check(offset, report, |row| turn_differs(row, record, turn))
            }
            _ => {
                let adopt = offset < self.fold_from;
                self.brackets.follow(offset, record, adopt, &mut tables.events, report)
            }
        }
    }

    fn finish(mut self, report: &mut Verification) -> Result<(), StoreError> {
        report.rows_unchecked += self.rows_before_log()?;
        self.brackets.finish(report);
        let state_known = self.fold_from <= self.checkpoint;
        if state_known {
            if self.fold_from == self.checkpoint {
                self.ledger.add_image(&self.fold);
                self.snapshots.add_image(&self.fold);
            }
            let filter = StateFilter { tombstones: true, ..StateFilter::default() };
            state::compare_keys(self.reader.state_rows(&filter)?, &self.fold, report);
            state::compare_streams(self.reader.streams()?, &self.fold, &self.late, report);
            state::compare_staged(self.reader.connection(), &self.fold, report)?;
        } else {
            let (checkpoint, image) = (self.checkpoint, self.fold_from);
            report.found(Finding::StateUnknown { checkpoint, image });
        }
        self.ledger.compare(self.reader.gaps()?, self.oldest, report);
        self.snapshots.compare(self.reader.connection(), self.oldest, report)
    }

    fn rows_before_log(&self) -> Result<u64, StoreError> {
        let count = [EventRow::TABLE, QuarantineRow::TABLE, TurnRow::TABLE].map(|table| {
            let sql = format!("SELECT count(*) FROM {table} WHERE offset < ?1");
            let row = [signed(self.oldest)];
            self.reader.connection().query_row(&sql, row, |row| row.get::<_, i64>(0))
        });
        let mut rows = 0;
        for count in count {
            let count = count.map_err(|source| StoreError::Read { what: "row counts", source })?;
            rows += unsigned(count);
        }
        Ok(rows)
    }
}
