//! Which point is struck in which course, and when.

use fastrand::Rng;
use unbroken::crash::{Spot, When, spots};

use crate::cli::args::{NumberingArg, VendorKind};

/// Strikes of one course. Its verdict takes some ten seconds.
const STRIKES_A_COURSE: usize = 40;

/// The vendors in turn. An odd number of them: each meets both ways to keep the log.
const VENDORS: [(VendorKind, NumberingArg); 5] = [
    (VendorKind::Cxone, NumberingArg::Contiguous),
    (VendorKind::Genesys, NumberingArg::Contiguous),
    (VendorKind::CxonePoll, NumberingArg::Contiguous),
    (VendorKind::Cxone, NumberingArg::None),
    (VendorKind::Cxone, NumberingArg::Increasing),
];

/// Passed hundreds of times in a life.
const OFTEN: [&str; 6] =
    ["batch-torn", "batch-written", "batch-synced", "end-torn", "end-written", "told"];

/// One death that is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) spot: Spot,
    /// At which passing.
    pub(super) nth: u64,
}

/// One vendor and one data directory.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) number: usize,
    pub(super) seed: u64,
    pub(super) vendor: (VendorKind, NumberingArg),
    /// Retention deletes, and the log is read as it grows. Otherwise it is all kept, damaged and
    /// repaired.
    pub(super) retains: bool,
    /// While there is no log.
    pub(super) first: Vec<Strike>,
    /// While it is written.
    pub(super) lives: Vec<Strike>,
    /// While it is repaired, in the order of a repair and a rebuild.
    pub(super) mends: Vec<Strike>,
}

impl Course {
    fn load(&self) -> usize {
        self.first.len() + self.lives.len() + self.mends.len()
    }

    /// Whether the vendor tells again what it told before.
    pub(super) fn replays(&self) -> bool {
        let (kind, numbering) = self.vendor;
        kind == VendorKind::Cxone && numbering != NumberingArg::None
    }

    fn takes(&self, spot: &Spot) -> bool {
        match spot.when {
            When::Repair | When::Rebuild => !self.retains,
            _ if needs_retention(spot) => self.retains,
            _ => true,
        }
    }
}

/// So many strikes, each point at least once, in courses.
pub(super) fn plan(count: usize, seed: u64) -> Vec<Course> {
    let spots = spots();
    let count = count.max(spots.len());
    let mut rng = Rng::with_seed(seed);
    let pairs = count.div_ceil(STRIKES_A_COURSE).div_ceil(2);
    let vendors = VENDORS.iter().cycle();
    let mut courses: Vec<Course> = (0..pairs * 2)
        .zip(vendors)
        .map(|(number, vendor)| Course {
            number,
            seed: rng.u64(1..1_000_000),
            vendor: *vendor,
            retains: number % 2 == 0,
            first: Vec::new(),
            lives: Vec::new(),
            mends: Vec::new(),
        })
        .collect();
    for spot in spots.iter().cycle().take(count) {
        let strike = Strike { spot: *spot, nth: nth(spot, &mut rng) };
        let takers = courses.iter_mut().filter(|course| course.takes(spot));
        let Some(course) = takers.min_by_key(|course| course.load()) else { continue };
        match spot.when {
            When::FirstStart => course.first.push(strike),
            When::Repair | When::Rebuild => course.mends.push(strike),
            _ => course.lives.push(strike),
        }
    }
    for course in &mut courses {
        rng.shuffle(&mut course.lives);
        // There is nothing to delete before enough is written.
        course.lives.sort_by_key(|strike| needs_retention(&strike.spot));
        course.mends.sort_by_key(|strike| spots.iter().position(|spot| *spot == strike.spot));
    }
    courses
}

fn needs_retention(spot: &Spot) -> bool {
    let names = ["image-remov", "segment-remov"];
    spot.when == When::Run && names.iter().any(|name| spot.name.starts_with(name))
}

fn nth(spot: &Spot, rng: &mut Rng) -> u64 {
    match spot.when {
        When::Run if OFTEN.contains(&spot.name) => rng.u64(1..=40),
        When::Run if spot.name == "segment-extended" => 1,
        When::Run => rng.u64(1..=2),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use unbroken::crash::{When, spots};

    use super::plan;

    #[test]
    fn a_plan_strikes_each_point_and_as_often_as_asked() {
        for (asked, seed) in [(1, 1), (1_000, 2)] {
            let courses = plan(asked, seed);
            let strikes =
                || courses.iter().flat_map(|c| c.first.iter().chain(&c.lives).chain(&c.mends));
            assert_eq!(strikes().count(), asked.max(spots().len()));
            for spot in spots() {
                let struck = strikes().filter(|strike| strike.spot == spot).count();
                assert!(struck >= asked / spots().len(), "{spot:?}");
            }
            assert!(courses.iter().all(|course| !course.retains || course.mends.is_empty()));
            let firsts = courses.iter().flat_map(|course| &course.first);
            assert!(firsts.into_iter().all(|strike| strike.spot.when == When::FirstStart));
        }
    }
}
