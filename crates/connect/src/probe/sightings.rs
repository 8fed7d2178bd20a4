//! What a source was seen to do. Gathered from answers and frames; judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::bookmark::Bookmark;
use unbroken_core::connector::{Decoded, Event, Item, Page};
use unbroken_core::ids::{Key, Label};
use unbroken_core::time::UnixMicros;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// The position of the head, read before the snapshot.
    pub head: Option<u64>,
    /// The snapshot.
    pub snapshot: Option<SnapshotSeen>,
    /// The position that the subscription asked for.
    pub asked: Option<u64>,
    /// How often a position that the vendor had issued a moment before was refused as too old.
    pub fresh_refused: u64,
    /// The subscription was confirmed; with the position, if one came with it.
    pub ack: Option<Option<u64>>,
    /// An opaque place of a frame as a whole came, and one came with the confirmation.
    pub booked: bool,
    /// See `booked`.
    pub ack_booked: bool,
    /// Keys that the subscription leaves out.
    pub dark: u64,
    /// Which, and why, where the vendor says so.
    pub dark_why: Option<Label>,
    /// Events, and how many of them came without a position.
    pub events: u64,
    /// Events without a position.
    pub unplaced: u64,
    /// First and last position of an event.
    pub first: Option<u64>,
    /// The last.
    pub last: Option<u64>,
    /// The first hole: the number before it and the one after.
    pub hole: Option<(u64, u64)>,
    /// An event came with a lower position than one before it.
    pub backwards: Option<(u64, u64)>,
    /// Two events shared a position.
    pub shared: Option<u64>,
    /// What the first event was, to know it again.
    pub first_event: Option<(Option<u64>, u128)>,
    /// The first event's bookmark, where positions are opaque, and the event after it.
    pub bookmark: Option<(Bookmark, Option<u128>)>,
    /// The digest of each key's last event.
    pub last_of_key: BTreeMap<Key, u128>,
    /// Frames with an event that named an epoch, and that did not.
    pub epochs: (u64, u64),
    /// Frames with an event that named their subscription, and that did not.
    pub subscriptions: (u64, u64),
    /// Frames of another subscription.
    pub foreign: u64,
    /// Heartbeats, and the time of the last, since the subscription.
    pub heartbeats: u64,
    /// The longest time between two heartbeats, in milliseconds.
    pub heartbeat_ms_max: u64,
    /// The longest time without any sign of life, in milliseconds.
    pub silence_ms_max: u64,
    /// Signs of life, answers to our pings among them.
    pub signs: u64,
    /// Things that the profile does not know.
    pub unknown: u64,
    /// Things that were not understood, and the first reason.
    pub poison: u64,
    /// The first reason.
    pub poison_reason: Option<Label>,
    /// How far the vendor's clock was ahead of ours at most, in milliseconds.
    pub ahead_ms: u64,
    /// The head by REST at the end, and whether the stream reached it.
    pub reached: Option<(u64, bool)>,
    /// Of the keys that had an event: how many rows of a second snapshot equal the last event, and
    /// how many differ.
    pub rows_equal: Option<(u64, u64)>,
    /// What came of an older position.
    pub replay: Option<ReplaySeen>,
    /// What came of a second connection.
    pub second: Option<SecondSeen>,
    pub(super) subscription: Option<Label>,
    pub(super) heartbeat_at_ms: Option<u64>,
    pub(super) sign_at_ms: u64,
}

/// What a snapshot was like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Pages.
    pub pages: u64,
    /// Rows on all of them.
    pub rows: u64,
    /// How many rows there should be, if the vendor says so.
    pub total: Option<u64>,
    /// Two pages told different totals.
    pub totals_differ: bool,
    /// Lowest and highest position of its pages.
    pub tags: Option<(u64, u64)>,
    /// The first page's bookmark.
    pub bookmark: Option<Bookmark>,
    /// Pages that named an epoch, and that did not.
    pub epochs: (u64, u64),
    /// Pages named different epochs or snapshots.
    pub torn: bool,
    /// A row that came twice.
    pub repeated: u64,
    /// The position was below a head that had been read before.
    pub is_stale: bool,
    /// After how long it was not any more, in milliseconds, if it was seen.
    pub fresh_after_ms: Option<u64>,
    /// Each row's digest.
    pub digests: BTreeMap<Key, u128>,
    pub(super) names: BTreeSet<(Option<Label>, Option<Label>)>,
}

/// What came of subscribing at an older position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaySeen {
    /// The events after it came again.
    Again,
    /// It was refused.
    Refused,
    /// Another event came first, later than that one, at this position.
    Later(Option<u64>),
    /// Nothing came.
    Nothing,
}

