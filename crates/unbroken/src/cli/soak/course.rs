//! How the memory went, and whether it stayed flat.

use super::measure::Use;

/// The part of a run that is left out of the slope: caches fill, the allocator finds its size.
const WARM_UP: f64 = 1.0 / 6.0;

/// **The rule.** A service is flat if its resident memory after warm-up rises by less than this
/// with each event, in the median over all pairs of looks: the smallest thing that could be kept of
/// an event, its position, has eight bytes. How high it may stand is the bound's business.
pub(super) const FLAT_BYTES_PER_EVENT: f64 = 1.0;

/// Fewer events after warm-up say nothing of a slope: the noise of an allocator is some megabytes.
const EVENTS_MIN: u64 = 1_000_000;

/// Descriptors and threads may come and go by so many: a hand-over has two sockets, requests have
/// some, and the runtime keeps blocking threads for a while.
const COMING_AND_GOING: u64 = 16;

/// **The rule** for descriptors and threads: so much growth after warm-up, by the median slope, is
/// flat. What comes and goes has a median slope of nothing; one that is kept for each round of
/// faults (some forty of them, two seconds each) comes to a dozen in twenty minutes.
pub(super) const FLAT_COUNT: f64 = 4.0;

/// Looks that are compared lie no further apart than one such part of all.
const NEAR_PART: usize = 4;

/// One look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Since the first Live, in milliseconds.
    pub(super) at_ms: u64,
    /// Events recorded so far.
    pub(super) events: u64,
    /// What the process used.
    pub(super) used: Use,
}

/// All looks, in order.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) looks: Vec<Look>,
}

/// What the looks come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trend {
    /// Growth of resident memory per event after warm-up; `None`: too few events to tell.
    pub(super) bytes_per_event: Option<f64>,
    /// Growth of the number of descriptors over the whole time after warm-up; `None`: as above.
    pub(super) file_growth: Option<f64>,
    /// The same of threads.
    pub(super) thread_growth: Option<f64>,
    /// Most resident memory seen, in bytes.
    pub(super) rss_bytes_max: u64,
    /// Descriptors and threads did not pile up.
    pub(super) is_tidy: bool,
}

impl Trend {
    /// Whether nothing grew. A run too short for a slope is not called flat, nor failed.
    pub(super) fn is_flat(&self) -> Option<bool> {
        let counts = [self.file_growth?, self.thread_growth?];
        let is_flat = counts.iter().all(|growth| *growth < FLAT_COUNT);
        self.bytes_per_event.map(|slope| slope < FLAT_BYTES_PER_EVENT && is_flat)
    }
}

impl Course {
    /// So many looks from the whole run, evenly, the first and the last among them.
    pub(super) fn sample(&self, most: usize) -> Vec<&Look> {
        let last = self.looks.len().saturating_sub(1);
        let step = last.div_ceil(most.saturating_sub(1).max(1)).max(1);
        let evenly = self.looks.iter().step_by(step);
        let end = self.looks.last().filter(|_| !last.is_multiple_of(step));
        evenly.chain(end).collect()
    }

    /// Applies the rule.
    pub(super) fn trend(&self) -> Trend {
        let end_ms = self.looks.last().map_or(0, |look| look.at_ms);
        let warm_ms = (end_ms as f64 * WARM_UP) as u64;
        let (warming, warm): (Vec<Look>, Vec<Look>) =
            self.looks.iter().partition(|look| look.at_ms < warm_ms);
        let events = match (warm.first(), warm.last()) {
            (Some(first), Some(last)) => last.events.saturating_sub(first.events),
            _ => 0,
        };
        let most = |looks: &[Look], of: fn(&Use) -> u64| {
            looks.iter().map(|look| of(&look.used)).max().unwrap_or(0)
        };
        let grows = |of: fn(&Use) -> u64| {
            let end = self.looks.last().map_or(0, |look| of(&look.used));
            !warming.is_empty() && end > most(&warming, of) + COMING_AND_GOING
        };
        let is_long = events >= EVENTS_MIN;
        let warm_ms = end_ms - warm_ms;
        let growth = |of: fn(&Use) -> u64| {
            let by_time = slope(&warm, |look| (look.at_ms, of(&look.used)));
            is_long.then_some(by_time * warm_ms as f64)
        };
        Trend {
            bytes_per_event: is_long
                .then(|| slope(&warm, |look| (look.events, look.used.rss_bytes))),
            file_growth: growth(|used| used.file_count),
            thread_growth: growth(|used| used.thread_count),
            rss_bytes_max: most(&self.looks, |used| used.rss_bytes),
            is_tidy: !grows(|used| used.file_count) && !grows(|used| used.thread_count),
        }
    }
}

