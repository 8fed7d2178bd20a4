//! Batch after batch, over segment borders, each checked against the one before it.

use crate::JournalError;
use crate::local::batch::{Fault, Raw};
use crate::local::home::Home;
use crate::local::place::Place;
use crate::local::segment::Segment;

/// Whether the hashes of the batches are compared too. Readers need not: checksum, number and
/// offset find damage; the hashes find a forged or exchanged log, which opening and `verify` do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Checksums,
    Hashes,
}

#[derive(Debug)]
pub(crate) struct Chain {
    home: Home,
    pub(crate) segment: Segment,
    /// Where the next batch is expected.
    pub(crate) place: Place,
    trust: Trust,
}

#[derive(Debug)]
pub(crate) enum Step {
    /// A batch that fits, and where it begins.
    Batch(Raw, u64),
    /// There is none at `place`, and no segment follows.
    End(Fault),
}

impl Chain {
    /// From a place that is known to be one: an image's, the beginning of a segment, or one that
    /// this process has written.
    pub(crate) fn at(home: &Home, place: Place, trust: Trust) -> Result<Self, JournalError> {
        let segment = Segment::open(home, place.segment)?;
        Ok(Self { home: home.clone(), segment, place, trust })
    }

    /// The same; `None`: its segment is not there.
    pub(crate) fn at_existing(
        home: &Home,
        place: Place,
        trust: Trust,
    ) -> Result<Option<Self>, JournalError> {
        let segment = Segment::open_existing(home, place.segment)?;
        Ok(segment.map(|segment| Self { home: home.clone(), segment, place, trust }))
    }

    /// The next batch below `end`; without an `end`, below the end of the file.
    pub(crate) fn step(&mut self, end: Option<&Place>) -> Result<Step, JournalError> {
        loop {
            if end.is_some_and(|end| self.place.number >= end.number) {
                return Ok(Step::End(Fault::Nothing));
            }
            // Its reader has gone on without the files.
            if self.segment.header.id != self.place.segment && self.reopen()? {
                continue;
            }
            let limit = match end {
                Some(end) if end.segment == self.place.segment => end.position,
                _ => self.segment.len()?,
            };
            match self.segment.batch_at(self.place.position, limit)? {
                Ok(raw) => return self.follow(raw),
                Err(fault) => {
                    if !self.enter_next_segment(fault)? {
                        return Ok(Step::End(fault));
                    }
                }
            }
        }
    }

    /// That the batch before `place` is the one that `place` says, which proves that the log
    /// reaches it.
    pub(crate) fn check_anchor(&mut self) -> Result<bool, JournalError> {
        let place = self.place;
        if place.newest == 0 {
            return Ok(self.segment.header.start() == place);
        }
        Ok(match self.segment.batch_at(place.newest, place.position)? {
            Ok(raw) => {
                place.newest + raw.len() as u64 == place.position
                    && raw.header.number.checked_add(1) == Some(place.number)
                    && raw.header.end_offset() == place.offset
                    && raw.hash() == place.hash
            }
            Err(_) => false,
        })
    }

    fn follow(&mut self, raw: Raw) -> Result<Step, JournalError> {
        let (place, header) = (self.place, raw.header);
        let fault = if header.segment != place.segment {
            Some(format!("batch of segment {}", header.segment))
        } else if header.number != place.number {
            Some(format!("batch {} where batch {} belongs", header.number, place.number))
        } else if header.first_offset != place.offset {
            Some(format!("batch begins at offset {}", header.first_offset))
        } else if self.trust == Trust::Hashes && header.previous != place.hash {
            Some("batch does not follow the one before it".to_owned())
        } else {
            None
        };
        if let Some(what) = fault {
            return Err(self.segment.corrupt(place.position, place.offset, what));
        }
        self.place = Place {
            segment: place.segment,
            position: place.position + raw.len() as u64,
            newest: place.position,
            number: place.number + 1,
            offset: header.end_offset(),
            hash: if self.trust == Trust::Hashes { raw.hash() } else { place.hash },
        };
        Ok(Step::Batch(raw, place.position))
    }

    /// Goes on behind a batch that was read without the files. The segment that is left is closed:
    /// retention may have deleted it, and it would stay on the disk for as long as it is open.
    pub(crate) fn skip_to(&mut self, place: Place) -> Result<(), JournalError> {
        self.place = Place { hash: self.place.hash, ..place };
        if self.segment.header.id != place.segment
            && let Some(segment) = Segment::open_existing(&self.home, place.segment)?
        {
            self.segment = segment;
        }
        Ok(())
    }

    /// Opens the segment of `place`; true: it has been deleted, and since its reader was at its
    /// very end, the next one is entered.
    fn reopen(&mut self) -> Result<bool, JournalError> {
        match Segment::open_existing(&self.home, self.place.segment)? {
            Some(segment) => self.segment = segment,
            None if self.enter_next_segment(Fault::Nothing)? => return Ok(true),
            None => self.segment = Segment::open(&self.home, self.place.segment)?,
        }
        Ok(false)
    }

    fn enter_next_segment(&mut self, fault: Fault) -> Result<bool, JournalError> {
        let Some(next) = Segment::open_existing(&self.home, self.place.segment + 1)? else {
            return Ok(false);
        };
        let start = next.header.start();
        let fits = start.number == self.place.number
            && start.offset == self.place.offset
            && (self.trust == Trust::Checksums || start.hash == self.place.hash);
        if !fits {
            let what = format!(
                "{}; the next segment begins with batch {}",
                fault.describe(),
                start.number
            );
            return Err(self.segment.corrupt(self.place.position, self.place.offset, what));
        }
        self.place = Place { hash: self.place.hash, ..start };
        self.segment = next;
        Ok(true)
    }
}
