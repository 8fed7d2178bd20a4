//! A sink that is open.

use unbroken_core::ids::Key;
use unbroken_render::{cloudevent, wall_now};

use super::access::Access;
use super::fault::BATCH;
use super::file::{INCOMING, Incoming, incoming, kept_as};
use super::limits::look;
use super::link::Connection;
use super::literal::{text, time};
use super::names::stem;
use super::schema::{self, Held, OPENING};
use super::stage::Stage;
use super::stream;
use super::write::Tables;
use super::{RedshiftConfig, parsed};
use crate::crash::pass;
use crate::holder::Holder;
use crate::sql::{GapLine, Plan, Streams, begins_anew, given_again, is_state, signed};
use crate::{Batch, Claim, Fence, Opened, Phase, SinkError};

/// A connection, the objects, and what was read of the schema.
pub(super) struct Session {
    to: Connection,
    stage: Stage,
    access: Access,
    streams: Streams,
    /// The number of the log; 0: there is none yet.
    log: i16,
    /// Behind the last row of this log that was there when it was opened: behind the checkpoint,
    /// where somebody has set that back.
    rows_end: u64,
    /// Batches that were given to it.
    batches: u64,
}

impl Session {
    pub(super) async fn open(
        to: Connection,
        config: &RedshiftConfig,
        options: Vec<(String, String)>,
        claim: &Claim,
        holder: Holder,
    ) -> Result<(Self, Opened), SinkError> {
        let access = Access::of(config.role.as_deref(), &options)?;
        schema::enter(&to, &config.schema).await?;
        schema::ready(&to, config).await?;
        let folder = schema::folder(&to).await?;
        let mut stage = Stage::new(&config.stage, &folder, options, config.ca.as_deref())?;
        // Who cannot list the objects takes the sink from nobody, and holds nobody up.
        let found = stage.list().await?;
        let held = schema::lock(&to, OPENING).await?;
        if held.sink != config.name {
            let what = format!("schema `{}` is that of the sink `{}`", config.schema, held.sink);
            return Err(SinkError::blocked(what, "give each sink a schema of its own"));
        }
        let checkpoint = parsed(held.checkpoint.as_deref())?;
        claim.accept(checkpoint.as_ref())?;
        let fence = holder.above(held.fence)?;
        // Somebody may have written it in another form.
        let value = checkpoint.map_or_else(|| "NULL".to_owned(), |it| text(&it.to_string()));
        let raise = format!("UPDATE checkpoint SET fence = {}, checkpoint = {value}", fence.0);
        to.run(OPENING, [raise]).await?;
        pass("fence-raised", "the fence is raised, not committed");
        let rows = to.rows(OPENING, stream::LOAD).await?;
        let streams = stream::loaded(&rows).ok_or_else(no_streams)?;
        let log = held.log.unwrap_or_default();
        let rows_end = schema::rows_end(&to, log).await?;
        if let Some(held) = checkpoint.filter(|held| held.phase == Phase::Log) {
            // Where somebody has set the checkpoint back, items of brackets come again.
            let from = signed(held.next_offset);
            let unstage = format!("DELETE FROM staged WHERE log = {log} AND log_offset >= {from}");
            to.run(OPENING, [unstage]).await?;
        }
        to.run(OPENING, ["COMMIT"]).await?;
        pass("taken-over", "older instances are fenced out");
        stage.inherit(found, fence);
        let session = Self { to, stage, access, streams, log, rows_end, batches: 0 };
        Ok((session, Opened { fence, checkpoint, until: None, keeps_parts: false }))
    }

