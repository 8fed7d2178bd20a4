//! Frames with many events, in every shape that a profile can name.

use bytes::Bytes;
use unbroken_connect::generic::Generic;
use unbroken_core::connector::{Connector, Event, Item};

const BASE: &str = r#"
description = "many"
stream = { name = "s", path = "/s" }
messages = { subscribe = { now = "{}" } }
capabilities = { position = "increasing", token_needed = false }
[frames]
kinds = [{ at = "/type", equals = "news", is = "event" }]
[frames.event]
key = "/id"
sequence = "/n"
"#;

fn profile(over: &str) -> Generic {
    Generic::from_toml(BASE, over.parse().unwrap(), false).unwrap()
}

fn items(over: &str, frame: &str) -> Vec<Item> {
    profile(over).decode(&Bytes::copy_from_slice(frame.as_bytes())).items
}

fn events(over: &str, frame: &str) -> Vec<Event> {
    let event = |item| match item {
        Item::Event(event) => event,
        other => panic!("{other:?}"),
    };
    items(over, frame).into_iter().map(event).collect()
}

fn told(over: &str, frame: &str) -> Vec<(String, u64, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let told = |e: Event| (e.key.as_str().to_owned(), e.sequence.unwrap(), text(&e.payload));
    events(over, frame).into_iter().map(told).collect()
}

fn one(key: &str, sequence: u64, payload: &str) -> (String, u64, String) {
    (key.to_owned(), sequence, payload.to_owned())
}

#[test]
fn an_array_of_events() {
    let frame = r#"{"type":"news","list":[{"id":"a","n":1}, {"id":"b","n":2}]}"#;
    let expected = [one("a", 1, r#"{"id":"a","n":1}"#), one("b", 2, r#"{"id":"b","n":2}"#)];
    assert_eq!(told("frames.event.items = '/list'", frame), expected);
}

#[test]
fn arrays_in_arrays_in_the_order_in_which_they_are_written() {
    let frame = r#"{"type":"news","groups":[{"x":[{"id":"a","n":1}]},{"x":[{"id":"b","n":2}]}]}"#;
    let keys: Vec<u64> =
        told("frames.event.items = '/groups/*/x'", frame).into_iter().map(|e| e.1).collect();
    assert_eq!(keys, [1, 2]);
}

#[test]
fn members_of_an_object_are_events_of_the_key_that_is_their_name() {
    let over = "frames.event = { items = '/agents', items_map = true, key = '@name',
        payload = '/state' }";
    let frame =
        r#"{"type":"news","agents":{"a":{"n":1,"state":"x"},"b\u0021":{"n":2,"state":[]}}}"#;
    assert_eq!(told(over, frame), [one("a", 1, "\"x\""), one("b!", 2, "[]")]);
}

#[test]
fn several_events_share_the_position_of_their_frame() {
    let over = "capabilities.position_unique = false
        frames.event = { items = '/list', sequence = 'outer:/at/n', kind = 'outer:/type' }";
    let frame = r#"{"type":"news","at":{"n":"7"},"list":[{"id":"a"},{"id":"b"}]}"#;
    let events = events(over, frame);
    assert_eq!(events.iter().map(|e| e.sequence).collect::<Vec<_>>(), [Some(7), Some(7)]);
    assert_eq!(events[1].kind, Some("news".into()));
}

#[test]
fn a_frame_that_should_hold_events_and_does_not_is_no_quiet_afternoon() {
    let over = "frames.event.items = '/list'";
    assert_eq!(items(over, r#"{"type":"news","lst":[{"id":"a","n":1}]}"#), [Item::Unknown]);
    assert_eq!(items(over, r#"{"type":"news","list":null}"#), [Item::Unknown]);
    let optional = format!("{over}\nframes.event.items_optional = true");
    assert_eq!(items(&optional, r#"{"type":"news"}"#), []);
    let poison = items(over, r#"{"type":"news","list":{"id":"a","n":1}}"#);
    let [Item::Poison { reason, .. }] = poison.as_slice() else { panic!("{poison:?}") };
    assert_eq!(reason.as_str(), "frame.items: expected a list");
}

#[test]
fn one_bad_event_among_good_ones_is_poison_by_itself() {
    let frame = r#"{"type":"news","list":[{"id":"a","n":1},{"id":"b"},{"id":"c","n":3}]}"#;
    let items = items("frames.event.items = '/list'", frame);
    let [Item::Event(_), Item::Poison { reason, bytes }, Item::Event(_)] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!(reason.as_str(), "event/n: expected a 64-bit position, found nothing");
    assert_eq!(bytes, &Bytes::from_static(br#"{"id":"b"}"#));
}

#[test]
fn base64_keys_and_values_and_a_deletion_by_rule() {
    let over = "frames.event = { items = '/list', key_encoding = 'base64', payload = '/v',
        payload_encoding = 'base64', deleted = { at = '/gone', equals = true } }";
    let frame = r#"{"type":"news","list":[{"id":"YQ==","n":1,"v":"MQ=="},
        {"id":"YQ==","n":2,"gone":true}]}"#;
    let events = events(over, frame);
    assert_eq!((events[0].key.as_str(), &events[0].payload[..]), ("a", b"1".as_slice()));
    assert!(events[1].deleted && events[1].payload.is_empty());
}