/// What came of a second connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSeen {
    /// Both lived.
    Both,
    /// The first was ended.
    FirstEnded,
    /// The second was refused.
    Refused,
}

impl SnapshotSeen {
    /// Takes in a page.
    pub fn see(&mut self, page: &Page) {
        self.pages += 1;
        self.rows += page.rows.len() as u64;
        self.totals_differ |= self.pages > 1 && self.total != page.total;
        self.total = self.total.or(page.total);
        if let Some(tag) = page.tag {
            let (low, high) = self.tags.unwrap_or((tag, tag));
            self.tags = Some((low.min(tag), high.max(tag)));
        }
        if self.pages == 1 {
            self.bookmark.clone_from(&page.bookmark);
        }
        count(&mut self.epochs, page.epoch.is_some());
        self.names.insert((page.epoch.clone(), page.snapshot_id.clone()));
        self.torn = self.names.len() > 1;
        for row in &page.rows {
            if self.digests.insert(row.key.clone(), row.digest).is_some() {
                self.repeated += 1;
            }
        }
    }
}

impl Sightings {
    /// A socket was opened: times count from here.
    pub fn begin(&mut self, at_ms: u64) {
        self.sign_at_ms = at_ms;
    }

    /// Something came from the socket, or nothing more will be awaited.
    pub fn sign(&mut self, at_ms: u64) {
        self.silence_ms_max = self.silence_ms_max.max(at_ms.saturating_sub(self.sign_at_ms));
        self.sign_at_ms = at_ms;
    }

    /// Takes in a frame that came `at_ms` (of any clock that does not jump).
    pub fn see(&mut self, at_ms: u64, now: UnixMicros, decoded: &Decoded) {
        let of_another = match (&self.subscription, &decoded.subscription) {
            (Some(ours), Some(named)) => ours != named,
            _ => false,
        };
        if of_another {
            self.foreign += 1;
            return;
        }
        let confirms =
            |item: &Item| matches!(item, Item::Ack { .. } | Item::Event(_) | Item::Bookmark { .. });
        if self.subscription.is_none() && decoded.items.iter().any(confirms) {
            self.subscription.clone_from(&decoded.subscription);
        }
        // A bare sign of life has no items, and may be what this vendor's heartbeats are.
        if decoded.items.is_empty() {
            self.heartbeat(at_ms);
        }
        if decoded.items.iter().any(|item| matches!(item, Item::Event(_))) {
            count(&mut self.epochs, decoded.epoch.is_some());
            count(&mut self.subscriptions, decoded.subscription.is_some());
        }
        let is_booked =
            |items: &[Item]| items.iter().any(|item| matches!(item, Item::Bookmark { .. }));
        self.booked |= is_booked(&decoded.items);
        let confirmed = decoded.items.iter().position(|item| matches!(item, Item::Ack { .. }));
        let before = confirmed.and_then(|at| decoded.items.get(..at));
        self.ack_booked |= before.is_some_and(is_booked);
        for item in &decoded.items {
            match item {
                Item::Event(event) => self.event(now, event),
                Item::Ack { position } => self.ack = self.ack.or(Some(*position)),
                Item::Dark { keys, why } => {
                    self.dark += keys;
                    self.dark_why = self.dark_why.take().or_else(|| why.clone());
                }
                Item::Heartbeat { .. } => self.heartbeat(at_ms),
                Item::Unknown => self.unknown += 1,
                Item::Poison { reason, .. }
                | Item::Withheld { reason, .. }
                | Item::Unread { reason, .. } => {
                    self.poison += 1;
                    self.poison_reason.get_or_insert_with(|| reason.clone());
                }
                Item::More | Item::Bookmark { .. } | Item::Refusal(_) | Item::Closing { .. } => {}
            }
        }
    }

    fn heartbeat(&mut self, at_ms: u64) {
        self.heartbeats += 1;
        if let Some(before) = self.heartbeat_at_ms.replace(at_ms) {
            self.heartbeat_ms_max = self.heartbeat_ms_max.max(at_ms.saturating_sub(before));
        }
    }

    fn event(&mut self, now: UnixMicros, event: &Event) {
        self.events += 1;
        match event.sequence {
            None => self.unplaced += u64::from(event.bookmark.is_none()),
            Some(sequence) => self.place(sequence),
        }
        let known = (event.sequence, event.digest);
        if self.first_event.is_none() {
            self.first_event = Some(known);
            self.bookmark = event.bookmark.clone().map(|bookmark| (bookmark, None));
        } else if let Some((_, second @ None)) = &mut self.bookmark {
            *second = Some(event.digest);
        }
        self.last_of_key.insert(event.key.clone(), event.digest);
        if let Some(at) = event.occurred_at {
            let ahead_ms = u64::try_from((at.0 - now.0) / 1_000).unwrap_or(0);
            self.ahead_ms = self.ahead_ms.max(ahead_ms);
        }
    }

