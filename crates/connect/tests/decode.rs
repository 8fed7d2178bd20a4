//! Small captured frames, and what the embedded profiles make of them.

use bytes::Bytes;
use unbroken_connect::config::ProfileChoice;
use unbroken_connect::generic::Generic;
use unbroken_core::connector::{Class, Connector, Decoded, Event, Failure, Item};
use unbroken_core::ids::{Key, Label};
use unbroken_core::record::digest;
use unbroken_core::time::UnixMicros;

macro_rules! frame {
    ($path:literal) => {
        Bytes::from_static(include_bytes!(concat!("frames/", $path, ".json")))
    };
}

fn profile(name: &str) -> Generic {
    ProfileChoice::embedded(name).connector(false).unwrap()
}

fn with(name: &str, keys: &str) -> Generic {
    let choice = ProfileChoice { over: keys.parse().unwrap(), ..ProfileChoice::embedded(name) };
    choice.connector(false).unwrap()
}

fn decoded(subscription: Option<&str>, epoch: Option<&str>, items: Vec<Item>) -> Decoded {
    Decoded { subscription: subscription.map(Label::from), epoch: epoch.map(Label::from), items }
}

fn refusal(class: Class, what: &str) -> Item {
    Item::Refusal(Failure { class, code: None, what: what.into() })
}

