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

/// In so many courses may a strike wait for its point in vain: how a log comes to be damaged, or a
/// tail to be torn, differs from course to course.
pub(super) const COURSES_MAX: u32 = 3;

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
    /// How many courses, this one included, its strikes have been planned in.
    pub(super) planned: u32,
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
    /// The course in which strikes are tried that did not come in this one: with the next vendor,
    /// whose log is kept in the same way. `None`: they have been tried often enough.
    pub(super) fn again(&self, number: usize, missed: &[Strike]) -> Option<Self> {
        if missed.is_empty() || self.planned >= COURSES_MAX {
            return None;
        }
        let at = VENDORS.iter().position(|vendor| *vendor == self.vendor).unwrap_or_default();
        let of = |is_meant: fn(When) -> bool| {
            missed.iter().copied().filter(|strike| is_meant(strike.spot.when)).collect()
        };
        Some(Self {
            number,
            planned: self.planned + 1,
            seed: self.seed + 1,
            vendor: VENDORS[(at + 1) % VENDORS.len()],
            retains: self.retains,
            first: of(|when| when == When::FirstStart),
            lives: of(|when| when != When::FirstStart && !is_mended(when)),
            mends: of(is_mended),
        })
    }

    fn load(&self) -> usize {
        self.first.len() + self.lives.len() + self.mends.len()
    }

    fn takes(&self, spot: &Spot) -> bool {
        match spot.when {
            when if is_mended(when) => !self.retains,
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
            planned: 1,
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
            when if is_mended(when) => course.mends.push(strike),
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

fn is_mended(when: When) -> bool {
    matches!(when, When::Repair | When::Rebuild)
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

    use super::{COURSES_MAX, Strike, plan};

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

    #[test]
    fn what_does_not_come_is_tried_with_other_vendors_and_not_for_ever() {
        let mut course = plan(1, 1).into_iter().find(|course| !course.retains).expect("a course");
        let missed: Vec<Strike> = [&course.first, &course.lives, &course.mends]
            .iter()
            .filter_map(|strikes| strikes.first().copied())
            .collect();
        assert_eq!(missed.len(), 3);
        let mut vendors = vec![course.vendor];
        while let Some(next) = course.again(7, &missed) {
            assert_eq!((next.first.len(), next.lives.len(), next.mends.len()), (1, 1, 1));
            assert_eq!((next.number, next.retains), (7, course.retains));
            assert!(!vendors.contains(&next.vendor), "{vendors:?}");
            vendors.push(next.vendor);
            course = next;
        }
        assert_eq!(vendors.len(), COURSES_MAX as usize);
        assert!(plan(1, 1).iter().all(|course| course.again(7, &[]).is_none()));
    }
}
