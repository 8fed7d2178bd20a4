//! What is posted at once: neighbouring events of a batch, up to a number of bytes.

use std::collections::VecDeque;
use std::iter::Peekable;

use unbroken_journal::JournalId;
use unbroken_render::{lapse_cloudevent, open_gap_cloudevent, write_cloudevent};

use crate::{Batch, Phase};

/// Where an event stands in its batch, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Before everything else: what this sink never had, from an offset on and up to another one.
    Lapse(u64, u64),
    /// The entry at an offset.
    Entry(u64),
    /// Behind everything else: a gap that was open when the state image was made, by its place
    /// among them.
    Gap(usize),
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) place: Place,
    pub(super) json: Vec<u8>,
}

/// One request. It holds one event at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    events: Vec<Event>,
}

/// All events of a batch, in order.
pub(super) fn events(batch: &Batch) -> impl Iterator<Item = Event> {
    let journal = batch.journal();
    let lapse = batch.lapse.iter().map(move |lapse| Event {
        place: Place::Lapse(lapse.from_offset, lapse.to_offset),
        json: lapse_cloudevent(journal, lapse.from_offset, lapse.to_offset)
            .to_string()
            .into_bytes(),
    });
    let entries = batch.entries().map(move |(offset, record)| {
        let mut json = Vec::new();
        write_cloudevent(journal, offset, record, &mut json);
        Event { place: Place::Entry(offset), json }
    });
    let next_offset = batch.next.next_offset;
    let gaps = batch.open_gaps.iter().enumerate().map(move |(at, (stream, gap))| Event {
        place: Place::Gap(at),
        json: open_gap_cloudevent(journal, next_offset, stream, gap).to_string().into_bytes(),
    });
    lapse.chain(entries).chain(gaps)
}

/// Events that wait to be sent, in order.
pub(super) struct Events<I: Iterator> {
    /// Of a request that was too large; they come before the others.
    given_back: VecDeque<Event>,
    others: Peekable<I>,
}

impl<I: Iterator<Item = Event>> Events<I> {
    pub(super) fn new(events: I) -> Self {
        Self { given_back: VecDeque::new(), others: events.peekable() }
    }

    /// Takes those of one request, in a body of so many bytes at the most, unless one event alone
    /// is larger. It ends before an offset at which an earlier request has ended: what is sent
    /// again is the same request.
    pub(super) fn next_request(&mut self, bytes_max: usize, cuts: &[u64]) -> Option<Request> {
        let first = self.next_if(|_| true)?;
        let (mut bytes, mut last) = (first.json.len() + 2, first.place);
        let mut taken = vec![first];
        let fits = |event: &Event, bytes: usize, last: Place| {
            let belongs = match (last, event.place) {
                (Place::Entry(last), Place::Entry(offset)) => {
                    !cuts.iter().any(|cut| (last + 1..=offset).contains(cut))
                }
                (Place::Gap(_), Place::Gap(_)) => true,
                // If it is refused, no entry is to be blamed for it.
                _ => false,
            };
            belongs && bytes + 1 + event.json.len() <= bytes_max
        };
        while let Some(event) = self.next_if(|event| fits(event, bytes, last)) {
            bytes += 1 + event.json.len();
            last = event.place;
            taken.push(event);
        }
        Some(Request { events: taken })
    }

    /// It is to be cut into smaller ones.
    pub(super) fn give_back(&mut self, request: Request) {
        request.events.into_iter().rev().for_each(|event| self.given_back.push_front(event));
    }

    fn next_if(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        match self.given_back.front() {
            Some(event) if is_wanted(event) => self.given_back.pop_front(),
            Some(_) => None,
            None => self.others.next_if(is_wanted),
        }
    }
}

impl Request {
    /// Of one event, however large.
    pub(super) fn of_one(event: Event) -> Self {
        Self { events: vec![event] }
    }

