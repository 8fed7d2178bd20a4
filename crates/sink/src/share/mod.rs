//! How much of the processors a sink takes while recording wants them.
//!
//! A low priority is not enough where recording leaves no processor idle: a thread that wakes to
//! record does not take one at once from a thread of a lower priority, and several of those fill
//! whatever it leaves. So a sink rests between its records, as long as that is so.

mod machine;

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Of one processor, what all sinks of a service together take while recording wants all: a
/// twentieth.
const TIMES: u32 = 20;

/// So many records are written between two looks at the clocks.
const RECORDS: u32 = 64;

/// The longest rest at once: the next look tells whether there is a reason for more.
const REST_MAX: Duration = Duration::from_millis(100);

/// A sink's.
#[derive(Debug)]
pub(crate) struct Share {
    /// So many times what it takes passes until it takes more; `None`: nothing is recorded here.
    times: Option<u32>,
    /// Whether it is time to stop, and to give what is left.
    stop: Option<watch::Receiver<bool>>,
    /// Whether recording wants the processors.
    is_wanted: fn() -> bool,
}

/// Of a batch that nobody has cut out of a log that is being written.
impl Default for Share {
    fn default() -> Self {
        Self { times: None, stop: None, is_wanted: machine::is_wanted }
    }
}

/// Some work of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    began: Instant,
    /// What the thread had taken of a processor by then.
    taken_before: Duration,
}

/// Records that are written with rests.
#[derive(Debug)]
pub(crate) struct Paced<'a, I> {
    records: I,
    share: &'a Share,
    spell: Spell,
    left: u32,
}

impl Share {
    /// Of one of so many sinks beside what records; 0: nothing is recorded here.
    pub(crate) fn new(sinks: usize, stop: watch::Receiver<bool>) -> Self {
        let times = u32::try_from(sinks).unwrap_or(u32::MAX).saturating_mul(TIMES);
        let times = (times > 0).then_some(times);
        // A look tells what has been since the one before: so the first is now, not in a flood.
        let _ = machine::is_wanted();
        Self { times, stop: Some(stop), is_wanted: machine::is_wanted }
    }

    /// How long the thread should rest after this work, if at all.
    pub(crate) fn rest_after(&self, spell: Spell) -> Option<Duration> {
        let times = self.times?;
        let is_ending = self.stop.as_ref().is_some_and(|stop| *stop.borrow());
        (!is_ending && (self.is_wanted)()).then(|| spell.rest(times))
    }

    /// Rests between records, on the thread that asks for them.
    pub(crate) fn paced<I>(&self, records: I) -> Paced<'_, I> {
        Paced { records, share: self, spell: Spell::begin(), left: RECORDS }
    }
}

impl Spell {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), taken_before: machine::taken_by_this_thread() }
    }

    fn rest(self, times: u32) -> Duration {
        let taken = machine::taken_by_this_thread().saturating_sub(self.taken_before);
        due(taken, self.began.elapsed(), times)
    }
}

fn due(taken: Duration, passed: Duration, times: u32) -> Duration {
    taken.saturating_mul(times).saturating_sub(passed).min(REST_MAX)
}

impl<I: Iterator> Iterator for Paced<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.left == 0 {
            if let Some(rest) = self.share.rest_after(self.spell) {
                std::thread::sleep(rest);
            }
            (self.spell, self.left) = (Spell::begin(), RECORDS);
        }
        self.left -= 1;
        self.records.next()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::watch;

    use super::machine::taken_by_this_thread;
    use super::{RECORDS, Share, Spell, TIMES, due};

    /// Beside what wants all processors.
    fn share(stop: &watch::Sender<bool>) -> Share {
        Share { is_wanted: || true, ..Share::new(1, stop.subscribe()) }
    }

    fn work() {
        let begun = taken_by_this_thread();
        while taken_by_this_thread() - begun < Duration::from_micros(10) {}
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sink_rests_far_longer_than_it_works_and_loses_nothing() {
        let stop = watch::Sender::new(false);
        let (begun, taken_before) = (Instant::now(), taken_by_this_thread());
        let mut taken = Duration::ZERO;
        let numbers: Vec<u32> = share(&stop)
            .paced(0..3 * RECORDS + 1)
            .inspect(|number| {
                if *number < 3 * RECORDS {
                    work();
                    taken = taken_by_this_thread() - taken_before;
                }
            })
            .collect();
        assert!(numbers.into_iter().eq(0..3 * RECORDS + 1));
        // What it takes from one spell to the next, with looks at the clocks, is nobody's.
        assert!(begun.elapsed() > taken * (TIMES / 2), "{taken:?} of {:?}", begun.elapsed());
    }

    #[test]
    fn nobody_rests_who_is_to_stop_or_records_nothing() {
        let stop = watch::Sender::new(false);
        let (share, spell) = (share(&stop), Spell::begin());
        assert!(share.rest_after(spell).is_some());
        stop.send_replace(true);
        assert_eq!(share.rest_after(spell), None);
        let alone = Share { is_wanted: || true, ..Share::new(0, stop.subscribe()) };
        stop.send_replace(false);
        assert_eq!(alone.rest_after(spell), None);
    }

    #[test]
    fn what_has_passed_anyway_is_no_rest_any_more() {
        for (taken, passed, rest) in
            [(1, 1, 49), (1, 30, 20), (1, 50, 0), (1, 80, 0), (0, 0, 0), (7, 7, 100)]
        {
            let [taken, passed, rest] = [taken, passed, rest].map(Duration::from_millis);
            assert_eq!(due(taken, passed, 50), rest, "{taken:?} {passed:?}");
        }
    }
}
