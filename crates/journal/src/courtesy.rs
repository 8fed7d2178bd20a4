//! Recording goes before its readers: what is not recorded may be lost, and a reader that is late
//! reads later.

/// The store's thread: its state is read by people, so that it should be close behind. Of the
/// operating system's priorities, which end at 19: beside a thread that records, and has no time to
/// spare, it has a quarter of a processor.
pub const STORE: i32 = 5;

/// Threads that serve clients: a tenth. Less would keep clients waiting for seconds, also those who
/// only come: with 15, on a busy machine of two cores, for more than ten.
pub const CLIENTS: i32 = 10;

/// The operating system's least.
const LEAST: i32 = 19;

/// Of several threads, each of which could keep a processor busy: together they have what two of a
/// priority have, each the less, so that recording keeps its own however many there are.
pub fn among(priority: i32, threads: usize) -> i32 {
    // Each step down is a fifth less time (`sched_prio_to_weight` of Linux).
    let mut share = threads as f64 / 2.0;
    let mut shared = priority;
    while share > 1.0 && shared < LEAST {
        share /= 1.25;
        shared += 1;
    }
    shared
}

/// Lets this thread, and those that it starts, have what processors the others leave. Only Linux
/// knows a priority of one thread; elsewhere this would be one of the whole service.
pub fn give_way(priority: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, priority) {
        tracing::debug!(%error, "thread has the same priority as those that record");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = priority;
}

#[cfg(test)]
mod tests {
    use super::{CLIENTS, among};

    #[test]
    fn many_threads_have_together_what_two_have() {
        let priorities = [0, 1, 2, 3, 5, 8, 1_000].map(|threads| among(CLIENTS, threads));
        assert_eq!(priorities, [10, 10, 10, 12, 15, 17, 19]);
    }
}
