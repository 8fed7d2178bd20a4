//! When each event became durable, as another process sees it: the journal's reader is asked again
//! and again how far the log is synced.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use unbroken_core::record::{Body, Origin, Turn};
use unbroken_journal::Reader;

use crate::Failure;
use crate::process::{PATIENCE, wall_us};
use crate::vendor::FIRST_SEQUENCE;

/// How often the end is looked at where the exact time does not matter.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The log from outside.
#[derive(Debug)]
pub(crate) struct Watch {
    reader: Reader,
    /// The log's end when the contest began.
    from: u64,
    /// When the log's end was first seen beyond an offset.
    seen: Vec<(u64, u64)>,
}

impl Watch {
    /// Waits until the stream is Live.
    pub(crate) fn begin(journal: &Path) -> Result<Self, Failure> {
        let began = Instant::now();
        loop {
            if let Ok(reader) = Reader::open(journal)
                && is_live(&reader).unwrap_or(false)
            {
                let from = reader.end_offset()?;
                return Ok(Self { reader, from, seen: Vec::new() });
            }
            if began.elapsed() > PATIENCE {
                return Err("the stream does not become Live".into());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Watches until so many events are durable; gives the time of the last. `closely`: without a
    /// pause, for the times in between.
    pub(crate) fn until_durable(&mut self, events: usize, closely: bool) -> Result<u64, Failure> {
        let began = Instant::now();
        let (mut end, mut wanted) = (self.from, self.from + events as u64);
        loop {
            let now = self.reader.end_offset()?;
            if now > end {
                end = now;
                self.seen.push((end, wall_us()));
            }
            if end >= wanted {
                // There may be other records among the events.
                let missing = events.saturating_sub(self.events()?.len());
                match self.seen.last() {
                    Some((_, at)) if missing == 0 => return Ok(*at),
                    _ => wanted = end + missing as u64,
                }
            }
            if began.elapsed() > PATIENCE {
                return Err("the events do not become durable".into());
            }
            if closely {
                thread::yield_now();
            } else {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// The events by sequence, with their offsets. None may be there twice.
    fn events(&self) -> Result<BTreeMap<u64, u64>, Failure> {
        let mut events = BTreeMap::new();
        for batch in self.reader.batches(self.from)? {
            for (offset, record) in batch?.entries() {
                if let Body::Change(change) = &record.body
                    && matches!(change.origin, Origin::Live | Origin::Replay)
                {
                    let position = change.position.ok_or("an event without a position")?;
                    if events.insert(position.sequence, offset).is_some() {
                        return Err(format!("event {} is in the log twice", position).into());
                    }
                }
            }
        }
        Ok(events)
    }

    /// Checks that the log holds exactly these events, and gives when each was durable.
    pub(crate) fn check(&self, events: usize) -> Result<Vec<u64>, Failure> {
        let found = self.events()?;
        let wanted = FIRST_SEQUENCE + 1..=FIRST_SEQUENCE + events as u64;
        if !found.keys().copied().eq(wanted) {
            return Err(format!("the log holds {} events, not {events}", found.len()).into());
        }
        let mut seen = self.seen.iter();
        let mut at = seen.next();
        let mut durable = Vec::with_capacity(events);
        for offset in found.values() {
            while at.is_some_and(|(end, _)| end <= offset) {
                at = seen.next();
            }
            durable.push(at.ok_or("an event was never seen durable")?.1);
        }
        Ok(durable)
    }
}

fn is_live(reader: &Reader) -> Result<bool, Failure> {
    for batch in reader.batches(reader.oldest_offset()?)? {
        let live = batch?.records.iter().any(
            |record| matches!(&record.body, Body::Connection(turn) if turn.turn == Turn::Live),
        );
        if live {
            return Ok(true);
        }
    }
    Ok(false)
}
