//! One subscription that takes several messages: the machine sees it as one.
//!
//! A vendor that takes only so many keys in a message is sent several, and confirms each. What
//! comes before the last confirmation waits, so that the machine hears one confirmation, at a place
//! from which all keys are covered, and then every event.

use unbroken_core::connector::{Class, Decoded, Failure, Item};
use unbroken_core::ids::Label;

/// Most bytes of payloads, and most frames, that may wait. A vendor that sends more before it has
/// confirmed is left; the machine tries again later.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
const WAITING_FRAMES_MAX: usize = 10_000;

/// The confirmations of one subscription.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    awaited: usize,
    parts: usize,
    /// The place from which all parts so far are covered; `None` once a part did not say.
    position: Option<u64>,
    dark: u64,
    dark_why: Option<Label>,
    surplus: u64,
    waiting: Vec<Decoded>,
    waiting_bytes: usize,
    subscriptions: Vec<Label>,
}

impl Joining {
    /// Of a subscription in `parts` messages, each of which will be confirmed. `surplus`: how many
    /// keys the confirmations leave out in sum only because they belong to another part.
    pub(crate) fn new(parts: usize, surplus: u64) -> Self {
        Self { awaited: parts, parts, surplus, ..Self::default() }
    }

    /// It is one message, as nearly always: then there is nothing to join.
    pub(crate) fn is_whole(&self) -> bool {
        self.parts < 2
    }

    /// The ids that the vendor gave the parts, beside the first.
    pub(crate) fn others(&self) -> &[Label] {
        self.subscriptions.get(1..).unwrap_or_default()
    }

    /// What the machine may hear now of what a frame meant.
    pub(crate) fn pass(&mut self, mut decoded: Decoded) -> Vec<Decoded> {
        if self.is_whole() {
            return vec![decoded];
        }
        self.rename(&mut decoded);
        if self.awaited == 0 {
            return vec![decoded];
        }
        let is_ack = decoded.items.iter().any(|item| matches!(item, Item::Ack { .. }));
        if is_ack {
            return self.confirm(decoded);
        }
        let urgent = decoded.items.iter().all(|item| {
            matches!(item, Item::Refusal(_) | Item::Closing { .. } | Item::Heartbeat { .. })
        });
        if urgent {
            return vec![decoded];
        }
        self.waiting_bytes += decoded.items.iter().map(bytes_of).sum::<usize>();
        self.waiting.push(decoded);
        if self.waiting_bytes > WAITING_BYTES_MAX || self.waiting.len() > WAITING_FRAMES_MAX {
            self.waiting = Vec::new();
            let what = "more came before the last confirmation than may wait".into();
            let failure = Failure { class: Class::Retry { after_ms: None }, code: None, what };
            return vec![Decoded { items: vec![Item::Refusal(failure)], ..Decoded::default() }];
        }
        Vec::new()
    }

    /// One more part is confirmed.
    fn confirm(&mut self, mut decoded: Decoded) -> Vec<Decoded> {
        let first = self.awaited == self.parts;
        self.awaited -= 1;
        let mut dark = 0;
        let mut said = None;
        let items = std::mem::take(&mut decoded.items);
        for item in items {
            match item {
                Item::Dark { keys, why } => {
                    dark = keys;
                    self.dark_why = self.dark_why.take().or(why);
                }
                Item::Ack { position } => {
                    self.position = match (first, self.position, position) {
                        (true, _, position) => position,
                        (false, Some(so_far), Some(position)) => Some(so_far.max(position)),
                        _ => None,
                    };
                }
                Item::Bookmark { .. } => said = Some(item),
                other => decoded.items.push(other),
            }
        }
        self.dark += dark;
        let behind = std::mem::take(&mut decoded.items);
        if !behind.is_empty() {
            self.waiting.push(Decoded { items: behind, ..decoded.clone() });
        }
        if self.awaited > 0 {
            return Vec::new();
        }
        let keys = self.dark.saturating_sub(self.surplus);
        let dark = (keys > 0).then(|| Item::Dark { keys, why: self.dark_why.take() });
        let ack = Item::Ack { position: self.position };
        decoded.items = dark.into_iter().chain(said).chain([ack]).collect();
        decoded.subscription = self.subscriptions.first().cloned().or(decoded.subscription);
        let waiting = std::mem::take(&mut self.waiting);
        [decoded].into_iter().chain(waiting).collect()
    }

