//! The questions' share of a source's budget, kept over all of its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::machine::Pace;
use unbroken_core::time::Millis;

/// See the module.
#[derive(Debug)]
pub(crate) struct Share {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    pace: Pace,
    /// The vendor asked to be left alone until then, with this failure.
    held: Option<(Instant, Failure)>,
}

impl Share {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { began: Instant::now(), kept: Mutex::new(Kept { pace, held: None }) }
    }

    /// From when on the next question has room.
    pub(crate) fn ready_at(&self) -> Instant {
        let Millis(ready_ms) = self.kept().pace.ready_at();
        let at = self.began.checked_add(Duration::from_millis(ready_ms));
        // Only a budget of next to nothing leads beyond the clock's end.
        at.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }

    /// A question is asked now.
    pub(crate) fn take(&self) {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.kept().pace.take(Millis(elapsed_ms));
    }

    /// Keeps what a request was answered with, if that says when to come again: it is the same
    /// vendor that the questions go to.
    pub(crate) fn obey<T>(&self, answered: &Result<T, Failure>) {
        let Err(failure) = answered else { return };
        let Class::Retry { after_ms: Some(after_ms) } = failure.class else { return };
        let until = Instant::now().checked_add(Duration::from_millis(after_ms));
        let Some(until) = until else { return };
        let mut kept = self.kept();
        if kept.held.as_ref().is_none_or(|(held, _)| *held < until) {
            kept.held = Some((until, failure.clone()));
        }
    }

    /// The failure to end with instead of a question, while the vendor is to be left alone.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let kept = self.kept();
        let (until, failure) = kept.held.as_ref()?;
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        // Rounded up: a moment too early would be too early.
        let after_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        Some(Failure { class: Class::Retry { after_ms: Some(after_ms) }, ..failure.clone() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