    /// In CloudEvents' batch format.
    pub(super) fn body(&self) -> String {
        let mut body = Vec::with_capacity(self.bytes());
        for event in &self.events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(&event.json);
        }
        body.push(b']');
        // What was written is JSON, and so is text.
        String::from_utf8(body).unwrap_or_default()
    }

    /// Of the body.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.json.len() + 1).sum::<usize>() + 1
    }

    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    pub(super) fn last(&self) -> Option<Place> {
        self.events.last().map(|event| event.place)
    }

    /// The entry that it is, if it is one alone.
    pub(super) fn only_entry(&self) -> Option<u64> {
        match self.events[..] {
            [Event { place: Place::Entry(offset), .. }] => Some(offset),
            _ => None,
        }
    }

    /// The offset of the first one, if it is of entries.
    pub(super) fn first_entry(&self) -> Option<u64> {
        match self.events.first()?.place {
            Place::Entry(offset) => Some(offset),
            Place::Lapse(..) | Place::Gap(_) => None,
        }
    }

    /// The offset behind its last entry.
    pub(super) fn end(&self) -> Option<u64> {
        match self.last()? {
            Place::Entry(offset) => Some(offset + 1),
            Place::Lapse(..) | Place::Gap(_) => None,
        }
    }

    /// Names it for ever: the same events of the same log, sent again by the same sink, have the
    /// same name. Another sink's request from and to the same offsets may hold other events. It
    /// holds no full stop, as Standard Webhooks asks.
    pub(super) fn key(&self, sink: &str, journal: JournalId, phase: Phase) -> String {
        let name = |event: Option<&Event>| match event.map(|event| event.place) {
            Some(Place::Lapse(from, to)) => format!("lapse-{from}-{to}"),
            Some(Place::Entry(offset)) => offset.to_string(),
            Some(Place::Gap(at)) => format!("gap-{at}"),
            None => String::new(),
        };
        let (first, last) = (name(self.events.first()), name(self.events.last()));
        match phase {
            Phase::Image { until } => format!("{sink}:{journal}:image:{until}:{first}:{last}"),
            Phase::Log => format!("{sink}:{journal}:{first}:{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(offset: u64, bytes: usize) -> Event {
        Event { place: Place::Entry(offset), json: vec![b'1'; bytes] }
    }

    fn cut(events: Vec<Event>, bytes_max: usize, cuts: &[u64]) -> Vec<Request> {
        let mut events = Events::new(events.into_iter());
        std::iter::from_fn(|| events.next_request(bytes_max, cuts)).collect()
    }

    #[test]
    fn requests_are_as_large_as_they_may_be_and_no_larger() {
        let requests = cut((0..7).map(|n| event(n, 10)).collect(), 34, &[]);
        let counts: Vec<usize> = requests.iter().map(Request::count).collect();
        assert_eq!(counts, [3, 3, 1]);
        for request in &requests {
            assert_eq!(request.body().len(), request.bytes());
            assert!(request.bytes() <= 34);
        }
        assert_eq!(requests[0].body(), "[1111111111,1111111111,1111111111]");
        assert_eq!(cut(vec![event(0, 10), event(1, 99), event(2, 10)], 34, &[]).len(), 3);
    }

    #[test]
    fn what_was_too_large_comes_again_in_order_and_smaller() {
        let mut events = Events::new((0..9).map(|n| event(n, 10)));
        let first = events.next_request(70, &[]).expect("events");
        assert_eq!((first.count(), first.end()), (6, Some(6)));
        events.give_back(first);
        let ends = std::iter::from_fn(|| events.next_request(36, &[])?.end());
        assert_eq!(ends.collect::<Vec<_>>(), [3, 6, 9]);
    }

    #[test]
    fn what_was_sent_is_cut_again_where_it_was_cut() {
        let requests = cut((0..20).map(|n| event(n * 2, 1)).collect(), 999, &[7, 8, 30]);
        let ends: Vec<Option<u64>> = requests.iter().map(Request::end).collect();
        assert_eq!(ends, [Some(7), Some(29), Some(39)]);
    }

    #[test]
    fn what_is_no_entry_is_sent_by_itself() {
        let (lapse, gap) = (Place::Lapse(3, 9), |at| Place::Gap(at));
        let places = [lapse, Place::Entry(5), Place::Entry(6), gap(0), gap(1)];
        let events = places.map(|place| Event { place, json: b"{}".to_vec() });
        let requests = cut(events.to_vec(), 999, &[]);
        let counts: Vec<usize> = requests.iter().map(Request::count).collect();
        assert_eq!(counts, [1, 2, 2]);
        let id: JournalId = "0190000000007000800000000000abcd".parse().expect("an id");
        let keys: Vec<String> = requests.iter().map(|it| it.key("s", id, Phase::Log)).collect();
        let names = ["lapse-3-9:lapse-3-9", "5:6", "gap-0:gap-1"];
        assert_eq!(keys, names.map(|name| format!("s:{id}:{name}")));
        let key = |sink, phase| requests[1].key(sink, id, phase);
        assert_eq!(key("s", Phase::Image { until: 9 }), format!("s:{id}:image:9:5:6"));
        assert_ne!(key("s", Phase::Log), key("t", Phase::Log), "they may have other events");
    }
}
