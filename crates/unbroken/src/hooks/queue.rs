//! Notices that wait for a hook. Bounded: the oldest goes first, and is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::notice::Notice;

/// Notices that wait: a hook that is so far behind will not be helped by older ones.
const WAITING_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    missed: u64,
}

impl Queue {
    /// Adds a notice; never blocks. Returns whether another one was pushed out for it.
    pub(super) fn push(&self, notice: Notice) -> bool {
        let mut waiting = self.lock();
        let full = waiting.notices.len() >= WAITING_MAX;
        if full {
            waiting.notices.pop_front();
            waiting.missed += 1;
        }
        waiting.notices.push_back(notice);
        drop(waiting);
        self.filled.notify_one();
        full
    }

    /// The oldest notice, with the number of those that were pushed out before it.
    pub(super) async fn next(&self) -> Notice {
        loop {
            if let Some(notice) = self.take() {
                return notice;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Notice> {
        let mut waiting = self.lock();
        let mut notice = waiting.notices.pop_front()?;
        notice.missed = std::mem::take(&mut waiting.missed);
        Some(notice)
    }

    /// A panic elsewhere leaves at worst a notice too few.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::{Notice, Queue, WAITING_MAX};

    fn notice(n: usize) -> Notice {
        Notice::of_unblocked(UnixMicros(0), &format!("a/{n}"))
    }

    #[tokio::test]
    async fn the_oldest_are_pushed_out_and_counted_once() {
        let queue = Queue::default();
        for n in 0..WAITING_MAX + 3 {
            assert_eq!(queue.push(notice(n)), n >= WAITING_MAX, "{n}");
        }
        let first = queue.next().await;
        assert_eq!((first.stream(), first.missed), ("a/3", 3));
        let second = queue.next().await;
        assert_eq!((second.stream(), second.missed), ("a/4", 0));
        for n in 5..WAITING_MAX + 3 {
            assert_eq!(queue.next().await.stream(), format!("a/{n}"));
        }
        let next = tokio::spawn(async move { queue.next().await });
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "there is nothing left");
        next.abort();
    }
}
