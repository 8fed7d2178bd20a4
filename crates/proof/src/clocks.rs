//! Our clocks: both may be wrong, and the simulation knows by how much.

use std::cell::Cell;

use unbroken_core::machine::Now;
use unbroken_core::time::{Millis, UnixMicros};

use crate::agenda::Micros;

/// When every simulation begins, microseconds since 1970 (2026-01-05, a Monday).
pub(crate) const ORIGIN_US: i64 = 1_767_600_000_000_000;

thread_local! {
    /// What the journal's wall clock says: it takes a plain function.
    static WALL: Cell<i64> = const { Cell::new(ORIGIN_US) };
}

/// The wall clock of the simulation that runs on this thread.
pub(crate) fn wall_clock() -> UnixMicros {
    UnixMicros(WALL.get())
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// From when on the wall clock is off by how much.
    steps: Vec<(Micros, i64)>,
    /// When a process could do nothing: from, to.
    pub(crate) sleeps: Vec<(Micros, Micros)>,
    /// How long the monotonic clock has stood still.
    stood_us: Micros,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        Self { steps: vec![(0, 0)], sleeps: Vec::new(), stood_us: 0 }
    }

    /// It is so late.
    pub(crate) fn set(&self, now_us: Micros) {
        WALL.set(self.wall(now_us));
    }

    /// The moment as a process sees it that began with the monotonic clock at `origin_us`.
    pub(crate) fn now(&self, now_us: Micros, origin_us: Micros) -> Now {
        let at = Millis(self.monotonic(now_us).saturating_sub(origin_us) / 1_000);
        Now { at, wall: UnixMicros(self.wall(now_us)) }
    }

    /// The monotonic clock, in microseconds.
    pub(crate) fn monotonic(&self, now_us: Micros) -> Micros {
        now_us - self.stood_us
    }

    /// When a process that began at `origin_us` sees `at`, as far as is known now.
    pub(crate) fn when(&self, at: Millis, origin_us: Micros) -> Micros {
        at.0.saturating_mul(1_000).saturating_add(origin_us).saturating_add(self.stood_us)
    }

    /// The wall clock steps.
    pub(crate) fn step(&mut self, now_us: Micros, by_us: i64) {
        let offset_us = self.offset(now_us) + by_us;
        self.steps.push((now_us, offset_us));
    }

    /// A sleep is over; in a machine that sleeps the monotonic clock stands still.
    pub(crate) fn slept(&mut self, from_us: Micros, to_us: Micros, stood: bool) {
        self.sleeps.push((from_us, to_us));
        if stood {
            self.stood_us += to_us - from_us;
        }
    }

    fn wall(&self, now_us: Micros) -> i64 {
        ORIGIN_US + now_us as i64 + self.offset(now_us)
    }

    fn offset(&self, now_us: Micros) -> i64 {
        let before = self.steps.partition_point(|(from, _)| *from <= now_us);
        self.steps.get(before.saturating_sub(1)).map_or(0, |(_, offset)| *offset)
    }

    /// The true wall time at which our clock said `wall_us`, the latest one not after `bound_us`:
    /// where the clock went back it said so twice.
    pub(crate) fn true_wall(&self, wall_us: i64, bound_us: Micros) -> i64 {
        if self.steps.len() == 1 {
            return wall_us;
        }
        let mut until_us = bound_us as i64;
        for (from_us, offset_us) in self.steps.iter().rev() {
            let from_us = *from_us as i64;
            if from_us > until_us {
                continue;
            }
            let since_us = wall_us - offset_us - ORIGIN_US;
            if (from_us..=until_us).contains(&since_us) {
                return ORIGIN_US + since_us;
            }
            until_us = from_us;
        }
        // It never said so.
        wall_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_clock_said_is_traced_back_to_when_it_was() {
        let mut clocks = Clocks::new();
        clocks.step(1_000, 500);
        clocks.step(2_000, -800);
        for at_us in [0, 999, 1_500, 2_500] {
            let wall = clocks.wall(at_us);
            assert_eq!(clocks.true_wall(wall, at_us), ORIGIN_US + at_us as i64, "{at_us}");
        }
        // It said 1700 at 2000 for the second time: the later one counts, if it may.
        assert_eq!(clocks.true_wall(ORIGIN_US + 1_700, 5_000), ORIGIN_US + 2_000);
        assert_eq!(clocks.true_wall(ORIGIN_US + 1_700, 1_900), ORIGIN_US + 1_200);
    }

    #[test]
    fn the_monotonic_clock_stands_while_the_machine_sleeps() {
        let mut clocks = Clocks::new();
        clocks.slept(1_000, 6_000, true);
        clocks.slept(7_000, 8_000, false);
        assert_eq!(clocks.now(9_000, 0).at, Millis(4));
        assert_eq!(clocks.when(Millis(4), 0), 9_000);
        assert_eq!(clocks.now(9_000, 0).wall, UnixMicros(ORIGIN_US + 9_000));
    }
}
