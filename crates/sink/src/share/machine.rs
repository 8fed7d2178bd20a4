//! Whether recording wants the processors, as Linux tells it. Elsewhere nobody does as cheaply, and
//! no sink rests.

use std::sync::Mutex;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use unbroken_journal::courtesy::CLIENTS;

/// How often it is looked at. What Linux tells has a resolution of 10 ms for each processor.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The last look, and what it told.
static LAST: Mutex<Option<Look>> = Mutex::new(None);

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    used: Used,
    wish: Wish,
}

/// What this look told, and the one before it.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    is_wanted: bool,
    was_wanted: bool,
}

/// Time of processors since some moment, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    /// Of all processors, whoever used it.
    all: u64,
    idle: u64,
    /// By the threads of this process that give way to nobody.
    ahead: u64,
}

/// Whether it does, by the last two looks.
pub(super) fn is_wanted() -> bool {
    // Who comes while another one looks does not rest.
    let Ok(mut last) = LAST.try_lock() else { return false };
    let before = *last;
    if let Some(before) = before.filter(|look| look.at.elapsed() < LOOK_EVERY) {
        return before.wish.holds();
    }
    let look = used().map(|used| Look {
        at: Instant::now(),
        used,
        wish: before.map_or_else(Wish::default, |before| {
            before.wish.then(used.since(before.used).is_wanted())
        }),
    });
    *last = look;
    look.is_some_and(|look| look.wish.holds())
}

impl Wish {
    fn then(self, is_wanted: bool) -> Self {
        Self { is_wanted, was_wanted: self.is_wanted }
    }

    /// Recording that waits for its disk for a moment leaves a processor idle, and wants it back: a
    /// flood has ended when two looks in turn say so.
    fn holds(self) -> bool {
        self.is_wanted || self.was_wanted
    }
}

impl Used {
    fn since(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            idle: self.idle.saturating_sub(before.idle),
            // Of a thread that has ended nothing is told any more.
            ahead: self.ahead.saturating_sub(before.ahead),
        }
    }

    /// Hardly a processor is ever idle, and recording has much to do: others alone, or sinks
    /// themselves, may keep a machine busy while hardly anything is recorded.
    fn is_wanted(self) -> bool {
        self.idle < self.all / 10 && self.ahead > self.all / 4
    }
}

/// What this thread has taken of a processor.
pub(super) fn taken_by_this_thread() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

#[cfg(not(target_os = "linux"))]
fn used() -> Option<Used> {
    None
}

#[cfg(target_os = "linux")]
fn used() -> Option<Used> {
    use std::fs::{read_dir, read_to_string};

    let (all, idle) = of_machine(&read_to_string("/proc/stat").ok()?)?;
    let mut used = Used { all, idle, ahead: 0 };
    let (_, ordinary) = of_task(&read_to_string("/proc/self/stat").ok()?)?;
    if ordinary >= i64::from(CLIENTS) {
        // The whole service gives way as far as a sink does: they cannot be told from each other.
        return None;
    }
    for task in read_dir("/proc/self/task").ok()?.flatten() {
        // Some end meanwhile.
        let told = read_to_string(task.path().join("stat")).unwrap_or_default();
        if let Some((ticks, _)) = of_task(&told).filter(|(_, nice)| *nice <= ordinary) {
            used.ahead += ticks;
        }
    }
    Some(used)
}

/// All ticks, and those that were idle or waited for a disk: the first line's columns are user,
/// nice, system, idle, iowait, irq, softirq, steal, and two that the first two contain
/// (`proc_stat(5)`).
#[cfg(any(target_os = "linux", test))]
fn of_machine(told: &str) -> Option<(u64, u64)> {
    let columns = told.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
    let columns: Vec<u64> = columns.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some((columns.iter().sum(), columns.get(3)? + columns.get(4)?))
}

/// A thread's ticks, and how far it gives way: `utime`, `stime` and `nice` of `proc_pid_stat(5)`,
/// counted from behind its name, which may hold anything.
#[cfg(any(target_os = "linux", test))]
fn of_task(told: &str) -> Option<(u64, i64)> {
    let (_, told) = told.rsplit_once(") ")?;
    let columns: Vec<&str> = told.split_ascii_whitespace().collect();
    let ticks = |at: usize| columns.get(at)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?, columns.get(16)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Used, Wish, of_machine, of_task};

    #[test]
    fn processors_are_wanted_that_are_busy_with_recording() {
        for (idle, ahead, is_wanted) in
            [(0, 60, true), (9, 60, true), (10, 60, false), (0, 25, false), (90, 5, false)]
        {
            let used = Used { all: 100, idle, ahead };
            assert_eq!(used.is_wanted(), is_wanted, "{used:?}");
        }
    }

    #[test]
    fn a_flood_has_begun_by_one_look_and_ended_by_two() {
        let mut wish = Wish::default();
        assert!(!wish.holds());
        for (told, holds) in
            [(true, true), (false, true), (true, true), (false, true), (false, false)]
        {
            wish = wish.then(told);
            assert_eq!(wish.holds(), holds, "{wish:?}");
        }
    }

    #[test]
    fn what_linux_tells_is_read_by_its_columns() {
        let told = "cpu  10 2 30 400 5 6 7 8 9 9\ncpu0 1 2 3\n";
        assert_eq!(of_machine(told), Some((468, 405)));
        let told = "7 (sink) -1 (x) S 1 2 3 4 5 6 7 8 9 10 110 22 13 14 30 10 3 0 99";
        assert_eq!(of_task(told), Some((132, 10)));
        for (told, what) in [("", "nothing"), ("cpu  1 2\n", "too little"), ("7 (x) S", "less")] {
            assert_eq!((of_machine(told), of_task(told)), (None, None), "{what}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells_it() {
        let used = super::used().expect("files of /proc");
        assert!(used.all > used.idle && used.all >= used.ahead, "{used:?}");
    }
}
