//! The store gives way to the log, on the processor too.

use tracing::warn;

/// How far the store's threads step back. On a core of their own they are as fast as ever; where
/// they share one with the log, they get about a tenth of it while the log needs it: what is not
/// durable yet can be lost, what is not in the store yet cannot.
const STEPS: i32 = 10;

/// Lowers the priority of the calling thread, and of those that it will start. Only Linux counts
/// this by thread; elsewhere it would slow the log down too, so nothing is done.
pub(super) fn step_back() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(STEPS)
    {
        warn!(%error, "the store's priority cannot be lowered");
    }
}
