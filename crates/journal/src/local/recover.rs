//! From the files to the state: the newest whole image, and the batches after it.
//!
//! Nothing is changed here. What is found decides between a torn tail, which the opener cuts, and
//! damage, which it refuses.

use unbroken_core::fold::Fold;

use crate::JournalError;
use crate::local::chain::{Chain, Step, Trust};
use crate::local::home::{Home, Listing, image_name, segment_name};
use crate::local::image::{self, Image};
use crate::local::place::Place;
use crate::local::published;
use crate::local::segment::{Segment, SegmentHeader};
use crate::local::state::apply_batch;
use crate::local::tail::{self, Tail};
use crate::mutant::{Mutant, mutated};

#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) place: Place,
    pub(crate) fold: Fold,
    /// Bytes behind the last batch that must be cut.
    pub(crate) torn: Option<u64>,
    /// Number of the image that was used.
    pub(crate) image: Option<u64>,
    pub(crate) image_offset: Option<u64>,
    pub(crate) damaged_images: Vec<u64>,
    pub(crate) batches: u64,
    pub(crate) records: u64,
}

pub(crate) fn recover(
    home: &Home,
    listing: &Listing,
    trust_published: bool,
) -> Result<Recovered, JournalError> {
    let headers = headers(home, &listing.segments)?;
    let (image, damaged_images) = newest_image(home, listing)?;
    let start = start(home, image.as_ref(), &headers)?;
    let mut recovered = Recovered {
        place: start,
        image: image.as_ref().map(|image| image.place.number),
        image_offset: image.as_ref().map(|image| image.place.offset),
        fold: image.map_or_else(|| Fold::new(true), |image| image.fold),
        torn: None,
        damaged_images,
        batches: 0,
        records: 0,
    };
    let mut chain = Chain::at(home, start, Trust::Hashes)?;
    if !chain.check_anchor()? && !mutated(Mutant::AnchorUnchecked) {
        let what = "an image proves that the log was longer, or other, before this byte".into();
        return Err(chain.segment.corrupt(start.position, start.offset, what));
    }
    replay(&mut chain, &mut recovered)?;
    recovered.place = chain.place;
    let place = recovered.place;
    match tail::examine(&chain.segment, &place)? {
        Tail::Clean => {}
        Tail::Torn { bytes } => recovered.torn = Some(bytes),
        Tail::Damaged { witness } => {
            let what = format!("no batch here, but the one at byte {witness} proves that it was");
            return Err(chain.segment.corrupt(place.position, place.offset, what));
        }
    }
    check_proofs(home, listing, &chain, trust_published)?;
    Ok(recovered)
}

fn replay(chain: &mut Chain, recovered: &mut Recovered) -> Result<(), JournalError> {
    while let Step::Batch(raw, position) = chain.step(None)? {
        let batch = raw.decode().map_err(|fault| {
            chain.segment.corrupt(position, raw.header.first_offset, fault.describe())
        })?;
        apply_batch(&mut recovered.fold, &batch);
        recovered.batches += 1;
        recovered.records += batch.records.len() as u64;
    }
    Ok(())
}

/// Whatever was told to a reader, or is held by an image, must still be there.
fn check_proofs(
    home: &Home,
    listing: &Listing,
    chain: &Chain,
    trust_published: bool,
) -> Result<(), JournalError> {
    let place = chain.place;
    let beyond = |number: u64, witness: &str| {
        let what = format!(
            "the log ends before batch {}, but {witness} proves batch {}",
            place.number,
            number - 1
        );
        Err(chain.segment.corrupt(place.position, place.offset, what))
    };
    match listing.images.last() {
        // The name is enough: an image gets it after the log before it was synced.
        Some(number) if *number > place.number && !mutated(Mutant::ImageNameIgnored) => {
            beyond(*number, &image_name(*number))?;
        }
        _ => {}
    }
    let trust_published = trust_published && !mutated(Mutant::PublishedIgnored);
    match published::read(home)? {
        Some(published) if trust_published && published.number > place.number => {
            beyond(published.number, "`published`")
        }
        _ => Ok(()),
    }
}

fn headers(home: &Home, segments: &[u64]) -> Result<Vec<SegmentHeader>, JournalError> {
    let mut headers = Vec::with_capacity(segments.len());
    for id in segments {
        headers.push(Segment::open(home, *id)?.header);
    }
    for pair in headers.windows(2) {
        let [before, after] = pair else { break };
        if after.id != before.id + 1 {
            return Err(JournalError::Corrupt {
                path: home.path(&segment_name(before.id + 1)),
                position: 0,
                offset: before.first_offset,
                what: "the segment is gone".into(),
            });
        }
    }
    Ok(headers)
}

/// The newest image that is whole, and the ones passed over on the way to it.
pub(crate) fn newest_image(
    home: &Home,
    listing: &Listing,
) -> Result<(Option<Image>, Vec<u64>), JournalError> {
    let mut damaged = Vec::new();
    for number in listing.images.iter().rev() {
        match image::read(home, *number)? {
            Ok(image) => return Ok((Some(image), damaged)),
            Err(fault) => {
                let name = image_name(*number);
                tracing::warn!(image = name, fault = fault.describe(), "image is damaged");
                damaged.push(*number);
            }
        }
    }
    Ok((None, damaged))
}

fn start(
    home: &Home,
    image: Option<&Image>,
    headers: &[SegmentHeader],
) -> Result<Place, JournalError> {
    let corrupt = |name: &str, offset, what: &str| JournalError::Corrupt {
        path: home.path(name),
        position: 0,
        offset,
        what: what.into(),
    };
    let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
        return Err(corrupt(&segment_name(1), 0, "every segment is gone"));
    };
    let Some(image) = image else {
        if first.first_number == 0 {
            return Ok(first.start());
        }
        let what = "the log before this segment was deleted, and no whole image stands for it";
        return Err(corrupt(&segment_name(first.id), first.first_offset, what));
    };
    let place = image.place;
    if place.segment > last.id {
        let what = "the image lies beyond the log's end";
        return Err(corrupt(&image_name(place.number), place.offset, what));
    }
    if place.segment < first.id {
        let what = "the newest whole image is older than the log that is left";
        return Err(corrupt(&image_name(place.number), place.offset, what));
    }
    Ok(place)
}
