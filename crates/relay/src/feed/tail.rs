//! One client's reading: replay, then tail, in one loop.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use unbroken_render::Filter;

use super::chunk::{Chunk, Entry};
use super::interest::TailId;
use super::reading::Reading;
use super::replay::{self, Piece};
use super::shared::Look;
use super::{Feed, FeedError};

/// See the module. Dropping it ends the reading.
#[derive(Debug)]
pub struct Tail {
    feed: Feed,
    id: TailId,
    notify: Arc<Notify>,
    position: u64,
    filter: Filter,
    replay: Option<Reading>,
    /// A piece of the log is being read, from this offset on. Who does not wait for it any more and
    /// asks again later gets it then: nobody is kept from going on by being busy with other things.
    under_way: Option<(u64, JoinHandle<Piece>)>,
}

/// Neighbouring records that passed the filter: at least one.
#[derive(Debug)]
pub struct Run {
    records: Records,
    /// A reader of this run has everything below this offset that passes its filter.
    pub end_offset: u64,
}

#[derive(Debug)]
enum Records {
    Whole(Arc<Chunk>),
    /// Some of a chunk's entries.
    Chosen(Arc<Chunk>, Vec<usize>),
    Boxed(Vec<Arc<Entry>>),
}

impl Run {
    /// The records, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        (0..self.count()).filter_map(|index| match &self.records {
            Records::Whole(chunk) => chunk.entries().get(index),
            Records::Chosen(chunk, chosen) => chunk.entries().get(*chosen.get(index)?),
            Records::Boxed(entries) => entries.get(index).map(Arc::as_ref),
        })
    }

    /// How many records.
    pub fn count(&self) -> usize {
        match &self.records {
            Records::Whole(chunk) => chunk.entries().len(),
            Records::Chosen(_, chosen) => chosen.len(),
            Records::Boxed(entries) => entries.len(),
        }
    }

    /// The chunk, if all of it is meant: its rendering can be shared.
    pub(crate) fn whole(&self) -> Option<&Chunk> {
        match &self.records {
            Records::Whole(chunk) => Some(chunk),
            Records::Chosen(..) | Records::Boxed(_) => None,
        }
    }

    fn whole_of(chunk: Arc<Chunk>) -> Option<Self> {
        let end_offset = chunk.end_offset;
        let is_empty = chunk.entries().is_empty();
        (!is_empty).then(|| Self { records: Records::Whole(chunk), end_offset })
    }
}

impl Tail {
    pub(super) fn new(
        feed: Feed,
        id: TailId,
        notify: Arc<Notify>,
        position: u64,
        filter: Filter,
    ) -> Self {
        Self { feed, id, notify, position, filter, replay: None, under_way: None }
    }

    /// Everything below that passes the filter has been given.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for the next records that pass. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Why there will be none.
    pub async fn next(&mut self) -> Result<Run, FeedError> {
        loop {
            let run = match self.look()? {
                Seen::UnderWay(from) => self.replay(from).await?,
                Seen::Run(run) => run,
                Seen::Older(from) => self.replay(from).await?,
                Seen::Nothing => {
                    self.replay = None;
                    self.notify.notified().await;
                    None
                }
            };
            if let Some(run) = run {
                return Ok(run);
            }
        }
    }

    /// The next records that pass, without waiting for what is not in the log yet; `None`:
    /// everything below `end`, which is not beyond the log's end, has been looked at.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn next_below(&mut self, end: u64) -> Result<Option<Run>, FeedError> {
        while self.position < end {
            let run = match self.look()? {
                Seen::UnderWay(from) => self.replay(from).await?,
                Seen::Run(run) => run,
                Seen::Older(from) => self.replay(from).await?,
                // The ring need not have come so far.
                Seen::Nothing if self.position < end => self.replay(self.position).await?,
                Seen::Nothing => None,
            };
            if run.is_some() {
                return Ok(run);
            }
        }
        Ok(None)
    }

    fn look(&mut self) -> Result<Seen, FeedError> {
        if let Some((from, _)) = &self.under_way {
            return Ok(Seen::UnderWay(*from));
        }
        match self.feed.0.look(self.id, self.position) {
            Look::Stopped => Err(FeedError::Stopped),
            Look::Boxed(entries, end) => Ok(Seen::Run(self.pass_boxed(entries, end))),
            Look::Chunk(chunk) => Ok(Seen::Run(self.pass(chunk))),
            Look::Older(from) => Ok(Seen::Older(from)),
            Look::Nothing(at) => {
                self.position = at;
                Ok(Seen::Nothing)
            }
        }
    }

    async fn replay(&mut self, from: u64) -> Result<Option<Run>, FeedError> {
        let (from, reading) = match &mut self.under_way {
            Some((from, reading)) => (*from, reading),
            none => {
                let (feed, filter) = (self.feed.clone(), self.filter.clone());
                let reading = replay::read(feed, self.replay.take(), from, filter);
                let (_, reading) = none.insert((from, tokio::spawn(reading)));
                (from, reading)
            }
        };
        let piece = reading.await;
        self.under_way = None;
        let (reading, chunk) = piece.map_err(|_| FeedError::Stopped)??;
        self.position = from;
        self.replay = Some(reading);
        let Some(chunk) = chunk else { return Ok(None) };
        self.position = chunk.end_offset;
        Ok(Run::whole_of(Arc::new(chunk)))
    }

    /// What of a box is wanted.
    fn pass_boxed(&mut self, mut entries: Vec<Arc<Entry>>, end: u64) -> Option<Run> {
        let (position, filter) = (self.position, &self.filter);
        entries.retain(|entry| entry.offset >= position && filter.accepts(&entry.record));
        self.position = position.max(end);
        let run = Run { records: Records::Boxed(entries), end_offset: self.position };
        (run.count() > 0).then_some(run)
    }

    /// What of a chunk of the ring is wanted.
    fn pass(&mut self, chunk: Arc<Chunk>) -> Option<Run> {
        let begin = chunk.entries().partition_point(|entry| entry.offset < self.position);
        let end_offset = chunk.end_offset;
        self.position = end_offset;
        if begin == 0 && self.filter.is_open() {
            return Run::whole_of(chunk);
        }
        let rest = chunk.entries().iter().enumerate().skip(begin);
        let passing = rest.filter(|(_, entry)| self.filter.accepts(&entry.record));
        let chosen: Vec<usize> = passing.map(|(at, _)| at).collect();
        let run = Run { records: Records::Chosen(chunk, chosen), end_offset };
        (run.count() > 0).then_some(run)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.feed.0.leave(self.id);
    }
}

/// What a look has shown.
enum Seen {
    /// A piece is being read already, from here on.
    UnderWay(u64),
    /// A chunk, with what of it passes.
    Run(Option<Run>),
    /// It has to be read from the log, from here on.
    Older(u64),
    /// Nothing yet.
    Nothing,
}
