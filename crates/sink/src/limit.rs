//! How long anything may take that a target does: somebody may accept a connection and say nothing.

use std::time::Duration;

/// It was given up.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it took longer than {0:?}")]
pub(crate) struct TookTooLong(Duration);

/// For so long at the most.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, TookTooLong> {
    // On the heap: what a target does in one call makes a large future.
    tokio::time::timeout(of(limit), Box::pin(work)).await.map_err(|_| TookTooLong(limit))
}

#[cfg(feature = "proof")]
mod hurried {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static TIMES: Cell<u32> = const { Cell::new(1) };
    }

    /// For trials, which have no time: what is begun on this thread may take so many times less.
    pub fn hurry(times: u32) {
        TIMES.set(times.max(1));
    }

    pub(crate) fn of(limit: Duration) -> Duration {
        limit / TIMES.get()
    }
}

#[cfg(feature = "proof")]
pub use self::hurried::hurry;
#[cfg(feature = "proof")]
pub(crate) use self::hurried::of;

/// As long as it is.
#[cfg(not(feature = "proof"))]
#[inline(always)]
pub(crate) fn of(limit: Duration) -> Duration {
    limit
}
