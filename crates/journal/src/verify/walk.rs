//! From the first segment to the last, going on behind whatever is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use unbroken_core::fold::Fold;

use crate::JournalError;
use crate::disk::{Disk, RealDisk};
use crate::local::batch::{Batch, Fault, Raw};
use crate::local::home::{Home, Listing, image_name, segment_name};
use crate::local::image::{self, Image};
use crate::local::place::Place;
use crate::local::segment::Segment;
use crate::local::state::apply_batch;
use crate::local::{nameplate, published, tail};
use crate::verify::events::Events;
use crate::verify::intervals::Intervals;
use crate::verify::{Finding, FindingKind, OpenGap, Report, TornTail};

/// What to verify.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// The seam to the file system.
    pub disk: Arc<dyn Disk>,
    /// The highest offset up to which a consumer has synced what it consumed: the log must reach
    /// it.
    pub expected_end: Option<u64>,
}

impl VerifyOptions {
    /// A directory on the real file system.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self { dir: dir.as_ref().to_path_buf(), disk: Arc::new(RealDisk), expected_end: None }
    }
}

/// Reads the whole log. An error means that it could not be checked; what is wrong with it is in
/// the report.
pub fn verify(options: &VerifyOptions) -> Result<Report, JournalError> {
    let home = Home::new(Arc::clone(&options.disk), &options.dir);
    let Some(journal) = nameplate::read(&home)? else {
        return Err(JournalError::NotAJournal { dir: home.dir });
    };
    // Before the log is read: a log that grows meanwhile still holds what this names.
    let published = published::read(&home)?;
    let listing = home.list()?;
    let mut walk = Walk::new(home, journal, &listing)?;
    for id in &listing.segments {
        walk.segment(*id, listing.segments.last() == Some(id))?;
    }
    walk.finish(published, options.expected_end);
    Ok(walk.report)
}

struct Walk {
    home: Home,
    report: Report,
    /// Where the next batch is expected; `None` before the first segment.
    expected: Option<Place>,
    images: BTreeMap<u64, Image>,
    newest_image: Option<u64>,
    /// `None` where the state is not known: in a log without its beginning before the first image,
    /// and behind damage before the next one.
    state: Option<(Fold, Intervals)>,
    events: Events,
}

impl Walk {
    fn new(home: Home, journal: crate::JournalId, listing: &Listing) -> Result<Self, JournalError> {
        let report = Report {
            journal,
            findings: Vec::new(),
            torn_tail: None,
            oldest_offset: 0,
            end_offset: 0,
            segments: 0,
            batches: 0,
            records: 0,
            images_equal: 0,
            open_gaps: Vec::new(),
        };
        let mut walk = Self {
            home,
            report,
            expected: None,
            images: BTreeMap::new(),
            newest_image: listing.images.last().copied(),
            state: None,
            events: Events::default(),
        };
        for number in &listing.images {
            match image::read(&walk.home, *number)? {
                Ok(image) => {
                    walk.images.insert(*number, image);
                }
                Err(fault) => {
                    let (file, text) = (image_name(*number), fault.describe());
                    walk.found(FindingKind::ImageDamaged, &file, 0, 0, text);
                }
            }
        }
        Ok(walk)
    }

    fn found(&mut self, kind: FindingKind, file: &str, position: u64, offset: u64, text: String) {
        let file = file.to_owned();
        self.report.findings.push(Finding { kind, file, position, offset, text });
    }

    /// From here on the state is not known.
    fn lose_state(&mut self) {
        self.state = None;
    }

