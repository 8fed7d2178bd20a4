//! A sink that is open: what is in its place, and how a batch gets there.

use std::collections::BTreeMap;

use bytes::Bytes;
use unbroken_render::wall_now;

use super::names::{day, file, range_of, stem};
use super::place::{Held, Place, Put, Swapped, Version};
use super::state::{Begun, State};
use crate::blocking::blocking;
use crate::crash::pass;
use crate::holder::Holder;
use crate::table::{ParquetRows, Row};
use crate::{Batch, Checkpoint, Claim, Fence, Opened, Phase, SinkError};

/// See the module.
#[derive(Debug)]
pub(super) struct Keeper<P> {
    place: P,
    state: State,
    version: Version,
    /// Everything before it is there.
    reached: Option<Checkpoint>,
}

impl<P: Place> Keeper<P> {
    pub(super) async fn open(
        place: P,
        name: &str,
        claim: &Claim,
        holder: Holder,
    ) -> Result<(Self, Opened), SinkError> {
        let mut held = place.read().await?;
        if held.is_none() && !place.days().await?.is_empty() {
            // Another instance may have begun it between the two looks. Files without their
            // checkpoint are somebody's record: what of them was committed nobody knows.
            held = Some(place.read().await?.ok_or_else(no_checkpoint)?);
        }
        let mut state = match &held {
            Some(held) => State::parse(&held.text)?,
            None => State::new(name),
        };
        if state.sink != name {
            let what = format!("its place is that of the sink `{}`", state.sink);
            return Err(SinkError::blocked(what, "give each sink a place of its own"));
        }
        let (mut reached, mut until) = (state.checkpoint()?, state.next()?);
        claim.accept(reached.as_ref())?;
        claim.accept(until.as_ref())?;
        // What was begun cannot be gone on with by a log that does not reach so far.
        let is_given_up = until.as_ref().is_some_and(|until| claim.fault(until).is_some());
        if is_given_up || are_there(&place, state.begun.as_ref()).await? {
            reached = until.take().or(reached);
            state.begun = None;
        }
        beyond(&place, &state, reached).await?;
        state.checkpoint = reached.map(|reached| reached.to_string());
        let version = raise(&place, holder, &mut state, held.map(|held| held.version)).await?;
        let fence = Fence(state.fence);
        let until = until.filter(|until| reached.is_some_and(|at| follows(at, *until)));
        let keeper = Self { place, state, version, reached };
        Ok((keeper, Opened { fence, checkpoint: reached, until, keeps_parts: true }))
    }

    pub(super) async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        if fence.0 != self.state.fence {
            return Err(SinkError::Fenced);
        }
        if batch.base != self.reached {
            return Err(SinkError::Moved { found: self.reached.unwrap_or(batch.next) });
        }
        let mut state = self.state.clone();
        if begins_anew(batch) {
            (state.log, state.begun) = (state.log + 1, None);
        }
        if batch.lapse.is_none() && state.begun.as_ref().is_some_and(|begun| !begun.fits(batch)) {
            return Err(is_begun());
        }
        let (log, of) = (state.log, batch.clone());
        let files = blocking(move || files(log, &of)).await?;
        state.checkpoint = batch.base.map(|base| base.to_string());
        let is_redone = state.begun.take().is_some();
        if files.is_empty() {
            state.checkpoint = Some(batch.next.to_string());
        } else {
            let next = batch.next.to_string();
            let begun = Begun { next, files: files.keys().cloned().collect() };
            let day = |name: &String| name.split_once('/').map(|(day, _)| day.to_owned());
            state.since_day = begun.files.iter().filter_map(day).min();
            state.begun = Some(begun);
        }
        self.swap(state, batch).await?;
        pass("checkpoint-replaced", "the checkpoint names the files that are to follow");
        for (name, bytes) in files {
            self.put(&name, bytes, is_redone).await?;
            pass("file-put", "one more of a batch's files is there, durably");
        }
        (self.reached, self.state.begun) = (Some(batch.next), None);
        Ok(())
    }

    async fn swap(&mut self, state: State, batch: &Batch) -> Result<(), SinkError> {
        let text = state.text()?;
        let version = match self.place.swap(Some(&self.version), text.clone()).await? {
            Swapped::Done(version) => version,
            // An answer may have been lost, and it was asked again: then it is our own.
            Swapped::Lost => match self.place.read().await? {
                Some(held) if held.text == text => held.version,
                held => return Err(taken(held, state.fence, batch)),
            },
        };
        (self.state, self.version) = (state, version);
        Ok(())
    }

    /// Where a batch is written again, which was begun by this instance or one before it, of this
    /// version of the program or another one, what is there holds the same records.
    async fn put(&self, name: &str, bytes: Bytes, is_redone: bool) -> Result<(), SinkError> {
        if self.place.put(name, bytes.clone()).await? == Put::Done {
            return Ok(());
        }
        match self.place.get(name).await? {
            // An answer may have been lost, as above.
            Some(there) if is_redone || there == bytes => Ok(()),
            Some(_) => Err(SinkError::blocked(
                format!("{name} is there already, and holds something else"),
                "look who else writes there; move the file away, and the sink goes on",
            )),
            // Somebody is about to write it, who may yet fail.
            None => Err(SinkError::unreachable("writing a file")("it is being written")),
        }
    }
}

