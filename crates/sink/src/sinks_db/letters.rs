//! Dead letters: what a target refused, shown and given again.
//!
//! Whoever wants one given again marks it; the service, which alone has the sink, sends it between
//! two batches. So a person at a terminal needs no secret of the target's, and at no moment two
//! processes send to it.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use unbroken_core::time::UnixMicros;

use super::fault::failed;
use super::{SinksDb, file};
use crate::{Fence, SinkError};

/// How often one that is asked for is tried before it is put back: a letter at which the target
/// breaks down again and again must not hold the sink up for good.
const TRIES: u32 = 3;

const READING: &str = "reading dead letters";
const WRITING: &str = "writing dead letters";

/// A record that a target refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The sink whose target it is.
    pub sink: String,
    /// The log, as its cursors name it.
    pub journal: String,
    /// Its offset there.
    pub offset: u64,
    /// Why it was refused, the last time.
    pub why: String,
    /// When it was put aside.
    pub parked_at: UnixMicros,
    /// The CloudEvent, as JSON.
    pub event: String,
    /// It is to be given again, and waits for the service.
    pub is_asked_for: bool,
}

/// The dead letters in `sinks.db`, beside a service that may be running.
#[derive(Debug)]
pub struct DeadLetters {
    path: std::path::PathBuf,
    connection: Connection,
}

/// One that is to be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: i64,
    pub(crate) journal: String,
    pub(crate) offset: u64,
    pub(crate) event: String,
    pub(crate) redrives: u64,
    /// Beside the try that is being made.
    tries_left: i64,
}

/// What came of one that was given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LetterFate {
    /// The target has it.
    Taken,
    /// It lies there again.
    Refused {
        /// Why, this time.
        why: String,
    },
    /// The endpoint fails, with other things too: nothing is known of it, and the try is given
    /// back.
    Unknown,
}

impl DeadLetters {
    /// Of a file that is there; `None`: it is not, and so nothing was ever refused.
    ///
    /// # Errors
    /// It cannot be read, or is not ours.
    pub fn open(path: &Path) -> Result<Option<Self>, SinkError> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = file::open_existing(path)?;
        Ok(Some(Self { path: path.to_owned(), connection }))
    }

    /// Whether it is a sink that keeps its dead letters here.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn knows(&self, sink: &str) -> Result<bool, SinkError> {
        let query = "SELECT EXISTS (SELECT 1 FROM sinks WHERE name = ?1)";
        let told = self.connection.query_row(query, [sink], |row| row.get(0));
        told.map_err(failed(&self.path, READING))
    }

    /// All of them, or those of one sink, in the order in which they were put aside, to be taken
    /// one at a time.
    ///
    /// # Errors
    /// It cannot be read; or what is done with one of them fails, which ends it.
    pub fn each<E: From<SinkError>>(
        &self,
        sink: Option<&str>,
        mut take: impl FnMut(DeadLetter) -> Result<(), E>,
    ) -> Result<(), E> {
        let fault = || failed(&self.path, READING);
        let query = "SELECT sink, journal, log_offset, why, parked_at, event, tries_left > 0 \
            FROM dead_letters WHERE ?1 IS NULL OR sink = ?1 ORDER BY id";
        let mut statement = self.connection.prepare(query).map_err(fault())?;
        let mut rows = statement.query([sink]).map_err(fault())?;
        while let Some(row) = rows.next().map_err(fault())? {
            take(dead_letter(row).map_err(fault())?)?;
        }
        Ok(())
    }

    /// Asks that all of them, or those of one sink, are given again. Returns how many are.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn redrive(&self, sink: Option<&str>) -> Result<usize, SinkError> {
        // One that waits already is not counted as asked for again: its key stays.
        let update = "UPDATE dead_letters SET tries_left = ?2, \
                redrives = redrives + (tries_left = 0) \
            WHERE ?1 IS NULL OR sink = ?1";
        let marked = self.connection.execute(update, params![sink, TRIES]);
        marked.map_err(failed(&self.path, WRITING))
    }
}

