//! `sinks.db`: checkpoints, fences and dead letters of sinks whose targets can keep none, such as a
//! URL. One SQLite file in the data directory, for all of them.
//!
//! It is beside the log and not in the target. What a target can tell of a log that was put back
//! from a copy, that it has more than the log, this file can tell only if it was not put back too.

mod fault;
mod file;
mod letters;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use unbroken_render::{wall_now, write_cloudevent};

use self::fault::{failed, gone, replaced};
pub use self::letters::{DeadLetter, DeadLetters};
pub(crate) use self::letters::{Letter, LetterFate};
use crate::crash::pass;
use crate::holder::Holder;
use crate::{Batch, Checkpoint, Claim, Fence, Opened, Phase, SinkError};

/// One connection, of one sink.
pub(crate) struct SinksDb {
    path: PathBuf,
    sink: String,
    /// The file that was opened.
    identity: Option<(u64, u64)>,
    /// Where it has had the sink, its row must be there.
    holder: Holder,
    connection: Connection,
}

/// The row of a sink.
struct Row {
    fence: u64,
    checkpoint: Option<Checkpoint>,
    cuts: Vec<u64>,
}

impl Row {
    /// Where the last request behind the checkpoint has ended. A batch that ended before it would
    /// cut that request anew, and its events would come again under another key.
    fn sent_until(&self, log_end: u64) -> Option<Checkpoint> {
        let checkpoint = self.checkpoint.filter(|it| it.phase == Phase::Log)?;
        let sent = self.cuts.iter().copied().filter(|cut| *cut <= log_end).max()?;
        (sent > checkpoint.next_offset).then_some(Checkpoint { next_offset: sent, ..checkpoint })
    }
}

impl SinksDb {
    /// Makes the file if it is not there, unless this process had the sink open before.
    pub(crate) fn open(path: &Path, sink: &str, holder: Holder) -> Result<Self, SinkError> {
        let before = file::identity(path);
        let connection =
            if holder.has_had_it() { file::open_again(path) } else { file::open(path) }?;
        // Of before it was opened: replaced meanwhile, it is opened once more. One that was made
        // just now had none.
        let identity = before.or_else(|| file::identity(path));
        let (path, sink) = (path.to_owned(), sink.to_owned());
        Ok(Self { path, sink, identity, holder, connection })
    }

    /// Raises the fence, if this log may have the sink.
    pub(crate) fn take_over(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        let doing = "opening it";
        let (path, sink, holder) = (self.path.clone(), self.sink.clone(), self.holder);
        let tx = self.begin(doing)?;
        let held = read(&tx, &path, &sink)?;
        if holder.has_had_it() && held.is_none() {
            return Err(gone(&path));
        }
        let checkpoint = held.as_ref().and_then(|row| row.checkpoint);
        claim.accept(checkpoint.as_ref())?;
        let fence = holder.above(held.as_ref().map_or(0, |row| row.fence))?;
        let raise = "INSERT INTO sinks (name, fence) VALUES (?1, ?2) \
            ON CONFLICT (name) DO UPDATE SET fence = excluded.fence";
        tx.execute(raise, params![sink, fence.0 as i64]).map_err(failed(&path, doing))?;
        pass("fence-raised", "the fence is raised in `sinks.db`, not committed");
        tx.commit().map_err(failed(&path, doing))?;
        pass("taken-over", "older instances are fenced out");
        let until = held.and_then(|row| row.sent_until(claim.end_offset));
        Ok(Opened { fence, checkpoint, until, keeps_parts: false })
    }

    /// Where requests that were sent from this checkpoint on have ended.
    pub(crate) fn cuts(
        &mut self,
        fence: Fence,
        base: Option<Checkpoint>,
        next: Checkpoint,
    ) -> Result<Vec<u64>, SinkError> {
        let (path, sink) = (self.path.clone(), self.sink.clone());
        let tx = self.begin("reading its checkpoint")?;
        Ok(checked(&tx, &path, &sink, fence, base, next)?.cuts)
    }

    /// Remembers where a request ends that is about to be sent; refuses one of an instance that has
    /// lost the sink.
    pub(crate) fn sends_until(
        &mut self,
        fence: Fence,
        base: Option<Checkpoint>,
        next: Checkpoint,
        end: Option<u64>,
    ) -> Result<(), SinkError> {
        let doing = "writing down what is sent";
        let (path, sink) = (self.path.clone(), self.sink.clone());
        let tx = self.begin(doing)?;
        let mut cuts = checked(&tx, &path, &sink, fence, base, next)?.cuts;
        let Some(end) = end.filter(|end| !cuts.contains(end)) else { return Ok(()) };
        cuts.push(end);
        let update = "UPDATE sinks SET cuts = ?2 WHERE name = ?1";
        tx.execute(update, params![sink, written(&cuts)]).map_err(failed(&path, doing))?;
        tx.commit().map_err(failed(&path, doing))?;
        pass("end-noted", "`sinks.db` says where the next request ends, which is not sent");
        Ok(())
    }