fn is_begun() -> SinkError {
    let what = "another batch was begun, and this one does not end where that one does";
    SinkError::blocked(what, "restart the service, and report it: it is a defect of this program")
}

/// Who has replaced the checkpoint.
fn taken(held: Option<Held>, fence: u64, batch: &Batch) -> SinkError {
    let state = match held.as_ref().map(|held| State::parse(&held.text)) {
        Some(Ok(state)) => state,
        Some(Err(error)) => return error,
        None => return no_checkpoint(),
    };
    if state.fence > fence {
        return SinkError::Fenced;
    }
    match state.checkpoint() {
        Ok(found) => SinkError::Moved { found: found.unwrap_or(batch.next) },
        Err(error) => error,
    }
}

fn no_checkpoint() -> SinkError {
    let what = "there are files of a sink, and no checkpoint.json";
    SinkError::blocked(what, "restore it, or name another place: the sink then begins anew")
}

/// Takes the sink, and tries whether the place keeps to both conditions: everything rests on them,
/// and not every store that takes conditions keeps to them.
async fn raise(
    place: &impl Place,
    holder: Holder,
    state: &mut State,
    held: Option<Version>,
) -> Result<Version, SinkError> {
    let Some(held) = held else {
        let first = replace(place, holder, state, None).await?;
        return Box::pin(raise(place, holder, state, Some(first))).await;
    };
    let raised = replace(place, holder, state, Some(&held)).await?;
    for stale in [None, Some(&held)] {
        if let Swapped::Done(_) = place.swap(stale, state.text()?).await? {
            return Err(keeps_no_conditions());
        }
    }
    Ok(raised)
}

async fn replace(
    place: &impl Place,
    holder: Holder,
    state: &mut State,
    held: Option<&Version>,
) -> Result<Version, SinkError> {
    state.fence = holder.above(state.fence)?.0;
    match place.swap(held, state.text()?).await? {
        Swapped::Done(raised) => {
            pass("fence-raised", "older instances are fenced out");
            Ok(raised)
        }
        Swapped::Lost => {
            let why = "another instance opens it at the same time";
            Err(SinkError::unreachable("opening it")(why))
        }
    }
}

fn keeps_no_conditions() -> SinkError {
    let what = "object store replaces files whatever condition is given (If-Match, If-None-Match)";
    SinkError::blocked(
        what,
        "use a store that knows them: without them a record may be there twice",
    )
}