fn poison(decoded: &Decoded) -> (&str, &Bytes) {
    match decoded.items.as_slice() {
        [Item::Poison { reason, bytes }] => (reason.as_str(), bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cxone_events_keep_the_vendors_bytes() {
    let frame = frame!("cxone/event");
    let decoded = profile("cxone").decode(&frame);
    assert_eq!(decoded.subscription, Some("s-1".into()));
    assert_eq!(decoded.epoch, Some("e-7".into()));
    let [Item::Event(event)] = decoded.items.as_slice() else { panic!("{decoded:?}") };
    let payload = br#"{"agentId":"a-1","state":"Available", "since":"2026-11-06T08:49:37Z"}"#;
    let canonical = br#"{"agentId":"a-1","since":"2026-11-06T08:49:37Z","state":"Available"}"#;
    assert_eq!(
        *event,
        Event {
            key: Key::from("a-1"),
            sequence: Some(u64::MAX),
            bookmark: None,
            event_id: None,
            kind: Some("event".into()),
            deleted: false,
            occurred_at: Some(UnixMicros(1_793_954_977_250_000)),
            digest: digest(&[canonical.as_slice(), b"\n"].concat()),
            identity: digest(&[canonical.as_slice(), b"\n"].concat()),
            payload: Bytes::from_static(payload),
        }
    );
    let within = frame.as_ptr_range().contains(&event.payload.as_ptr());
    assert!(within, "the payload is a slice of the frame, not a copy");
}

#[test]
fn cxone_frames_are_told_apart() {
    let cxone = profile("cxone");
    let ours = |items| decoded(Some("s-1"), Some("e-7"), items);
    let bare = |items| decoded(None, None, items);
    let stale = |floor| refusal(Class::Stale { floor }, "stale_sequence");
    let retry = Class::Retry { after_ms: None };
    for (frame, expected) in [
        (frame!("cxone/subscribed"), ours(vec![Item::Ack { position: Some(10) }])),
        (frame!("cxone/subscribed_without_position"), ours(vec![Item::Ack { position: None }])),
        (frame!("cxone/heartbeat"), bare(vec![Item::Heartbeat { position: Some(11) }])),
        (frame!("cxone/heartbeat_without_position"), bare(vec![])),
        (frame!("cxone/stale"), bare(vec![stale(None)])),
        (frame!("cxone/stale_with_floor"), bare(vec![stale(Some(9))])),
        (
            frame!("cxone/unknown_sequence"),
            bare(vec![refusal(Class::Stale { floor: None }, "unknown_sequence")]),
        ),
        (frame!("cxone/unauthorized"), bare(vec![refusal(Class::Reauthorize, "unauthorized")])),
        (frame!("cxone/other_error"), bare(vec![refusal(retry, "error frame that no rule names")])),
        (frame!("cxone/closing"), bare(vec![Item::Closing { within_ms: Some(1_500) }])),
        (frame!("cxone/unsubscribed"), decoded(Some("s-1"), None, vec![])),
        (frame!("cxone/unknown"), bare(vec![Item::Unknown])),
    ] {
        assert_eq!(cxone.decode(&frame), expected, "{}", String::from_utf8_lossy(&frame));
    }
}

#[test]
fn cxone_deletions_have_no_value() {
    let decoded = profile("cxone").decode(&frame!("cxone/removed"));
    let [Item::Event(event)] = decoded.items.as_slice() else { panic!("{decoded:?}") };
    assert_eq!((event.deleted, event.digest, event.sequence), (true, 0, Some(12)));
    assert_eq!(event.key, Key::from("a-1"));
}

#[test]
fn what_cannot_be_understood_is_poison_and_shows_no_payload() {
    let cxone = profile("cxone");
    let not_utf8 = Bytes::from_static(b"{\"type\":\"event\xff\"}");
    for (frame, reason) in [
        (
            frame!("cxone/event_without_sequence"),
            "event/sequenceId: expected a 64-bit position, found a text that is no number",
        ),
        (frame!("cxone/event_without_key"), "event/adherence/agentId: expected a key"),
        (frame!("cxone/cut_off"), "frame: JSON ends early at line 1 column 37"),
        (not_utf8, "frame: expected UTF-8"),
        (Bytes::new(), "frame: JSON ends early at line 1 column 0"),
        (Bytes::from_static(b"{} {}"), "frame: expected JSON at line 1 column 4"),
    ] {
        let decoded = cxone.decode(&frame);
        assert_eq!(poison(&decoded), (reason, &frame));
    }
}

#[test]
fn every_prefix_and_every_flipped_byte_of_a_frame_is_survived() {
    for (profile, frame) in [
        (profile("cxone"), frame!("cxone/event")),
        (profile("etcd"), frame!("etcd/events")),
        (profile("etcd"), frame!("etcd/compacted")),
    ] {
        for end in 0..frame.len() {
            assert!(!profile.decode(&frame.slice(..end)).items.is_empty());
        }
        for at in 0..frame.len() {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut bytes = frame.to_vec();
                bytes[at] ^= flip;
                profile.decode(&Bytes::from(bytes));
            }
        }
    }
}

#[test]
fn a_numbering_that_is_declared_away_is_not_seen() {
    let cxone = with("cxone", "[capabilities]\nposition = \"none\"");
    let decoded = cxone.decode(&frame!("cxone/event"));
    assert!(matches!(decoded.items.as_slice(), [Item::Event(Event { sequence: None, .. })]));
    assert_eq!(cxone.decode(&frame!("cxone/subscribed")).items, [Item::Ack { position: None }]);
    assert_eq!(cxone.decode(&frame!("cxone/heartbeat")).items, []);
}

#[test]
fn etcd_frames_of_the_real_server_are_understood() {
    let etcd = profile("etcd");
    let decoded = etcd.decode(&frame!("etcd/events"));
    assert_eq!(decoded.subscription, Some("1".into()));
    assert_eq!(decoded.epoch, Some("2067609463299508274".into()));
    let event = |key: &str, sequence, payload: &'static [u8]| Event {
        key: Key::from(key),
        sequence: Some(sequence),
        bookmark: None,
        event_id: None,
        kind: None,
        deleted: false,
        occurred_at: None,
        digest: digest(payload),
        identity: digest(payload),
        payload: Bytes::from_static(payload),
    };
    let deletion = Event {
        kind: Some("DELETE".into()),
        deleted: true,
        digest: 0,
        identity: 0,
        ..event("agents/b", 4, b"")
    };
    assert_eq!(
        decoded.items,
        [
            Item::Event(event("agents/a", 3, b"2")),
            Item::Event(event("agents/b", 3, b"")),
            Item::Event(deletion),
        ]
    );
}

#[test]
fn etcd_confirmations_and_cancellations_are_told_apart() {
    let etcd = profile("etcd");
    let items = |frame| etcd.decode(&frame).items;
    assert_eq!(items(frame!("etcd/created_after")), [Item::Ack { position: None }]);
    assert_eq!(items(frame!("etcd/created_now")), [Item::Ack { position: Some(2) }]);
    let stale = Class::Stale { floor: Some(4) };
    assert_eq!(
        items(frame!("etcd/compacted")),
        [refusal(stale, "watched revision has been compacted")]
    );
    let retry = Class::Retry { after_ms: None };
    assert_eq!(items(frame!("etcd/canceled")), [refusal(retry, "error frame that no rule names")]);
}
