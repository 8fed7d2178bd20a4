//! Both clocks.

use jiff::Timestamp;
use tokio::time::{Duration, Instant};
use unbroken_core::machine::Now;
use unbroken_core::time::{Millis, UnixMicros};

/// The monotonic clock since an origin, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        let elapsed = self.origin.elapsed().as_millis();
        Now {
            at: Millis(u64::try_from(elapsed).unwrap_or(u64::MAX)),
            wall: UnixMicros(Timestamp::now().as_microsecond()),
        }
    }

    /// Waits until `deadline`; for ever if there is none.
    pub async fn sleep_until(&self, deadline: Option<Millis>) {
        match deadline.and_then(|at| self.origin.checked_add(Duration::from_millis(at.0))) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