async fn are_there(place: &impl Place, begun: Option<&Begun>) -> Result<bool, SinkError> {
    for name in begun.into_iter().flat_map(|begun| &begun.files) {
        if !place.holds(name).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where somebody has put back an older checkpoint, files of records would be written that are in
/// others already.
async fn beyond(
    place: &impl Place,
    state: &State,
    reached: Option<Checkpoint>,
) -> Result<(), SinkError> {
    let (Some(reached), Some(since_day)) = (reached, &state.since_day) else { return Ok(()) };
    let begun = state.begun.as_ref().map(|begun| begun.files.as_slice()).unwrap_or_default();
    for day in place.days().await?.into_iter().filter(|day| day >= since_day) {
        for name in place.files(&day).await? {
            let path = format!("{day}/{name}");
            let is_beyond = range_of(&name).is_some_and(|(log, end)| {
                log > state.log || (log == state.log && end > reached.needed_from())
            });
            if is_beyond && !begun.contains(&path) {
                let what = format!("{path} lies beyond the checkpoint, {reached}, which was moved");
                let todo = "restore the checkpoint; or move away the files from there on";
                return Err(SinkError::blocked(what, todo));
            }
        }
    }
    Ok(())
}

/// Whether a batch from one can end at the other, as the log stands. That of a lapse is made anew,
/// and what is lost looked at again: but never less, since some of it may be there.
fn follows(at: Checkpoint, until: Checkpoint) -> bool {
    match (at.phase, until.phase) {
        (Phase::Log, Phase::Log) => until.next_offset > at.next_offset,
        (Phase::Image { .. }, Phase::Log) => true,
        (Phase::Image { until: a }, Phase::Image { until: b }) => {
            b > a || (a == b && until.next_offset > at.next_offset)
        }
        (Phase::Log, Phase::Image { until }) => until > at.next_offset,
    }
}

/// Another log, or this one from an earlier place: what is named by offset from here on is not what
/// was named so before.
fn begins_anew(batch: &Batch) -> bool {
    batch.base.is_none_or(|base| {
        base.journal != batch.next.journal || batch.next.needed_from() < base.needed_from()
    })
}

/// The files of a batch, one for each day, by name.
fn files(log: u32, batch: &Batch) -> Result<BTreeMap<String, Bytes>, SinkError> {
    let failed = SinkError::unreachable("making its files");
    let stem = stem(log, batch);
    let mut days: BTreeMap<String, ParquetRows<Vec<u8>>> = BTreeMap::new();
    let written = rows(batch, |row| {
        let day = day(row.received_at);
        if let Some(rows) = days.get_mut(&day) {
            return rows.push(row);
        }
        let mut rows = ParquetRows::new(Vec::new())?;
        rows.push(row)?;
        days.insert(day, rows);
        Ok(())
    });
    let finished = written.and_then(|()| {
        let files = days.into_iter();
        files.map(|(day, rows)| Ok((file(&day, &stem), Bytes::from(rows.finish()?)))).collect()
    });
    finished.map_err(failed)
}

fn rows<E>(batch: &Batch, mut take: impl FnMut(&Row<'_>) -> Result<(), E>) -> Result<(), E> {
    let journal = batch.journal();
    if let Some(lapse) = &batch.lapse {
        take(&Row::of_lapse(journal, lapse, wall_now()))?;
    }
    for (offset, record) in batch.entries() {
        take(&Row::of(journal, offset, record))?;
    }
    for (stream, gap) in &batch.open_gaps {
        take(&Row::of_open_gap(journal, batch.next.next_offset, stream, gap))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use unbroken_journal::JournalId;

    use super::follows;
    use crate::{Checkpoint, Phase};

    #[test]
    fn what_was_begun_is_gone_on_with_only_forwards() {
        let log = |at| Checkpoint::in_log(JournalId::from_bytes([1; 16]), at);
        let image = |until, next_offset| Checkpoint {
            next_offset,
            phase: Phase::Image { until },
            ..log(0)
        };
        for (at, until, is_so) in [
            (log(5), log(6), true),
            (log(5), log(5), false),
            (image(9, 3), log(9), true),
            (image(9, 3), image(9, 4), true),
            (image(9, 3), image(9, 3), false),
            // Of a lapse: what it has told as lost is not given any more.
            (log(5), image(9, 0), true),
            (image(9, 3), image(20, 0), true),
            (log(5), image(5, 0), false),
            (image(9, 3), image(8, 4), false),
        ] {
            assert_eq!(follows(at, until), is_so, "{at} {until}");
        }
    }
}
