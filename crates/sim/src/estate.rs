//! What the handle of a vendor holds of it, whatever its dialect.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::fault::FaultBoard;
use crate::truth::{Recorder, Truth};
use crate::vendor::Account;
use crate::world::Clock;
use crate::{Fault, Load};

/// What is behind a vendor's lock.
pub(crate) trait Estate: Send {
    /// The vendor's clock.
    fn clock(&self) -> Clock;

    /// Makes what is due: events, what becomes of faults, what ends with time.
    fn tick(&mut self);

    /// Whether a client could tell the fault from what this vendor does by its rules.
    fn knows(&self, fault: Fault) -> bool;

    /// The faults.
    fn faults(&mut self) -> &mut FaultBoard;

    /// Puts the published rules in force again, whatever the scenarios were about to do.
    fn end_scenarios(&mut self);

    /// The ledger that grows.
    fn recorder(&mut self) -> &mut Recorder;

    /// Writes the state of the open subscriptions and hands all to the operating system.
    fn flush(&mut self);

    /// No event is made any more.
    fn stop_emission(&mut self);

    /// The ledger as of now.
    fn truth(&self) -> Truth;

    /// Events made so far.
    fn event_count(&self) -> u64;

    /// When the newest event was made, in microseconds since 1970.
    fn newest_event_us(&self) -> Option<i64>;

    /// Events that are due and not made yet.
    fn backlog(&self) -> u64;

    /// Streams on which events are served.
    fn live_count(&self) -> usize;

    /// What was asked of it, second by second.
    fn load(&self) -> Vec<Load>;

    /// Who is there.
    fn account(&self) -> Account;
}

/// A share in a vendor.
#[derive(Clone)]
pub(crate) struct Share {
    estate: Arc<Mutex<dyn Estate>>,
    wake: watch::Sender<()>,
}

impl Share {
    pub(crate) fn new(estate: Arc<Mutex<dyn Estate>>, wake: watch::Sender<()>) -> Self {
        Self { estate, wake }
    }

    /// A panic elsewhere does not make it unusable: every change to it is small.
    pub(crate) fn lock(&self) -> MutexGuard<'_, dyn Estate + 'static> {
        self.estate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes every stream: there may be events or commands.
    pub(crate) fn wake(&self) {
        self.wake.send_replace(());
    }
}