    /// The vendor gives each part an id of its own; to the machine all of them are the first one.
    fn rename(&mut self, decoded: &mut Decoded) {
        let Some(id) = &decoded.subscription else { return };
        let is_ack = decoded.items.iter().any(|item| matches!(item, Item::Ack { .. }));
        if is_ack && self.awaited > 0 && !self.subscriptions.contains(id) {
            self.subscriptions.push(id.clone());
        }
        if self.subscriptions.contains(id) {
            decoded.subscription = self.subscriptions.first().cloned();
        }
    }
}

fn bytes_of(item: &Item) -> usize {
    match item {
        Item::Event(event) => event.payload.len(),
        Item::Poison { bytes, .. } => bytes.len(),
        Item::Withheld { shape, .. } => shape.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unbroken_core::connector::Event;

    use super::*;

    fn event(key: &str, subscription: &str) -> Decoded {
        let event = Event {
            key: key.into(),
            sequence: Some(1),
            bookmark: None,
            event_id: None,
            kind: None,
            deleted: false,
            occurred_at: None,
            digest: 0,
            identity: 0,
            payload: Bytes::from_static(b"{}"),
        };
        of(vec![Item::Event(event)], subscription)
    }

    fn of(items: Vec<Item>, subscription: &str) -> Decoded {
        Decoded { subscription: Some(subscription.into()), epoch: None, items }
    }

    fn ack(position: Option<u64>, subscription: &str) -> Decoded {
        of(vec![Item::Ack { position }], subscription)
    }

    #[test]
    fn one_message_changes_nothing() {
        let mut joining = Joining::new(1, 0);
        assert_eq!(joining.pass(event("a", "s")), [event("a", "s")]);
        assert_eq!(joining.pass(ack(Some(3), "s")), [ack(Some(3), "s")]);
    }

    #[test]
    fn events_wait_for_the_last_confirmation_and_follow_it() {
        let mut joining = Joining::new(3, 0);
        assert_eq!(joining.pass(ack(Some(5), "s1")), []);
        assert_eq!(joining.pass(event("a", "s1")), []);
        assert_eq!(joining.pass(ack(Some(9), "s2")), []);
        assert_eq!(
            joining.pass(ack(Some(7), "s3")),
            [ack(Some(9), "s1"), event("a", "s1")],
            "all keys are covered from the highest place on, and an id of a part is the first's"
        );
        assert_eq!(joining.pass(event("b", "s3")), [event("b", "s1")]);
        assert_eq!(joining.pass(event("b", "old")), [event("b", "old")]);
        assert_eq!(joining.others(), ["s2".into(), "s3".into()]);
    }

    #[test]
    fn a_part_that_names_no_place_leaves_none() {
        let mut joining = Joining::new(2, 0);
        joining.pass(ack(Some(5), "s"));
        assert_eq!(joining.pass(ack(None, "s")), [ack(None, "s")]);
        let mut joining = Joining::new(2, 0);
        joining.pass(ack(None, "s"));
        assert_eq!(joining.pass(ack(Some(5), "s")), [ack(None, "s")]);
    }

    #[test]
    fn keys_that_a_part_leaves_out_are_summed() {
        let dark =
            |keys| of(vec![Item::Dark { keys, why: None }, Item::Ack { position: None }], "s");
        let mut joining = Joining::new(2, 20);
        assert_eq!(joining.pass(dark(11)), []);
        assert_eq!(joining.pass(dark(12)), [dark(3)]);
    }

    #[test]
    fn a_refusal_is_heard_at_once() {
        let mut joining = Joining::new(2, 0);
        let failure = Failure { class: Class::Fatal, code: None, what: "x".into() };
        let refusal = of(vec![Item::Refusal(failure)], "s");
        assert_eq!(joining.pass(refusal.clone()), [refusal]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut joining = Joining::new(2, 0);
        for _ in 0..WAITING_FRAMES_MAX {
            assert_eq!(joining.pass(event("a", "s")), []);
        }
        let said = joining.pass(event("a", "s"));
        assert!(matches!(said[0].items[..], [Item::Refusal(_)]), "{said:?}");
    }
}