    /// Puts the batch where COPY finds it, and then everything into the tables, in one transaction.
    /// After an error that is no refusal it is of no use any more.
    pub(super) async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        look(batch)?;
        self.batches += 1;
        let plan = Plan::of(batch.entries());
        let making = incoming(batch, &plan, |name| self.stage.kept_url(name));
        let made = making.map_err(SinkError::unreachable("making its file"))?;
        let loading = match made {
            Some(made) => Some(self.put(fence, batch, made).await?),
            None => None,
        };
        let letters = self.keep_letters(batch).await?;
        let tried = self.transact(fence, batch, &plan, loading, letters).await;
        if let Err(SinkError::Refused { .. }) = &tried {
            self.to.run(BATCH, ["ROLLBACK"]).await?;
        }
        tried
    }

    /// Deletes what is not needed any more.
    pub(super) async fn tend(&mut self) -> Result<(), SinkError> {
        self.stage.clear().await
    }

    async fn put(
        &mut self,
        fence: Fence,
        batch: &Batch,
        made: Incoming,
    ) -> Result<Loading, SinkError> {
        for (name, event) in made.kept {
            self.stage.keep(&name, event).await?;
        }
        let Incoming { rows, first, last, bytes, .. } = made;
        let manifest = self.stage.put(&stem(fence, batch, self.batches), bytes).await?;
        Ok(Loading { manifest, expected: [rows, first, last] })
    }

    async fn keep_letters(&self, batch: &Batch) -> Result<Vec<(u64, String, String)>, SinkError> {
        let mut letters = Vec::new();
        for (parked, record) in batch.parked_entries() {
            let event = cloudevent(batch.journal(), parked.offset, record);
            let (name, event) = kept_as(batch.journal(), parked.offset, event);
            self.stage.keep(&name, event).await?;
            letters.push((parked.offset, parked.why.clone(), self.stage.kept_url(&name)));
        }
        Ok(letters)
    }

    async fn transact(
        &mut self,
        fence: Fence,
        batch: &Batch,
        plan: &Plan<'_>,
        loading: Option<Loading>,
        letters: Vec<(u64, String, String)>,
    ) -> Result<(), SinkError> {
        check(&schema::lock(&self.to, BATCH).await?, fence, batch)?;
        pass("lock-taken", "a transaction is open, has the lock, and is empty");
        let to = &self.to;
        let mut streams = self.streams.clone();
        let (mut log, mut rows_end) = (self.log, self.rows_end);
        if begins_anew(batch) {
            rows_end = 0;
            log = schema::begin_log(to, BATCH, &batch.journal().to_string()).await?;
            streams = Streams::default();
        }
        if let Some(lapse) = &batch.lapse {
            let range = [lapse.from_offset, lapse.to_offset].map(signed);
            to.run(BATCH, schema::lapse(log, range)).await?;
            streams = Streams::default();
        }
        let may_be_there =
            batch.base.is_some_and(|base| base.phase != Phase::Log || base.next_offset < rows_end);
        let tables = Tables { log, may_be_there };
        if let Some(loading) = loading {
            self.load(&loading).await?;
            pass("rows-loaded", "the file is loaded beside the tables, not committed");
            to.run(BATCH, tables.rows(plan)).await?;
            pass("rows-merged", "its rows are in the tables, not committed");
            to.run(BATCH, ["DROP TABLE incoming"]).await?;
        }
        let told = plan.gaps.iter().map(|(stream, line)| (*stream, *line));
        let open = batch.open_gaps.iter().map(|(stream, gap)| (stream, GapLine::Opened(gap)));
        to.run(BATCH, tables.gaps(told.chain(open))).await?;
        batch.stale.iter().for_each(|(stream, stale)| streams.doubt(stream, *stale));
        batch.entries().for_each(|(offset, record)| streams.take(offset, record));
        to.run(BATCH, stream::saved(&mut streams)).await?;
        let letters = letters.iter().map(|(at, why, url)| (*at, why.as_str(), url.clone()));
        if let Some(again) = given_again(batch, rows_end) {
            to.run(BATCH, [tables.forget_letters(again)]).await?;
        }
        to.run(BATCH, tables.letters(letters, wall_now())).await?;
        to.run(BATCH, doubts(tables, batch)).await?;
        let before = || format!("COALESCE(as_of, {})", time(wall_now()));
        let moved = format!(
            "UPDATE checkpoint SET checkpoint = {}, log = {log}, as_of = {}",
            text(&batch.next.to_string()),
            batch.as_of.map_or_else(before, time)
        );
        to.run(BATCH, [moved]).await?;
        pass("checkpoint-moved", "the checkpoint is moved, too, not committed");
        to.run(BATCH, ["COMMIT"]).await?;
        pass("committed", "the batch is committed, and nobody was told");
        (self.streams, self.log, self.rows_end) = (streams, log, rows_end);
        Ok(())
    }

    /// Loads the file, and looks whether all of it came.
    async fn load(&self, loading: &Loading) -> Result<(), SinkError> {
        let copy = format!(
            "COPY incoming FROM {} {} FORMAT AS PARQUET MANIFEST",
            text(&loading.manifest),
            self.access
        );
        self.to.run(BATCH, [INCOMING, &copy]).await?;
        let count = "SELECT COUNT(*) AS count, MIN(log_offset) AS first, \
            MAX(log_offset) AS last FROM incoming";
        let rows = self.to.rows(BATCH, count).await?;
        let told = |column| rows.first().and_then(|row| row.get(column)?.parse::<i64>().ok());
        let found = ["count", "first", "last"].map(told);
        if found == loading.expected.map(|expected| Some(signed(expected))) {
            return Ok(());
        }
        let why = "COPY has loaded other rows than the file has";
        Err(SinkError::unreachable(BATCH)(why))
    }
}

/// A file on its way.
struct Loading {
    /// The URL of its manifest.
    manifest: String,
    /// How many rows it has, and their first and last offset.
    expected: [u64; 3],
}

/// Whether the sink is this instance's still, and where it was left.
fn check(held: &Held, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
    if held.fence > fence.0 {
        return Err(SinkError::Fenced);
    }
    let found = parsed(held.checkpoint.as_deref())?;
    match held.fence == fence.0 && found == batch.base {
        true => Ok(()),
        false => Err(SinkError::Moved { found: found.unwrap_or(batch.next) }),
    }
}

/// A key of which the last write is among the dead letters. A name that is no text here has no row.
fn doubts(tables: Tables, batch: &Batch) -> Vec<String> {
    let keys = batch.parked_entries().filter_map(|(parked, record)| {
        let key: &Key = record.body.key().filter(|_| is_state(record))?;
        let is_text = !key.as_str().contains('\0') && !record.stream.as_str().contains('\0');
        is_text.then(|| tables.doubt(record, key, parked.offset))
    });
    keys.collect()
}

fn no_streams() -> SinkError {
    let what = "a row of table `streams` is damaged";
    SinkError::blocked(what, "restore it, or drop the schema: the sink then begins anew")
}
