//! One direction of one connection: what becomes of the next bytes. Decides, and moves nothing.

use std::time::Duration;

use fastrand::Rng;

use super::fault::Break;
use super::weather::Weather;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane {
    rng: Rng,
    /// When the bytes before have arrived, and when the last of them had left.
    arrived: Duration,
    left: Duration,
    armed: Option<(Cut, Break)>,
    is_silent: bool,
}

/// Where the bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// After so many more.
    After(u64),
    /// Somewhere inside of the next ones.
    Within,
}

/// What becomes of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// So many of them pass, the first ones.
    pub(crate) passing: usize,
    /// When they arrive.
    pub(crate) at: Duration,
    /// What happens when they have arrived.
    pub(crate) then: Option<Break>,
}

impl Lane {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            arrived: Duration::ZERO,
            left: Duration::ZERO,
            armed: None,
            is_silent: false,
        }
    }

    /// The next bytes are cut. It replaces what was armed before.
    pub(crate) fn arm(&mut self, cut: Cut, how: Break) {
        self.armed = Some((cut, how));
    }

    /// From now on nothing passes. Gives whether something did before.
    pub(crate) fn silence(&mut self) -> bool {
        !std::mem::replace(&mut self.is_silent, true)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Bytes have come, at a time of the connection's own clock.
    pub(crate) fn handle_bytes(&mut self, now: Duration, bytes: usize, weather: &Weather) -> Fate {
        if self.is_silent {
            return Fate { passing: 0, at: now, then: None };
        }
        let (passing, then) = self.cut(bytes);
        // As on a real path: one byte after the other leaves, and then each is under way.
        self.left = self.left.max(now) + weather.sending(passing);
        let jitter = self.rng.u64(0..=weather.jitter_ms);
        let way = Duration::from_millis(weather.latency_ms.saturating_add(jitter));
        self.arrived = self.arrived.max(self.left + way);
        Fate { passing, at: self.arrived, then }
    }

    /// How many of the bytes pass, and what then.
    fn cut(&mut self, bytes: usize) -> (usize, Option<Break>) {
        let passing = match &mut self.armed {
            None => return (bytes, None),
            Some((Cut::After(more), _)) => match usize::try_from(*more) {
                Ok(more) if more <= bytes => more,
                _ => {
                    *more -= bytes as u64;
                    return (bytes, None);
                }
            },
            // One byte has no middle.
            Some((Cut::Within, _)) if bytes < 2 => return (bytes, None),
            Some((Cut::Within, _)) => self.rng.usize(1..bytes),
        };
        (passing, self.armed.take().map(|(_, how)| how))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Weather =
        Weather { connect_ms: 0, latency_ms: 0, jitter_ms: 0, bytes_per_second: None };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn without_orders_everything_passes_at_once() {
        let mut lane = Lane::new(1);
        for at in [0, 7] {
            let fate = lane.handle_bytes(ms(at), 100, &CALM);
            assert_eq!(fate, Fate { passing: 100, at: ms(at), then: None });
        }
    }

    #[test]
    fn a_cut_after_bytes_lets_exactly_so_many_pass() {
        let mut lane = Lane::new(1);
        lane.arm(Cut::After(150), Break::Reset);
        assert_eq!(lane.handle_bytes(ms(0), 100, &CALM).passing, 100);
        let fate = lane.handle_bytes(ms(0), 100, &CALM);
        assert_eq!((fate.passing, fate.then), (50, Some(Break::Reset)));
        let after = lane.handle_bytes(ms(0), 100, &CALM);
        assert_eq!((after.passing, after.then), (100, None), "it fires once");
    }

    #[test]
    fn a_cut_after_nothing_lets_nothing_pass() {
        let mut lane = Lane::new(1);
        lane.arm(Cut::After(0), Break::Finish);
        let fate = lane.handle_bytes(ms(0), 100, &CALM);
        assert_eq!((fate.passing, fate.then), (0, Some(Break::Finish)));
    }

    #[test]
    fn a_cut_at_the_end_of_some_bytes_fires_with_them() {
        let mut lane = Lane::new(1);
        lane.arm(Cut::After(100), Break::Silence);
        let fate = lane.handle_bytes(ms(0), 100, &CALM);
        assert_eq!((fate.passing, fate.then), (100, Some(Break::Silence)));
    }

    #[test]
    fn a_cut_within_leaves_a_part_on_either_side_and_follows_the_seed() {
        let mut places = Vec::new();
        for seed in 0..100 {
            let cut_at = |seed| {
                let mut lane = Lane::new(seed);
                lane.arm(Cut::Within, Break::Reset);
                let whole = lane.handle_bytes(ms(0), 1, &CALM);
                assert_eq!((whole.passing, whole.then), (1, None), "one byte has no middle");
                let fate = lane.handle_bytes(ms(0), 10, &CALM);
                assert_eq!(fate.then, Some(Break::Reset));
                fate.passing
            };
            let place = cut_at(seed);
            assert!((1..10).contains(&place), "{place}");
            assert_eq!(place, cut_at(seed), "seed {seed}");
            places.push(place);
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 9, "every place is met: {places:?}");
    }

    #[test]
    fn on_a_silent_lane_nothing_passes() {
        let mut lane = Lane::new(1);
        lane.arm(Cut::After(5), Break::Reset);
        assert!(lane.silence());
        assert!(!lane.silence(), "it is silent already");
        let fate = lane.handle_bytes(ms(3), 100, &CALM);
        assert_eq!((fate.passing, fate.then), (0, None));
    }

    #[test]
    fn late_bytes_are_not_overtaken() {
        let weather = Weather { latency_ms: 20, jitter_ms: 30, ..CALM };
        let mut lane = Lane::new(3);
        let mut last = Duration::ZERO;
        let mut ways = Vec::new();
        for at in (0..1000).step_by(100) {
            let fate = lane.handle_bytes(ms(at), 10, &weather);
            let way = fate.at - ms(at);
            assert!(fate.at >= last && way >= ms(20) && way <= ms(50), "{way:?}");
            last = fate.at;
            ways.push(way);
        }
        ways.sort_unstable();
        assert_ne!(ways.first(), ways.last(), "there is a jitter");
        for at in 2000..2100 {
            let fate = lane.handle_bytes(ms(at), 1, &weather);
            assert!(fate.at >= last, "those that come close together neither");
            last = fate.at;
        }
    }

    #[test]
    fn a_throttled_lane_lets_so_many_bytes_pass_in_a_second() {
        let weather = Weather { bytes_per_second: Some(1000), ..CALM };
        assert_eq!(weather.chunk_bytes_max(), 50);
        let mut lane = Lane::new(1);
        let last = (0..40).map(|_| lane.handle_bytes(ms(0), 50, &weather).at).max();
        assert_eq!(last, Some(ms(2000)), "2000 bytes at 1000 a second");
        let rested = lane.handle_bytes(ms(9000), 50, &weather);
        assert_eq!(rested.at, ms(9050), "idle time is not saved up");
    }

    #[test]
    fn a_very_slow_path_still_carries_a_byte() {
        assert_eq!(Weather { bytes_per_second: Some(1), ..CALM }.chunk_bytes_max(), 1);
        assert_eq!(Weather { bytes_per_second: Some(0), ..CALM }.chunk_bytes_max(), 1);
        assert_eq!(Weather { bytes_per_second: Some(u64::MAX), ..CALM }.chunk_bytes_max(), 65536);
    }
}