/// The median of the slopes between two looks (Theil and Sen), for what lies along and what up,
/// over all that are near to each other: no further than a quarter of them. A flood that once takes
/// the memory it may take is a step and does not tilt it, nor do two or three, wherever they fall;
/// whatever is kept of each event, of each fault or of each minute does. Were all pairs looked at,
/// two steps near the middle would part so many of them that the median lay among theirs.
fn slope(looks: &[Look], of: impl Fn(&Look) -> (u64, u64)) -> f64 {
    let points: Vec<(u64, u64)> = looks.iter().map(of).collect();
    let near = points.len().div_ceil(NEAR_PART);
    let pairs = points.iter().enumerate().flat_map(|(at, early)| {
        points[at + 1..].iter().take(near).filter_map(move |late| {
            let run = late.0.checked_sub(early.0).filter(|run| *run > 0)?;
            Some((late.1 as f64 - early.1 as f64) / run as f64)
        })
    });
    let mut slopes: Vec<f64> = pairs.collect();
    slopes.sort_unstable_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{Course, Look, Use};

    /// Half an hour at 5,000 events a second, looked at every five seconds.
    fn course(rss: impl Fn(u64) -> u64, files: impl Fn(u64) -> u64) -> Course {
        let looks = (0..360).map(|number| {
            let events = number * 25_000;
            let (rss_bytes, file_count) = (rss(events), files(number));
            let used = Use { rss_bytes, anonymous_bytes: rss_bytes, thread_count: 8, file_count };
            Look { at_ms: number * 5_000, events, used }
        });
        Course { looks: looks.collect() }
    }

    #[test]
    fn a_leak_of_the_smallest_thing_is_seen_through_noise() {
        let noise = |events: u64| (events / 25_000 * 7_919 % 4_096) * 1_024;
        let flat = course(|events| (60 << 20) + noise(events), |_| 20).trend();
        assert_eq!(flat.is_flat(), Some(true), "{flat:?}");
        let leak = course(|events| (60 << 20) + noise(events) + events * 2, |_| 20).trend();
        assert_eq!(leak.is_flat(), Some(false), "{leak:?}");
    }

    #[test]
    fn a_step_is_no_slope_and_a_staircase_is_one() {
        let step = |events| (40 << 20) + if events > 3_000_000 { 50 << 20 } else { 0 };
        assert_eq!(course(step, |_| 20).trend().is_flat(), Some(true));
        // What a run of twenty minutes has shown: 44 MiB, later 58, and later 61, to the end.
        let two = |events| match events {
            0..3_300_000 => 44 << 20,
            3_300_000..5_400_000 => 58 << 20,
            _ => 61 << 20,
        };
        assert_eq!(course(two, |_| 20).trend().is_flat(), Some(true));
        let staircase = |events: u64| (40 << 20) + events / 250_000 * (1 << 20);
        assert_eq!(course(staircase, |_| 20).trend().is_flat(), Some(false));
    }

    #[test]
    fn what_grows_before_it_is_warm_does_not_count() {
        let grown = course(|events| (20 << 20) + events.min(1_000_000) * 40, |_| 20).trend();
        assert_eq!(grown.is_flat(), Some(true), "{grown:?}");
    }

    #[test]
    fn descriptors_that_pile_up_are_seen() {
        assert!(course(|_| 1 << 20, |number| 20 + number % 9).trend().is_tidy);
        assert!(!course(|_| 1 << 20, |number| 20 + number / 9).trend().is_tidy);
    }

    #[test]
    fn one_descriptor_for_each_round_of_faults_is_not_flat() {
        let kept = course(|_| 1 << 20, |number| 20 + number % 3 + number * 5 / 90).trend();
        assert_eq!(kept.is_flat(), Some(false), "{kept:?}");
        let busy = course(|_| 1 << 20, |number| 20 + number * 7 % 11).trend();
        assert_eq!(busy.is_flat(), Some(true), "{busy:?}");
    }

    #[test]
    fn a_short_run_is_neither_flat_nor_not() {
        let mut short = course(|events| events * 100, |_| 20);
        short.looks.truncate(20);
        assert_eq!(short.trend().is_flat(), None);
    }

    #[test]
    fn a_sample_has_both_ends_and_is_no_longer_than_asked() {
        let mut course = course(|events| events, |_| 20);
        for looks in [360, 359, 40, 21, 20, 2, 1, 0] {
            course.looks.truncate(looks);
            let sample = course.sample(20);
            assert!(sample.len() <= 20 && sample.len() >= looks.min(10), "{looks}");
            let ends = |ms: Option<&Look>| ms.map(|look| look.at_ms);
            assert_eq!(ends(sample.first().copied()), ends(course.looks.first()));
            assert_eq!(ends(sample.last().copied()), ends(course.looks.last()));
        }
    }
}
