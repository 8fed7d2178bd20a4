//! Positions in all their forms: exact, or poison that says what was there.

use bytes::Bytes;
use unbroken_connect::config::ProfileChoice;
use unbroken_connect::generic::{Context, Generic};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Connector, Item};
use unbroken_core::machine::{Fetch, Message};

fn profile(over: &str) -> Generic {
    let choice = ProfileChoice { over: over.parse().unwrap(), ..ProfileChoice::embedded("cxone") };
    choice.connector(false).unwrap()
}

fn event(sequence: &str) -> Bytes {
    let adherence = r#"{"agentId":"a-1","state":"Break"}"#;
    Bytes::from(format!(r#"{{"type":"event","sequenceId":{sequence},"adherence":{adherence}}}"#))
}

fn sequence(profile: &Generic, sequence: &str) -> Result<u64, String> {
    match profile.decode(&event(sequence)).items.as_slice() {
        [Item::Event(event)] => Ok(event.sequence.unwrap()),
        [Item::Poison { reason, bytes }] => {
            assert_eq!(bytes, &event_bytes(sequence), "the frame is kept as it came");
            Err(reason.to_string())
        }
        other => panic!("{other:?}"),
    }
}

fn event_bytes(sequence: &str) -> Bytes {
    event(sequence)
}

#[test]
fn whole_numbers_and_decimal_texts_are_exact_to_the_last_of_64_bits() {
    let cxone = profile("");
    for (written, read) in [
        ("0", 0),
        ("9007199254740993", (1 << 53) + 1),
        ("\"9007199254740993\"", (1 << 53) + 1),
        ("18446744073709551615", u64::MAX),
        ("\"18446744073709551615\"", u64::MAX),
    ] {
        assert_eq!(sequence(&cxone, written), Ok(read));
    }
}

#[test]
fn what_is_no_position_is_poison_that_says_what_was_there() {
    let cxone = profile("");
    for (written, found) in [
        ("-1", "a negative number"),
        ("\"-5\"", "a negative number"),
        ("12.0", "a number with a fraction or an exponent"),
        ("1e3", "a number with a fraction or an exponent"),
        ("18446744073709551616", "a number beyond 64 bits"),
        ("\"hunter2\"", "a text that is no number"),
        ("true", "a boolean"),
        ("null", "null"),
        ("[7]", "an array"),
    ] {
        let expected = format!("event/sequenceId: expected a 64-bit position, found {found}");
        assert_eq!(sequence(&cxone, written), Err(expected), "{written}");
    }
}

#[test]
fn hexadecimal_positions_are_read_and_written() {
    let hex = profile(
        "position_format = 'hex'
         [messages.subscribe]
         after_all = '[\"0x{{ position | hex }}\",\"{{ position_next | hex16 }}\"]'",
    );
    assert_eq!(sequence(&hex, "\"0xFFFFffffffffffff\""), Ok(u64::MAX));
    assert_eq!(sequence(&hex, "\"1f\""), Ok(31));
    let error = sequence(&hex, "31").unwrap_err();
    assert!(error.ends_with("found a number, not a hexadecimal text"), "{error}");
    let message = Message::Subscribe { after: Some(After::Sequence(255)) };
    let text = hex.message(&message, Context::default()).unwrap().unwrap();
    assert_eq!(text, r#"["0xff","0000000000000100"]"#);
    let body = Bytes::from_static(br#"{"sequenceId":"0x10","total":0,"schedules":[]}"#);
    for fetch in [Fetch::First, Fetch::Head] {
        assert_eq!(hex.page(&fetch, &body, &[]).unwrap().tag, Some(16));
    }
    let ack = Bytes::from_static(br#"{"type":"subscribed","sequenceId":"10"}"#);
    assert_eq!(hex.decode(&ack).items, [Item::Ack { position: Some(16) }]);
    let refusal = br#"{"code":"stale_sequence","floor":"0x20"}"#;
    assert_eq!(hex.classify_status(409, None, refusal).class, Class::Stale { floor: Some(32) });
}

#[test]
fn a_page_without_a_whole_position_is_asked_for_again() {
    for (tag, found) in [("-1", "a negative number"), ("1.5", "a number with a fraction")] {
        let body = format!(r#"{{"sequenceId":{tag},"total":0,"schedules":[]}}"#);
        for fetch in [Fetch::First, Fetch::Head] {
            let error = profile("").page(&fetch, &Bytes::from(body.clone()), &[]).unwrap_err();
            assert_eq!(error.class, Class::Retry { after_ms: None });
            assert!(error.what.as_str().contains(found), "{}", error.what);
        }
    }
}

#[test]
fn a_confirmation_with_no_whole_position_names_none() {
    for position in ["-1", "1.5", "\"x\"", "null"] {
        let frame = format!(r#"{{"type":"subscribed","sequenceId":{position}}}"#);
        let decoded = profile("").decode(&Bytes::from(frame));
        assert_eq!(decoded.items, [Item::Ack { position: None }], "{position}");
    }
}

#[test]
fn after_the_last_of_all_positions_the_same_is_asked_for_again() {
    let text = "messages.subscribe.after_all = '{\"from\":{{ position_next }}}'";
    let message = Message::Subscribe { after: Some(After::Sequence(u64::MAX)) };
    let text = profile(text).message(&message, Context::default()).unwrap().unwrap();
    assert_eq!(text, r#"{"from":18446744073709551615}"#);
}
