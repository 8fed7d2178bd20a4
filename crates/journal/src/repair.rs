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
use crate::local::open::check_checkpoints;
use crate::local::place::Place;
use crate::local::recover::recover;
use crate::local::segment::Segment;
use crate::local::{image, nameplate, published};
use crate::{JournalError, JournalId};

/// What a repair would do, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What is damaged, as [`open`](crate::open) says it.
    pub damage: String,
    /// The log ends here then.
    pub end_offset: u64,
    /// Where readers had been told that it ends, as far as that is known.
    pub told_offset: Option<u64>,
    /// The segment that is cut, and the byte at which.
    pub cut: (String, u64),
    /// Files that keep what is cut.
    pub kept: Vec<String>,
}

/// What a repair has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The journal's new id.
    pub journal: JournalId,
    /// What was done.
    pub repair: Repair,
}

/// What [`repair()`] would do. Changes nothing. `None`: there is no damage. Consumers hold
/// `checkpoints`; a log that ends before one of them has lost records.
pub fn plan_repair(
    disk: Arc<dyn Disk>,
    dir: &Path,
    checkpoints: &[u64],
) -> Result<Option<Repair>, JournalError> {
    let home = Home::new(disk, dir);
    let _lock = home.lock()?;
    Ok(Plan::of(&home, checkpoints)?.map(|plan| plan.told()))
}

/// Cuts the log at the first damage behind its newest usable image; a log that
/// [`open`](crate::open) accepts is left alone (`None`). Gives up records. May be repeated if it
/// was interrupted.
pub fn repair(
    disk: Arc<dyn Disk>,
    dir: &Path,
    checkpoints: &[u64],
) -> Result<Option<Repaired>, JournalError> {
    let home = Home::new(disk, dir);
    let _lock = home.lock()?;
    let Some(plan) = Plan::of(&home, checkpoints)? else { return Ok(None) };
    let repair = plan.told();
    let journal = JournalId::fresh();
    nameplate::write(&home, journal)?;
    if published::read(&home)?.is_some() {
        published::remove(&home)?;
    }
    // From the end: an interruption leaves a log that only ends earlier than it did.
    for name in &plan.aside {
        home.rename(name, &format!("{name}{DAMAGED}"))?;
    }
    if let Some(rest) = &plan.rest {
        home.install(&format!("{}{DAMAGED}", segment_name(plan.end.segment)), &[rest])?;
    }
    cut(&home, &plan.end)?;
    Ok(Some(Repaired { journal, repair }))
}

struct Plan {
    damage: String,
    end: Place,
    told_offset: Option<u64>,
    /// Files behind the cut, the last first.
    aside: Vec<String>,
    /// What the segment that is cut holds behind the cut, if it is not empty.
    rest: Option<bytes::Bytes>,
}

impl Plan {
    fn of(home: &Home, checkpoints: &[u64]) -> Result<Option<Self>, JournalError> {
        if nameplate::read(home)?.is_none() {
            return Err(JournalError::NotAJournal { dir: home.dir.clone() });
        }
        let listing = home.list()?;
        let opened = recover(home, &listing, true)
            .and_then(|recovered| check_checkpoints(home, &recovered, checkpoints));
        let damage = match opened {
            Ok(()) => return Ok(None),
            Err(error @ JournalError::Corrupt { .. }) => error.to_string(),
            Err(error) => return Err(error),
        };
        let end = last_good(home, &listing)?;
        let images = listing.images.iter().rev().filter(|number| **number > end.number);
        let segments = listing.segments.iter().rev().filter(|id| **id > end.segment);
        let aside = images.map(|number| image_name(*number));
        let aside = aside.chain(segments.map(|id| segment_name(*id))).collect();
        let rest = Segment::open(home, end.segment)?.rest(end.position)?;
        let rest = rest.iter().any(|byte| *byte != 0).then_some(rest);
        let published = published::read(home)?.map(|place| place.offset);
        let told_offset = published.into_iter().chain(checkpoints.iter().copied()).max();
        Ok(Some(Self { damage, end, told_offset, aside, rest }))
    }

    fn told(&self) -> Repair {
        let segment = segment_name(self.end.segment);
        let mut kept: Vec<_> = self.aside.iter().map(|name| format!("{name}{DAMAGED}")).collect();
        kept.extend(self.rest.as_ref().map(|_| format!("{segment}{DAMAGED}")));
        Repair {
            damage: self.damage.clone(),
            end_offset: self.end.offset,
            told_offset: self.told_offset,
            cut: (segment, self.end.position),
            kept,
        }
    }
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
