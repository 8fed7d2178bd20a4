//! The timer table: one slot per reason, and why each deadline exists.

use crate::time::Millis;

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// When an attempt's delay is over.
    Retry,
    /// When the handshake has taken too long.
    Connect,
    /// When a confirmation has taken too long.
    Subscribe,
    /// When a resume has gone unproved for too long.
    Prove,
    /// When a socket has been silent for too long.
    Idle,
    /// When a ping is due.
    Ping,
    /// When a hole has waited long enough for a late event.
    Hole,
    /// When a page request has taken too long.
    Page,
    /// When a refused snapshot may be asked for again.
    Refetch,
    /// When a Live stream is to be compared with the vendor.
    Audit,
    /// When events of a snapshot's time must have arrived.
    Grace,
    /// When the stream's lag behind a known head counts.
    Behind,
    /// When a hand-over has taken too long.
    Handover,
    /// When reading has stood still for too long.
    Backpressure,
    /// When the vendor's history is to be asked, or has taken too long to answer.
    History,
    /// When tombstones have stood for long enough.
    Forget,
    /// When the token is to be renewed.
    Renew,
    /// When a token request has taken too long.
    Token,
}

const COUNT: usize = Timer::Token as usize + 1;

/// Deadlines by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimerTable([Option<Millis>; COUNT]);

impl TimerTable {
    /// Sets a deadline, in place of the one before.
    pub fn set(&mut self, timer: Timer, deadline: Millis) {
        self.0[timer as usize] = Some(deadline);
    }

    /// Removes a deadline.
    pub fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Whether a deadline is set.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// The deadline of one reason.
    pub fn deadline(&self, timer: Timer) -> Option<Millis> {
        self.0[timer as usize]
    }

    /// All deadlines.
    #[cfg(feature = "proof")]
    pub(super) fn deadlines_mut(&mut self) -> impl Iterator<Item = &mut Millis> {
        self.0.iter_mut().flatten()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<(Millis, Timer)> {
        ALL.iter().filter_map(|t| self.deadline(*t).map(|at| (at, *t))).min()
    }

    /// Takes the earliest deadline that has passed.
    pub fn take_due(&mut self, now: Millis) -> Option<Timer> {
        let (at, timer) = self.next()?;
        (at <= now).then(|| {
            self.stop(timer);
            timer
        })
    }
}

const ALL: [Timer; COUNT] = [
    Timer::Retry,
    Timer::Connect,
    Timer::Subscribe,
    Timer::Prove,
    Timer::Idle,
    Timer::Ping,
    Timer::Hole,
    Timer::Page,
    Timer::Refetch,
    Timer::Audit,
    Timer::Grace,
    Timer::Behind,
    Timer::Handover,
    Timer::Backpressure,
    Timer::History,
    Timer::Forget,
    Timer::Renew,
    Timer::Token,
];