    /// Moves the checkpoint, and puts aside what the target has refused.
    pub(crate) fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let doing = "writing its checkpoint";
        let (path, sink) = (self.path.clone(), self.sink.clone());
        let tx = self.begin(doing)?;
        let mut cuts = checked(&tx, &path, &sink, fence, batch.base, batch.next)?.cuts;
        // A batch that was split is committed in the middle of what was sent. Offsets of an image,
        // of the log and of another log are not compared.
        let goes_on =
            |base: Checkpoint| base.journal == batch.next.journal && base.phase == batch.next.phase;
        let goes_on = batch.base.is_some_and(goes_on);
        cuts.retain(|cut| goes_on && *cut > batch.next.next_offset);
        let update = "UPDATE sinks SET checkpoint = ?2, committed_at = ?3, cuts = ?4 \
            WHERE name = ?1";
        let moved = params![sink, batch.next.to_string(), wall_now().0, written(&cuts)];
        tx.execute(update, moved).map_err(failed(&path, doing))?;
        for (parked, record) in batch.parked_entries() {
            let mut event = Vec::new();
            write_cloudevent(batch.journal(), parked.offset, record, &mut event);
            // What was written is JSON, and so is text.
            let event = String::from_utf8(event).unwrap_or_default();
            let journal = batch.journal().to_string();
            // Offsets come again for other events if a log is restored from a copy and adopted.
            let insert = "INSERT INTO dead_letters \
                (sink, journal, log_offset, why, parked_at, event) \
                SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM dead_letters \
                WHERE sink = ?1 AND journal = ?2 AND log_offset = ?3 AND event = ?6)";
            let letter =
                params![sink, journal, parked.offset as i64, parked.why, wall_now().0, event];
            tx.execute(insert, letter).map_err(failed(&path, doing))?;
        }
        pass("checkpoint-moved", "the checkpoint is moved in `sinks.db`, not committed");
        tx.commit().map_err(failed(&path, doing))?;
        pass("committed", "`sinks.db` has the checkpoint, and nobody was told");
        Ok(())
    }

    /// Locks the file for a moment. One that was taken away or replaced under it is missed: what
    /// is written into it then, nobody would find again.
    fn begin(&mut self, doing: &'static str) -> Result<Transaction<'_>, SinkError> {
        match file::identity(&self.path) {
            None => return Err(gone(&self.path)),
            found if found != self.identity => return Err(replaced(&self.path)),
            Some(_) => {}
        }
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        begun.map_err(failed(&self.path, doing))
    }
}

fn written(cuts: &[u64]) -> String {
    let cuts: Vec<String> = cuts.iter().map(u64::to_string).collect();
    cuts.join(" ")
}

fn read(tx: &Transaction<'_>, path: &Path, sink: &str) -> Result<Option<Row>, SinkError> {
    let query = "SELECT fence, checkpoint, cuts FROM sinks WHERE name = ?1";
    let row = tx.query_row(query, [sink], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
    });
    let row = row.optional().map_err(failed(path, "reading its checkpoint"))?;
    let Some((fence, checkpoint, cuts)) = row else { return Ok(None) };
    let checkpoint = checkpoint.as_deref().map(str::parse).transpose();
    let checkpoint = checkpoint.map_err(|_| fault::damaged(path, None))?;
    let cuts: Result<Vec<u64>, _> = cuts.split_whitespace().map(str::parse).collect();
    let cuts = cuts.map_err(|_| fault::damaged(path, None))?;
    Ok(Some(Row { fence: fence as u64, checkpoint, cuts }))
}

/// The row, if this instance has the sink and its checkpoint is where it was left.
fn checked(
    tx: &Transaction<'_>,
    path: &Path,
    sink: &str,
    fence: Fence,
    base: Option<Checkpoint>,
    next: Checkpoint,
) -> Result<Row, SinkError> {
    let row = read(tx, path, sink)?.ok_or_else(|| gone(path))?;
    if row.fence > fence.0 {
        return Err(SinkError::Fenced);
    }
    // A lower fence is taken for that of a file which was put back (see ARCHITECTURE.md).
    if row.checkpoint != base || row.fence < fence.0 {
        return Err(SinkError::Moved { found: row.checkpoint.unwrap_or(next) });
    }
    Ok(row)
}