    fn segment(&mut self, id: u64, is_last: bool) -> Result<(), JournalError> {
        let name = segment_name(id);
        let mut segment = match Segment::open(&self.home, id) {
            Ok(segment) => segment,
            Err(JournalError::Corrupt { what, .. }) => {
                let offset = self.expected.map_or(0, |expected| expected.offset);
                self.found(FindingKind::SegmentDamaged, &name, 0, offset, what);
                self.lose_state();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.segments += 1;
        self.enter(&segment, &name);
        let len = segment.len()?;
        let mut position = segment.header.start().position;
        loop {
            match segment.batch_at(position, len)? {
                Ok(raw) => {
                    self.batch(&name, position, &raw);
                    position += raw.len() as u64;
                }
                Err(fault) => match self.behind(&segment, &name, position, fault, is_last)? {
                    Some(next) => position = next,
                    None => return Ok(()),
                },
            }
        }
    }

    /// The segment's header against the end of the one before it.
    fn enter(&mut self, segment: &Segment, name: &str) {
        let start = segment.header.start();
        let Some(expected) = self.expected else {
            self.report.oldest_offset = start.offset;
            if start.number == 0 {
                self.state = Some((Fold::new(true), Intervals::default()));
            }
            self.expected = Some(start);
            self.compare_image(name);
            return;
        };
        if start.segment > expected.segment + 1 {
            let file = segment_name(expected.segment + 1);
            let text = "the segment is gone".to_owned();
            self.found(FindingKind::SegmentMissing, &file, 0, expected.offset, text);
            self.lose_state();
        } else {
            self.compare(name, 0, &expected, &start);
        }
        self.expected = Some(start);
        self.compare_image(name);
    }

    /// What a batch or segment says of the one before it, against that.
    fn compare(&mut self, name: &str, position: u64, expected: &Place, told: &Place) {
        let offset = expected.offset;
        let (kind, text) = if told.number > expected.number {
            self.lose_state();
            let text = format!("batch {} is missing before batch {}", expected.number, told.number);
            (FindingKind::BatchMissing, text)
        } else if told.number < expected.number {
            self.lose_state();
            let text = format!("batch {} belongs here, not {}", expected.number, told.number);
            (FindingKind::ChainBroken, text)
        } else if told.offset != expected.offset {
            self.lose_state();
            let text = format!("offset {} where {} belongs", told.offset, expected.offset);
            (FindingKind::OffsetsNotDense, text)
        } else if told.hash != expected.hash {
            let text = format!("what batch {} was written after is not here", told.number);
            (FindingKind::ChainBroken, text)
        } else {
            return;
        };
        self.found(kind, name, position, offset, text);
    }

    fn batch(&mut self, name: &str, position: u64, raw: &Raw) {
        let header = raw.header;
        let Some(expected) = self.expected else { return };
        if header.number < expected.number {
            let text = format!("batch {} is here again", header.number);
            self.found(FindingKind::BatchRepeated, name, position, header.first_offset, text);
            return;
        }
        let told = Place {
            number: header.number,
            offset: header.first_offset,
            hash: header.previous,
            ..expected
        };
        self.compare(name, position, &expected, &told);
        if header.segment != expected.segment {
            let text = format!("the batch was written to segment {}", header.segment);
            self.found(FindingKind::ChainBroken, name, position, header.first_offset, text);
        }
        self.report.batches += 1;
        match raw.decode() {
            Ok(batch) => self.records(name, position, &batch),
            Err(fault) => {
                let text = fault.describe();
                let offset = header.first_offset;
                self.found(FindingKind::BatchUnreadable, name, position, offset, text);
                self.lose_state();
            }
        }
        self.expected = Some(Place {
            segment: expected.segment,
            position: position + raw.len() as u64,
            newest: position,
            number: header.number + 1,
            offset: header.end_offset(),
            hash: raw.hash(),
        });
        self.compare_image(name);
    }

    fn records(&mut self, name: &str, position: u64, batch: &Batch) {
        self.report.records += batch.records.len() as u64;
        let findings = &mut self.report.findings;
        for (offset, record) in batch.entries() {
            let mut found = |kind, text| {
                findings.push(Finding { kind, file: name.to_owned(), position, offset, text });
            };
            self.events.check(record, &mut found);
            if let Some((_, intervals)) = &mut self.state {
                intervals.check(record, &mut found);
            }
        }
        if let Some((fold, _)) = &mut self.state {
            apply_batch(fold, batch);
        }
    }

    /// The image at this place, if there is one: equal to the fold, or where the fold begins.
    fn compare_image(&mut self, name: &str) {
        let Some(place) = self.expected else { return };
        let Some(image) = self.images.remove(&place.number) else { return };
        let file = image_name(place.number);
        if image.place.offset != place.offset || image.place.hash != place.hash {
            let text = format!("the image was made of another log than {name}");
            self.found(FindingKind::ImageDiffers, &file, 0, place.offset, text);
            return;
        }
        match &self.state {
            Some((fold, _)) if *fold == image.fold => self.report.images_equal += 1,
            Some((fold, _)) => {
                let text = difference(fold, &image.fold);
                self.found(FindingKind::ImageDiffers, &file, 0, place.offset, text);
            }
            None => {
                let intervals = Intervals::of_image(&image.fold);
                self.state = Some((image.fold, intervals));
            }
        }
    }

    /// There is no batch at `position`. Gives where the next one is, if the segment has one.
    fn behind(
        &mut self,
        segment: &Segment,
        name: &str,
        position: u64,
        fault: Fault,
        is_last: bool,
    ) -> Result<Option<u64>, JournalError> {
        let Some(expected) = self.expected else { return Ok(None) };
        let rest = segment.rest(position)?;
        if let Some((at, raw)) = tail::next_batch(segment, &rest, 1) {
            self.found(
                FindingKind::BatchDamaged,
                name,
                position,
                expected.offset,
                fault.describe(),
            );
            self.lose_state();
            let header = raw.header;
            self.expected = Some(Place {
                number: header.number,
                offset: header.first_offset,
                hash: header.previous,
                ..expected
            });
            return Ok(Some(position + at as u64));
        }
        let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        let bytes = last as u64 + 1;
        if is_last {
            self.report.torn_tail = Some(TornTail { file: name.to_owned(), position, bytes });
        } else {
            self.found(
                FindingKind::BatchDamaged,
                name,
                position,
                expected.offset,
                fault.describe(),
            );
            self.lose_state();
            // Whatever it was, the next segment says how far it went.
            if let Ok(next) = Segment::open(&self.home, expected.segment + 1) {
                self.expected = Some(Place { segment: expected.segment, ..next.header.start() });
            }
        }
        Ok(None)
    }

    fn finish(&mut self, published: Option<Place>, expected_end: Option<u64>) {
        let Some(end) = self.expected else {
            let text = "every segment is gone".to_owned();
            self.found(FindingKind::SegmentMissing, &segment_name(1), 0, 0, text);
            return;
        };
        self.report.end_offset = end.offset;
        let mut proofs = Vec::new();
        if let Some(number) = self.newest_image.filter(|number| *number > end.number) {
            proofs.push(format!("{} proves batch {}", image_name(number), number - 1));
        }
        if let Some(place) = published.filter(|place| place.number > end.number) {
            proofs.push(format!("`published` proves batch {}", place.number - 1));
        }
        if let Some(offset) = expected_end.filter(|offset| *offset > end.offset) {
            proofs.push(format!("a consumer has a checkpoint at {offset}"));
        }
        if !proofs.is_empty() {
            // What looks like a torn tail was durable, if its batch is one that is proved.
            let kind = match self.report.torn_tail.take() {
                Some(_) => FindingKind::BatchDamaged,
                None => FindingKind::TailCut,
            };
            let text = format!("the log ends here, but {}", proofs.join(" and "));
            let name = segment_name(end.segment);
            self.found(kind, &name, end.position, end.offset, text);
        }
        if let Some((fold, _)) = &self.state {
            for (stream, folded) in &fold.streams {
                for gap in folded.open_gaps.values().map(|gap| gap.opened.clone()) {
                    self.report.open_gaps.push(OpenGap { stream: stream.clone(), gap });
                }
            }
        }
    }
}

/// Names the first stream that differs, and how much of it.
fn difference(log: &Fold, image: &Fold) -> String {
    let streams = log.streams.keys().chain(image.streams.keys());
    for id in streams {
        let (log, image) = (log.streams.get(id), image.streams.get(id));
        if log == image {
            continue;
        }
        let (Some(log), Some(image)) = (log, image) else {
            return format!("only one of log and image knows {id}");
        };
        let differ = |key: &&unbroken_core::ids::Key| log.keys.get(key) != image.keys.get(key);
        let keys = log.keys.keys().filter(differ).count();
        return format!("the image is not what the log adds up to: {id}, {keys} keys differ");
    }
    "the image is not what the log adds up to".into()
}
