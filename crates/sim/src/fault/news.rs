//! What is told of the faults as they happen, for a live view.

use serde::Serialize;
use tokio::sync::broadcast;

use super::Fault;

/// A turn in a fault's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Its scenario has begun.
    Injected,
    /// Its specific behaviour was seen on the wire.
    Fired,
    /// The published rules are in force again after it had fired.
    Ended,
    /// Its scenario ran out of time without having fired.
    Missed,
}

/// One turn in a fault's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultNews {
    /// What [`crate::Vendor::inject`] returned.
    pub id: u64,
    /// Which.
    pub fault: Fault,
    /// What it came to.
    pub stage: Stage,
    /// Wall clock, microseconds since 1970.
    pub at_us: i64,
}

/// How often a fault came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultCounts {
    /// Scenarios begun.
    pub injected: u64,
    /// Scenarios seen on the wire.
    pub fired: u64,
    /// Scenarios ended after firing.
    pub ended: u64,
    /// Scenarios that ran out of time.
    pub missed: u64,
}

/// A live view of the faults. A reader that falls more than 1,024 turns behind loses the oldest.
#[derive(Debug)]
pub struct News(pub(crate) broadcast::Receiver<FaultNews>);

impl News {
    /// The next turn; `None` once the vendor is gone.
    pub async fn next(&mut self) -> Option<FaultNews> {
        loop {
            match self.0.recv().await {
                Ok(news) => return Some(news),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next turn if there is one already.
    pub fn poll_now(&mut self) -> Option<FaultNews> {
        loop {
            match self.0.try_recv() {
                Ok(news) => return Some(news),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return None,
            }
        }
    }
}