    fn place(&mut self, sequence: u64) {
        self.first.get_or_insert(sequence);
        // The confirmed (else the asked) position is the number before the first.
        let before = self.last.or(self.ack.flatten()).or(self.asked);
        match before {
            Some(last) if sequence < last => {
                self.backwards.get_or_insert((last, sequence));
                return;
            }
            Some(last) if sequence == last && self.last.is_some() => {
                self.shared.get_or_insert(sequence);
            }
            Some(last) if sequence > last + 1 => {
                self.hole.get_or_insert((last, sequence));
            }
            _ => {}
        }
        self.last = Some(sequence);
    }
}

fn count((yes, no): &mut (u64, u64), is: bool) {
    if is {
        *yes += 1;
    } else {
        *no += 1;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn event(key: &str, sequence: u64) -> Item {
        Item::Event(Event {
            key: key.into(),
            sequence: Some(sequence),
            bookmark: None,
            event_id: None,
            kind: None,
            deleted: false,
            occurred_at: Some(UnixMicros(3_000_000)),
            digest: u128::from(sequence),
            identity: u128::from(sequence),
            payload: Bytes::new(),
        })
    }

    fn frame(subscription: &str, items: Vec<Item>) -> Decoded {
        Decoded { subscription: Some(subscription.into()), epoch: None, items }
    }

    fn seen(frames: Vec<(u64, Decoded)>) -> Sightings {
        let mut seen = Sightings { asked: Some(4), ..Sightings::default() };
        seen.begin(0);
        for (at_ms, frame) in frames {
            seen.sign(at_ms);
            seen.see(at_ms, UnixMicros(1_000_000), &frame);
        }
        seen
    }

    #[test]
    fn holes_falls_and_shared_positions_are_seen_from_the_position_asked_for() {
        let numbers = |numbers: &[u64]| {
            let events = numbers.iter().map(|n| event("a", *n)).collect();
            let seen = seen(vec![(1, frame("s", events))]);
            (seen.hole, seen.backwards, seen.shared, seen.last)
        };
        assert_eq!(numbers(&[5, 6, 7]), (None, None, None, Some(7)));
        assert_eq!(numbers(&[6, 7]), (Some((4, 6)), None, None, Some(7)));
        assert_eq!(numbers(&[5, 8, 6]), (Some((5, 8)), Some((8, 6)), None, Some(8)));
        assert_eq!(numbers(&[5, 5, 6]), (None, None, Some(5), Some(6)));
    }

    #[test]
    fn frames_of_another_subscription_are_counted_and_nothing_else() {
        let ack = Item::Ack { position: Some(4) };
        let seen = seen(vec![
            (1, frame("ours", vec![ack])),
            (2, frame("old", vec![event("a", 90)])),
            (3, frame("ours", vec![event("a", 5)])),
        ]);
        assert_eq!((seen.foreign, seen.events, seen.ack), (1, 1, Some(Some(4))));
        assert_eq!((seen.hole, seen.subscriptions), (None, (1, 0)));
    }

    #[test]
    fn silence_is_measured_between_signs_of_life_and_heartbeats_between_heartbeats() {
        let beat = |at_ms| (at_ms, frame("s", vec![Item::Heartbeat { position: None }]));
        let seen = seen(vec![beat(100), (900, frame("s", vec![event("a", 5)])), beat(1_000)]);
        assert_eq!((seen.silence_ms_max, seen.heartbeat_ms_max, seen.heartbeats), (800, 900, 2));
        assert_eq!(seen.ahead_ms, 2_000, "the event's time is two seconds ahead of ours");
    }

    #[test]
    fn a_snapshot_is_torn_if_its_pages_name_two_and_a_row_twice_counts() {
        let page = |id: &str, tag| Page {
            snapshot_id: Some(id.into()),
            tag: Some(tag),
            total: Some(2),
            rows: vec![unbroken_core::connector::Row {
                key: "a".into(),
                version: None,
                occurred_at: None,
                digest: 1,
                payload: Bytes::new(),
            }],
            ..Page::default()
        };
        let mut seen = SnapshotSeen::default();
        seen.see(&page("x", 9));
        assert_eq!((seen.torn, seen.repeated, seen.tags), (false, 0, Some((9, 9))));
        seen.see(&page("y", 7));
        assert_eq!((seen.torn, seen.repeated, seen.tags), (true, 1, Some((7, 9))));
        assert_eq!((seen.rows, seen.total, seen.totals_differ), (2, Some(2), false));
    }
}
