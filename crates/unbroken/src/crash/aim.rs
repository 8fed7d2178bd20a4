//! The one point at which this process is to die, and its death.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use super::spot;

/// The variable that aims.
pub const CRASH_AT: &str = "UNBROKEN_CRASH_AT";

/// What [`CRASH_AT`] says.
struct Aim {
    /// Counting begins at this point; `None`: at once.
    from: Option<String>,
    point: String,
    nth: u64,
    counting: AtomicBool,
    passed: AtomicU64,
}

static AIM: LazyLock<Option<Aim>> =
    LazyLock::new(|| std::env::var(CRASH_AT).ok().and_then(|text| Aim::of(&text)));

/// Has the store's points lead here too.
pub fn arm() {
    unbroken_store::crash::watch(|point| pass(spot::store_name(point)));
}

impl Aim {
    fn of(text: &str) -> Option<Self> {
        let (from, rest) = match text.split_once('>') {
            Some((from, rest)) => (Some(from.to_owned()), rest),
            None => (None, text),
        };
        let (point, nth) = rest.rsplit_once(':')?;
        Some(Self {
            counting: AtomicBool::new(from.is_none()),
            from,
            point: point.to_owned(),
            nth: nth.parse().ok()?,
            passed: AtomicU64::new(0),
        })
    }

    fn is_due(&self, name: &str) -> bool {
        if self.from.as_deref() == Some(name) {
            self.counting.store(true, Ordering::Relaxed);
        }
        self.point == name
            && self.counting.load(Ordering::Relaxed)
            && self.passed.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
    }
}

/// Dies here, if this is the point and the time.
pub(super) fn pass(name: &str) {
    if AIM.as_ref().is_some_and(|aim| aim.is_due(name)) {
        die();
    }
}

/// If a write is to be cut here: how much of it reaches the disk, in bytes. Whoever asks has to
/// write so much, and to [`die`].
pub(super) fn torn(name: &str, len: usize) -> Option<usize> {
    let aim = AIM.as_ref()?;
    // From one eighth to seven.
    let eighths = 1 + usize::try_from(aim.nth).unwrap_or_default() % 7;
    aim.is_due(name).then_some(len * eighths / 8)
}

/// By the kernel's hand: no destructor runs, nothing is flushed.
pub(super) fn die() -> ! {
    loop {
        // It does not return from a kill of itself; if it ever did, once more.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::Aim;

    fn deaths(text: &str, passed: &[&str]) -> Vec<usize> {
        let aim = Aim::of(text).expect("an aim");
        (0..passed.len()).filter(|at| aim.is_due(passed[*at])).collect()
    }

    #[test]
    fn the_nth_passing_of_the_point_is_due_and_no_other() {
        assert_eq!(deaths("a:2", &["a", "b", "a", "a"]), [2]);
        assert_eq!(deaths("b:1", &["a", "b", "b"]), [1]);
        assert!(deaths("c:1", &["a", "b"]).is_empty());
    }

    #[test]
    fn counting_begins_where_it_is_told_to() {
        assert_eq!(deaths("b>a:1", &["a", "a", "b", "a", "a"]), [3]);
        assert!(deaths("b>a:1", &["a", "a"]).is_empty());
    }

    #[test]
    fn what_is_no_aim_aims_at_nothing() {
        assert!(Aim::of("a").is_none() && Aim::of("a:x").is_none());
    }
}
