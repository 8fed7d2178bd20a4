//! A confirmation that covers only a part of the wanted keys says so, in either of two forms.

use bytes::Bytes;
use unbroken_connect::config::ProfileChoice;
use unbroken_connect::generic::Generic;
use unbroken_core::connector::Item;
use unbroken_core::ids::Key;

const COVERED: &[u8] = br#"{"type":"subscribed","sequenceId":10,"agentIds":["a-1","a-3"]}"#;
const REFUSED: &[u8] =
    br#"{"type":"subscribed","sequenceId":10,"rejected":[{"agentId":"a-2","why":"permission"}]}"#;

fn profile() -> Generic {
    let over = "frames.coverage = { keys = '/agentIds', refused = '/rejected' }";
    let choice = ProfileChoice { over: over.parse().unwrap(), ..ProfileChoice::embedded("cxone") };
    choice.connector(true).unwrap()
}

fn items(frame: &'static [u8], wanted: &[&'static str]) -> Vec<Item> {
    let wanted = wanted.iter().map(|key| Key::from(*key)).collect();
    profile().decode_for(&Bytes::from_static(frame), || wanted).items
}

#[test]
fn wanted_keys_that_are_not_confirmed_are_counted() {
    let dark = [Item::Dark { keys: 1, why: None }, Item::Ack { position: Some(10) }];
    assert_eq!(items(COVERED, &["a-1", "a-2", "a-3"]), dark);
    assert_eq!(items(COVERED, &["a-1", "a-3"]), [Item::Ack { position: Some(10) }]);
    assert_eq!(items(COVERED, &[]), [Item::Ack { position: Some(10) }], "none named: all wanted");
}

#[test]
fn refused_keys_are_counted() {
    let dark = [Item::Dark { keys: 1, why: None }, Item::Ack { position: Some(10) }];
    assert_eq!(items(REFUSED, &["a-1", "a-2"]), dark);
    assert_eq!(items(REFUSED, &[]), dark);
}
