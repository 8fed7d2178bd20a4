//! What will happen when: the only clock of a simulation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the simulation began, by the clock of nobody in it.
pub(crate) type Micros = u64;

/// Events in the order of their times; those of one moment in the order in which they were noted.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    count: u64,
    now_us: Micros,
}

#[derive(Debug)]
struct Entry<E> {
    at_us: Micros,
    number: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0, now_us: 0 }
    }

    /// The present moment.
    pub(crate) fn now_us(&self) -> Micros {
        self.now_us
    }

    /// Notes an event; one that is late happens next.
    pub(crate) fn at(&mut self, at_us: Micros, event: E) {
        self.count += 1;
        let at_us = at_us.max(self.now_us);
        self.heap.push(Reverse(Entry { at_us, number: self.count, event }));
    }

    /// Notes an event so many microseconds from now.
    pub(crate) fn after(&mut self, delay_us: Micros, event: E) {
        self.at(self.now_us.saturating_add(delay_us), event);
    }

    /// The next event; its moment becomes the present one.
    pub(crate) fn pop(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now_us = entry.at_us;
        Some(entry.event)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at_us, self.number) == (other.at_us, other.number)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_moment_happen_in_the_order_in_which_they_were_noted() {
        let mut agenda = Agenda::new();
        for (at_us, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            agenda.at(at_us, name);
        }
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert_eq!(agenda.now_us(), 5);
    }

    #[test]
    fn what_is_late_happens_now_and_time_never_steps_back() {
        let mut agenda = Agenda::new();
        agenda.at(9, "first");
        agenda.pop();
        agenda.at(3, "late");
        assert_eq!((agenda.pop(), agenda.now_us()), (Some("late"), 9));
    }
}
