//! Whatever is lost when the power goes, nothing that was acknowledged is.
//!
//! `UNBROKEN_CUTS` says how many cuts (a smoke of 500 by default), `UNBROKEN_SEED` where to begin.

use std::sync::Arc;

use unbroken_core::record::Append;
use unbroken_journal::simdisk::{Dice, SimDisk};
use unbroken_journal::{ImagePolicy, JournalError, Opened, Options, Retention, open};

use crate::cases::{DIR, records, ticking_clock, verified_to};
use crate::workload::{Acknowledged, Workload};

/// One journal through several power cuts.
struct Life {
    seed: u64,
    dice: Dice,
    disk: SimDisk,
    options: Options,
    workload: Workload,
    acknowledged: Acknowledged,
    cuts: u64,
    whole: u64,
    lost: u64,
}

/// What was being committed when the power went, and the workload as it was before.
type InFlight = Option<(Vec<Append>, Workload)>;

impl Life {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new();
        let options = Options {
            disk: Arc::new(disk.clone()),
            wall_clock: ticking_clock,
            segment_bytes: 2_048 << dice.below(7),
            preallocated_bytes: 512 << dice.below(7),
            images: if dice.chance(50) { ImagePolicy::Seal } else { ImagePolicy::SealAndClose },
            retention: Retention {
                age_ms: dice.chance(30).then_some(60_000),
                bytes_max: dice.chance(30).then_some(8_192),
            },
            ..Options::new(DIR)
        };
        let workload = Workload::new(seed ^ 0x5eed);
        let acknowledged = Acknowledged::nothing();
        Self { seed, dice, disk, options, workload, acknowledged, cuts: 0, whole: 0, lost: 0 }
    }

    /// Runs until the power goes, or a clean stop.
    fn run(&mut self, mut opened: Opened) -> InFlight {
        // At any operation (most are those of a seal), or at one of a chosen commit.
        let mut commits_left = self.dice.chance(60).then(|| self.dice.below(25));
        if commits_left.is_none() {
            self.disk.cut_power_at(self.dice.below(150));
        }
        if self.dice.chance(50) {
            let before = self.workload.clone();
            let units = self.workload.abort_open_brackets();
            match opened.writer.commit(&units) {
                Ok(_) => self.acknowledged.add(&units),
                Err(_) => return Some((units, before)),
            }
        }
        loop {
            if self.dice.chance(2) {
                // Closing may be cut short as well.
                let _ = opened.writer.close();
                return None;
            }
            if commits_left == Some(0) {
                self.disk.cut_power_at(self.dice.below(3));
            }
            commits_left = commits_left.map(|left| left.saturating_sub(1));
            let before = self.workload.clone();
            let units = self.workload.units(4);
            match opened.writer.commit(&units) {
                Ok(committed) => {
                    self.acknowledged.add(&units);
                    assert_eq!(committed.end_offset, self.acknowledged.end(), "seed {}", self.seed);
                }
                Err(_) => {
                    let again = opened.writer.commit(&units);
                    assert!(matches!(again, Err(JournalError::Stopped)), "seed {}", self.seed);
                    return Some((units, before));
                }
            }
        }
    }

    fn stop(&mut self) {
        self.cuts += 1;
        if self.dice.chance(10) {
            self.disk.kill();
        } else {
            self.disk.power_cut(self.dice.roll());
        }
    }

    /// Opens; the power may go during that too.
    fn reopen(&mut self) -> Opened {
        let seed = self.seed;
        while self.dice.chance(30) {
            self.disk.cut_power_at(self.dice.below(12));
            match open(self.options.clone()) {
                Ok(opened) => drop(opened),
                Err(JournalError::Io { .. }) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
            self.stop();
        }
        open(self.options.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
    }

    fn check(&mut self, opened: &Opened, in_flight: InFlight) {
        let seed = self.seed;
        if let Some((units, before)) = in_flight {
            let mut with_it = self.acknowledged.clone();
            with_it.add(&units);
            // A batch of which nobody was told may be there, but only whole.
            if opened.restored == with_it.fold && opened.next_offset == with_it.end() {
                self.acknowledged = with_it;
                self.whole += 1;
            } else {
                self.workload = before;
                self.lost += 1;
            }
        }
        let end = self.acknowledged.end();
        assert_eq!(opened.next_offset, end, "seed {seed}");
        assert_eq!(opened.restored, self.acknowledged.fold, "seed {seed}");
        assert_eq!(*opened.writer.state(), self.acknowledged.fold, "seed {seed}");
        assert_eq!(opened.reader.end_offset().unwrap(), end, "seed {seed}");
        let oldest = opened.reader.oldest_offset().unwrap() as usize;
        let held = records(&opened.reader);
        assert!(held == self.acknowledged.records[oldest..], "seed {seed}: records differ");
        let report = verified_to(&self.disk, Some(end));
        assert!(report.findings.is_empty(), "seed {seed}: {:?}", report.findings);
        assert_eq!(report.torn_tail, None, "seed {seed}");
    }
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_invented() {
    let wanted = from_environment("UNBROKEN_CUTS", 500);
    let first_seed = from_environment("UNBROKEN_SEED", 1);
    let (mut cuts, mut records, mut torn, mut images, mut seed) = (0, 0, 0, 0, first_seed);
    let (mut whole, mut lost) = (0, 0);
    while cuts < wanted {
        let mut life = Life::new(seed);
        let mut in_flight = None;
        for _ in 0..4 {
            let opened = life.reopen();
            torn += u64::from(opened.report.cut.is_some());
            images += u64::from(opened.report.image_offset.is_some());
            life.check(&opened, in_flight);
            in_flight = life.run(opened);
            life.stop();
        }
        let opened = life.reopen();
        torn += u64::from(opened.report.cut.is_some());
        life.check(&opened, in_flight);
        cuts += life.cuts;
        records += life.acknowledged.end();
        whole += life.whole;
        lost += life.lost;
        seed += 1;
    }
    println!(
        "{cuts} cuts, seeds {first_seed} to {}: {records} records acknowledged; in flight: {whole} \
         batches whole, {lost} lost, of which {torn} torn; {images} opens from an image",
        seed - 1
    );
    // The test must have met what it is about.
    assert!(torn > cuts / 50 && images > cuts / 50 && records > cuts, "{torn} {images} {records}");
}