fn dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        sink: row.get(0)?,
        journal: row.get(1)?,
        offset: row.get::<_, i64>(2)? as u64,
        why: row.get(3)?,
        parked_at: UnixMicros(row.get(4)?),
        event: row.get(5)?,
        is_asked_for: row.get(6)?,
    })
}

impl SinksDb {
    /// The next one that a person asked for. One try of it is used up by that.
    pub(crate) fn next_letter(&mut self, fence: Fence) -> Result<Option<Letter>, SinkError> {
        let (path, sink) = (self.path.clone(), self.sink.clone());
        let fault = || failed(&path, READING);
        let tx = self.begin(READING)?;
        owned(&tx, &path, &sink, fence)?;
        // Those that were tried least often first: one that fails lets the others pass.
        let query = "SELECT id, journal, log_offset, event, redrives, tries_left \
            FROM dead_letters \
            WHERE sink = ?1 AND tries_left > 0 ORDER BY tries_left DESC, id LIMIT 1";
        let found = tx.query_row(query, [&sink], |row| {
            Ok(Letter {
                id: row.get(0)?,
                journal: row.get(1)?,
                offset: row.get::<_, i64>(2)? as u64,
                event: row.get(3)?,
                redrives: row.get::<_, i64>(4)? as u64,
                tries_left: row.get::<_, i64>(5)? - 1,
            })
        });
        let Some(letter) = found.optional().map_err(fault())? else { return Ok(None) };
        let update = "UPDATE dead_letters SET tries_left = tries_left - 1 WHERE id = ?1";
        tx.execute(update, [letter.id]).map_err(fault())?;
        tx.commit().map_err(fault())?;
        Ok(Some(letter))
    }

    /// Writes down what came of it. What a person has asked for while it was under way stands.
    pub(crate) fn settle(
        &mut self,
        fence: Fence,
        letter: &Letter,
        fate: &LetterFate,
    ) -> Result<(), SinkError> {
        let (path, sink) = (self.path.clone(), self.sink.clone());
        let tx = self.begin(WRITING)?;
        owned(&tx, &path, &sink, fence)?;
        let Letter { id, tries_left, .. } = *letter;
        let redrives = letter.redrives as i64;
        let settled = match fate {
            LetterFate::Taken => {
                let delete = "DELETE FROM dead_letters WHERE id = ?1 AND sink = ?2";
                tx.execute(delete, params![id, sink])
            }
            LetterFate::Refused { why } => {
                // Asked for anew meanwhile, it gets a key of its own: the endpoint may remember
                // what it answered to the old one.
                let update = "UPDATE dead_letters SET why = ?3, \
                        tries_left = iif(tries_left = ?4 AND redrives = ?5, 0, tries_left), \
                        redrives = redrives + (tries_left <> ?4 AND redrives = ?5) \
                    WHERE id = ?1 AND sink = ?2";
                tx.execute(update, params![id, sink, why, tries_left, redrives])
            }
            LetterFate::Unknown => {
                let update = "UPDATE dead_letters SET tries_left = tries_left + 1 \
                    WHERE id = ?1 AND sink = ?2 AND tries_left = ?3 AND redrives = ?4";
                tx.execute(update, params![id, sink, tries_left, redrives])
            }
        };
        settled.map_err(failed(&path, WRITING))?;
        tx.commit().map_err(failed(&path, WRITING))
    }
}

/// This instance has the sink.
fn owned(tx: &Transaction<'_>, path: &Path, sink: &str, fence: Fence) -> Result<(), SinkError> {
    let owner = super::read(tx, path, sink)?.ok_or_else(|| super::gone(path))?;
    match owner.fence.cmp(&fence.0) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(SinkError::Fenced),
        Ordering::Less => Err(super::replaced(path)),
    }
}
