//! The store's writer: one transaction per group of batches, with the checkpoint in it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use unbroken_core::fold::Fold;

use crate::column::{signed, unsigned};
use crate::crash::{self, Point};
use crate::group::Group;
use crate::image;
use crate::schema::{self, SCHEMA_VERSION};
use crate::stream::Streams;
use crate::{LogBatch, LogExtent, StoreError};

/// How far a store has come in which journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The journal's identity, as text.
    pub journal_id: String,
    /// The log began here when the store was built: it holds no older events.
    pub first_offset: u64,
    /// Every record before it is in the store, none at or after it.
    pub next_offset: u64,
}

/// The only writer of a store file. Not `Clone`; the journal's lock keeps a second process away.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    streams: Streams,
    checkpoint: Checkpoint,
    /// A transaction was rolled back: `streams` may be ahead of the file.
    rolled_back: bool,
}

impl Store {
    /// Opens the store at `path` for the log at hand, or creates it if there is no file.
    ///
    /// # Errors
    /// Besides what opening a file may run into: [`StoreError::OtherJournal`],
    /// [`StoreError::BeyondLog`], and [`StoreError::Lapsed`] where the log no longer holds what the
    /// store needs next (also for a new file, if the log begins after offset 0: see
    /// [`crate::rebuild()`]).
    pub fn open(path: &Path, log: &LogExtent) -> Result<Self, StoreError> {
        let store = Self::open_at(path, &log.journal_id, 0)?;
        let Checkpoint { journal_id, next_offset, .. } = &store.checkpoint;
        let (path, checkpoint) = (path.to_owned(), *next_offset);
        if *journal_id != log.journal_id {
            let (found, expected) = (journal_id.clone(), log.journal_id.clone());
            return Err(StoreError::OtherJournal { path, found, expected });
        }
        if checkpoint > log.end_offset {
            return Err(StoreError::BeyondLog { path, checkpoint, end: log.end_offset });
        }
        if checkpoint < log.oldest_offset {
            return Err(StoreError::Lapsed { path, checkpoint, oldest: log.oldest_offset });
        }
        Ok(store)
    }

    /// Opens without asking whether the log fits; a new file will begin at `first_offset`.
    pub(crate) fn open_at(
        path: &Path,
        journal_id: &str,
        first_offset: u64,
    ) -> Result<Self, StoreError> {
        let connection = schema::open(path)?;
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        let checkpoint = match read_checkpoint(&connection).map_err(failed)? {
            Some(checkpoint) => checkpoint,
            None => create_checkpoint(&connection, journal_id, first_offset)
                .inspect(|_| crash::pass(Point::StoreCreated))
                .map_err(failed)?,
        };
        let streams = Streams::load(&connection).map_err(failed)?;
        Ok(Self { path: path.to_owned(), connection, streams, checkpoint, rolled_back: false })
    }

    /// How far the store has come. A power cut may set it back; it never moves without its data.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a group of batches in one transaction. Records that are already in are passed over, so
    /// a batch may be handed over whole although the checkpoint lies inside it.
    ///
    /// # Errors
    /// [`StoreError::Hole`] if an offset is missing, [`StoreError::Write`] if SQLite refuses; then
    /// nothing of the group was kept and it may be handed over again.
    pub fn feed(&mut self, batches: &[LogBatch]) -> Result<(), StoreError> {
        self.write(batches, false)
    }

    /// As [`Store::feed`], for the part of a log before its image: it may begin inside a snapshot
    /// bracket.
    pub(crate) fn feed_history(&mut self, batches: &[LogBatch]) -> Result<(), StoreError> {
        self.write(batches, true)
    }

    fn write(&mut self, batches: &[LogBatch], adopt: bool) -> Result<(), StoreError> {
        let mut next_offset = self.checkpoint.next_offset;
        for batch in batches {
            if batch.first_offset > next_offset {
                let (expected, found) = (next_offset, batch.first_offset);
                return Err(StoreError::Hole { expected, found });
            }
            next_offset = next_offset.max(batch.next_offset());
        }
        let first = self.checkpoint.clone();
        self.transact(next_offset, |tx, streams| {
            let mut group = Group::begin(tx, streams, first.first_offset, adopt)?;
            for batch in batches.iter().filter(|batch| !batch.lies_before(first.next_offset)) {
                let offsets = batch.first_offset..;
                for (offset, record) in offsets.zip(&batch.records) {
                    if offset >= first.next_offset {
                        group.apply(offset, record)?;
                    }
                }
                for mark in &batch.marks {
                    group.mark(mark)?;
                }
            }
            group.finish()
        })
    }

    /// Replaces state by that of an image which is exact at the checkpoint.
    pub(crate) fn install(&mut self, image: &Fold) -> Result<(), StoreError> {
        let Checkpoint { first_offset, next_offset, .. } = self.checkpoint;
        self.transact(next_offset, |tx, streams| image::install(tx, streams, image, first_offset))
    }

    fn transact(
        &mut self,
        next_offset: u64,
        work: impl FnOnce(&Transaction<'_>, &mut Streams) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Write { offset: next_offset, source };
        if self.rolled_back {
            self.streams = Streams::load(&self.connection).map_err(failed)?;
            self.rolled_back = false;
        }
        let (connection, streams) = (&mut self.connection, &mut self.streams);
        let commit = || {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            crash::pass(Point::GroupBegun);
            work(&tx, streams)?;
            tx.prepare_cached("UPDATE checkpoint SET next_offset = ?1")?
                .execute([signed(next_offset)])?;
            crash::pass(Point::GroupWritten);
            tx.commit()
        };
        commit().map_err(failed).inspect_err(|_| self.rolled_back = true)?;
        self.checkpoint.next_offset = next_offset;
        crash::pass(Point::GroupCommitted);
        Ok(())
    }

    /// Folds the write-ahead log into the file and syncs it. Returns the offset that is then safe
    /// from a power cut, or `None` if a reader kept part of it back; retention may count on that
    /// offset and on no other.
    ///
    /// # Errors
    /// [`StoreError::Write`] if the disk refuses.
    pub fn sync(&mut self) -> Result<Option<u64>, StoreError> {
        let next_offset = self.checkpoint.next_offset;
        crash::pass(Point::SyncBegun);
        let (busy, pages, folded): (i64, i64, i64) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|source| StoreError::Write { offset: next_offset, source })?;
        crash::pass(Point::Synced);
        Ok((busy == 0 && pages == folded).then_some(next_offset))
    }
}

pub(crate) fn read_checkpoint(connection: &Connection) -> rusqlite::Result<Option<Checkpoint>> {
    connection
        .query_row("SELECT journal_id, first_offset, next_offset FROM checkpoint", [], |row| {
            Ok(Checkpoint {
                journal_id: row.get(0)?,
                first_offset: unsigned(row.get(1)?),
                next_offset: unsigned(row.get(2)?),
            })
        })
        .optional()
}

fn create_checkpoint(
    connection: &Connection,
    journal_id: &str,
    first_offset: u64,
) -> rusqlite::Result<Checkpoint> {
    connection.execute(
        "INSERT INTO checkpoint (id, journal_id, first_offset, next_offset, schema_version)
         VALUES (1, ?1, ?2, ?2, ?3)",
        params![journal_id, signed(first_offset), SCHEMA_VERSION],
    )?;
    let journal_id = journal_id.to_owned();
    Ok(Checkpoint { journal_id, first_offset, next_offset: first_offset })
}
