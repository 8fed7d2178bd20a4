//! Opaque positions in a profile: of each event, of a frame as a whole, of a confirmation, of a
//! snapshot; and given back to the vendor as they came.

use bytes::Bytes;
use unbroken_connect::config::ProfileChoice;
use unbroken_connect::generic::{Context, Generic};
use unbroken_core::bookmark::{After, BOOKMARK_BYTES_MAX, Bookmark};
use unbroken_core::connector::{Connector, Item};
use unbroken_core::machine::{Fetch, Message};

const EACH: &str = "capabilities = { position = 'opaque' }";
const PAGES: &str = "capabilities = { position = 'opaque' }
frames = { bookmark = '/lastPollTime' }";

fn profile(over: &str) -> Generic {
    let choice = ProfileChoice { over: over.parse().unwrap(), ..ProfileChoice::embedded("cxone") };
    choice.connector(false).unwrap()
}

fn items(profile: &Generic, frame: &str) -> Vec<Item> {
    profile.decode(&Bytes::copy_from_slice(frame.as_bytes())).items
}

fn bookmark(text: &str) -> Bookmark {
    Bookmark::new(text.as_bytes()).unwrap()
}

const EVENT: &str = r#"{"type":"event","adherence":{"agentId":"a-1"},"sequenceId":"rs\u003d=/7"}"#;

#[test]
fn an_event_s_own_position_is_its_text() {
    let items = items(&profile(EACH), EVENT);
    let [Item::Event(event)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((event.sequence, &event.bookmark), (None, &Some(bookmark("rs==/7"))));
}

#[test]
fn a_position_that_is_none_is_poison() {
    let long = "x".repeat(BOOKMARK_BYTES_MAX + 1);
    for at in ["null", r#""""#, "{}", &format!(r#""{long}""#)] {
        let frame = EVENT.replace(r#""rs\u003d=/7""#, at);
        let items = items(&profile(EACH), &frame);
        let [Item::Poison { reason, .. }] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!(reason.as_str(), "event/sequenceId: expected an opaque position");
    }
}

#[test]
fn a_confirmation_says_where_it_stands_before_it_confirms() {
    let items = items(&profile(EACH), r#"{"type":"subscribed","sequenceId":"rs-9"}"#);
    assert_eq!(items, [Item::Bookmark { at: bookmark("rs-9") }, Item::Ack { position: None }]);
}

#[test]
fn a_frame_s_position_lies_behind_its_events() {
    let frame =
        r#"{"type":"event","adherence":{"agentId":"a-1"},"sequenceId":"x","lastPollTime":"T1"}"#;
    let items = items(&profile(PAGES), frame);
    assert_eq!(items.len(), 2);
    assert_eq!(items[1], Item::Bookmark { at: bookmark("T1") });
}

#[test]
fn a_snapshot_and_a_head_have_one() {
    let profile = profile(EACH);
    let body = Bytes::from_static(br#"{"sequenceId":"rs-4","epoch":"e","total":0,"schedules":[]}"#);
    for fetch in [Fetch::First, Fetch::Head] {
        let page = profile.page(&fetch, &body, &[]).unwrap();
        assert_eq!((page.tag, page.bookmark), (None, Some(bookmark("rs-4"))), "{fetch:?}");
    }
}

#[test]
fn it_is_given_back_as_it_came() {
    let after = Some(After::Bookmark(bookmark(r#"a"b"#)));
    let message = Message::Subscribe { after };
    let text = profile(EACH).message(&message, Context::default()).unwrap().unwrap();
    assert!(text.contains(r#""sequenceId":"a\"b""#), "{text}");
}

#[test]
fn events_that_share_one_are_refused_in_a_profile() {
    let over = "capabilities = { position = 'opaque', position_unique = false }";
    let choice = ProfileChoice { over: over.parse().unwrap(), ..ProfileChoice::embedded("cxone") };
    let refused = choice.connector(false).unwrap_err();
    assert!(refused.to_string().contains("frames.bookmark"), "{refused}");
}
