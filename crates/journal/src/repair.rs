//! Cutting a damaged log before the damage, when there is no backup.
//!
//! What lies behind the cut is lost to the journal, but not thrown away: it is kept beside it, with
//! the ending `.damaged`. Positions go back with the records, so a vendor that replays fills the
//! hole; where it does not, the machine's ledger says so. The journal gets a new id, because
//! consumers may have seen what was cut.

use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::local::chain::{Chain, Step, Trust};
use crate::local::home::{DAMAGED, Home, Listing, image_name, segment_name};
use crate::local::place::Place;
use crate::local::segment::Segment;
use crate::local::{image, nameplate, published};
use crate::{JournalError, JournalId};

/// What a repair has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The journal's new id.
    pub journal: JournalId,
    /// The log ends here now.
    pub end_offset: u64,
    /// The files that keep what was cut.
    pub kept: Vec<String>,
}

/// Cuts the log at the first damage behind its newest usable image. Only for a journal that
/// [`open`](crate::open) refuses: it gives up records. May be repeated if it was interrupted.
pub fn repair(disk: Arc<dyn Disk>, dir: &Path) -> Result<Repaired, JournalError> {
    let home = Home::new(disk, dir);
    let _lock = home.lock()?;
    if nameplate::read(&home)?.is_none() {
        return Err(JournalError::NotAJournal { dir: home.dir });
    }
    let listing = home.list()?;
    let end = last_good(&home, &listing)?;
    let journal = JournalId::fresh();
    nameplate::write(&home, journal)?;
    if published::read(&home)?.is_some() {
        published::remove(&home)?;
    }
    let mut kept = Vec::new();
    // From the end: an interruption leaves a log that only ends earlier than it did.
    for number in listing.images.iter().rev().filter(|number| **number > end.number) {
        kept.push(set_aside(&home, &image_name(*number))?);
    }
    for id in listing.segments.iter().rev().filter(|id| **id > end.segment) {
        kept.push(set_aside(&home, &segment_name(*id))?);
    }
    let segment = Segment::open(&home, end.segment)?;
    let rest = segment.rest(end.position)?;
    if rest.iter().any(|byte| *byte != 0) {
        let name = format!("{}{DAMAGED}", segment_name(end.segment));
        home.install(&name, &[&rest])?;
        kept.push(name);
    }
    cut(&home, &end)?;
    Ok(Repaired { journal, end_offset: end.offset, kept })
}

/// Where the log is still whole, starting from the newest image that is, or the log's beginning.
fn last_good(home: &Home, listing: &Listing) -> Result<Place, JournalError> {
    let mut why = None;
    for number in listing.images.iter().rev() {
        if let Ok(image) = image::read(home, *number)? {
            match follow(home, image.place) {
                Ok(end) => return Ok(end),
                Err(error) => why = Some(error),
            }
        }
    }
    let first = listing.segments.first().copied().unwrap_or(1);
    let start = Segment::open(home, first)?.header.start();
    if start.number == 0 {
        return follow(home, start);
    }
    let nothing = JournalError::Corrupt {
        path: home.path(&segment_name(first)),
        position: 0,
        offset: start.offset,
        what: "no whole image stands for the log that was deleted".into(),
    };
    Err(why.unwrap_or(nothing))
}

fn follow(home: &Home, start: Place) -> Result<Place, JournalError> {
    let mut chain = Chain::at(home, start, Trust::Hashes)?;
    if !chain.check_anchor()? {
        let what = "the image does not fit the log".into();
        return Err(chain.segment.corrupt(start.position, start.offset, what));
    }
    loop {
        let before = chain.place;
        match chain.step(None) {
            Ok(Step::Batch(raw, _)) if raw.decode().is_ok() => {}
            Ok(Step::Batch(..)) => return Ok(before),
            Ok(Step::End(_)) | Err(JournalError::Corrupt { .. }) => return Ok(chain.place),
            Err(error) => return Err(error),
        }
    }
}

fn set_aside(home: &Home, name: &str) -> Result<String, JournalError> {
    let aside = format!("{name}{DAMAGED}");
    home.rename(name, &aside)?;
    Ok(aside)
}

fn cut(home: &Home, end: &Place) -> Result<(), JournalError> {
    let name = segment_name(end.segment);
    let path = home.path(&name);
    let fail = |action| {
        let path = path.clone();
        move |error| JournalError::io(action, &path, error)
    };
    let file = home.open(&name, true)?;
    file.set_len(end.position).map_err(fail("cut"))?;
    file.sync_data().map_err(fail("sync"))
}
