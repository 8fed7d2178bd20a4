//! Profiles as a user meets them: overridden, wrong, rendered.

use std::error::Error;

use bytes::Bytes;
use unbroken_connect::config::{ProfileChoice, SourceConfig};
use unbroken_connect::generic::{Context, Generic, ProfileError, embedded_names};
use unbroken_connect::secret::Secret;
use unbroken_connect::source::{Source, SourceError};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{
    Ack, Class, Connector, Coverage, Failure, Numbering, Paging, Replay, SnapshotKind,
};
use unbroken_core::ids::Key;
use unbroken_core::machine::{Fetch, Message};

fn with(name: &str, keys: &str) -> Result<Generic, ProfileError> {
    let choice = ProfileChoice { over: keys.parse().unwrap(), ..ProfileChoice::embedded(name) };
    choice.connector(false)
}

fn cxone(keys: &str) -> Generic {
    with("cxone", keys).unwrap()
}

#[test]
fn every_embedded_profile_is_usable_as_it_is() {
    for name in embedded_names() {
        assert!(with(name, "").is_ok(), "{name}");
    }
}

#[test]
fn a_wrong_key_is_refused_with_the_nearest_right_one() {
    for (keys, hint) in [
        ("[capabilities]\npositon = \"none\"", "did you mean `position`?"),
        ("[capabilities]\nposition = \"contigous\"", "did you mean `contiguous`?"),
        ("[snapshot.rows]\npayloda = \"/x\"", "did you mean `payload`?"),
        ("[classify.http]\n\"401\" = \"reauthorise\"", "did you mean `reauthorize`?"),
        ("snapshto = {}", "did you mean `snapshot`?"),
        ("[messages]\nping = \"{{ nonec }}\"", "did you mean `nonce`?"),
    ] {
        let error = with("cxone", keys).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some(hint), "{keys}: {error:?}");
    }
    let error = ProfileChoice::embedded("cxonee").connector(false).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `cxone`?");
}

#[test]
fn what_capabilities_promise_must_be_there() {
    let error = with("etcd", "[messages.subscribe]\nafter = 1").unwrap_err();
    assert!(matches!(error, ProfileError::Invalid(_)));
    let text = "[capabilities]\nposition = \"contiguous\"\nreplay = \"from_position\"";
    let bare = r#"
        description = "bare"
        messages = {}
        stream = { name = "s", path = "/s" }
        [frames]
        kinds = []
        event = { key = "/k", sequence = "/n" }
    "#;
    let error = Generic::from_toml(bare, text.parse().unwrap(), false).unwrap_err();
    assert!(matches!(error, ProfileError::NoSubscribe { key: "after", .. }), "{error:?}");
}

#[test]
fn each_numbering_is_one_override_away() {
    let capabilities = |numbering: &str| {
        let keys = format!("[capabilities]\nposition = \"{numbering}\"");
        cxone(&keys).capabilities().clone()
    };
    for (name, numbering) in
        [("contiguous", Numbering::Contiguous), ("increasing", Numbering::Increasing)]
    {
        let capabilities = capabilities(name);
        assert_eq!(capabilities.position, numbering);
        assert_eq!(capabilities.replay, Replay::FromPosition);
        assert_eq!(capabilities.snapshot, SnapshotKind::Positioned);
    }
    let none = capabilities("none");
    assert_eq!(none.position, Numbering::None);
    assert_eq!((none.replay, none.ack), (Replay::None, Ack::Plain));
    assert_eq!(none.snapshot, SnapshotKind::Unpositioned);
    assert!(!none.rest_first && none.paging == Paging::Offset);
}

#[test]
fn cxone_requests_and_messages_have_the_reported_shape() {
    let cxone = cxone("");
    let keys = [Key::from("a-1"), Key::from("a\"2")];
    let token = Secret::new("t0k3n");
    let context = Context { keys: &keys, token: Some(&token), ..Context::default() };
    let request = cxone.fetch(&Fetch::First, context).unwrap();
    assert_eq!(request.path_and_query, "/api/v2/wfm/schedules?limit=500&offset=0");
    assert_eq!(request.headers[0].value, "Bearer t0k3n");
    assert!(!format!("{request:?}").contains("t0k3n"));
    let message = |after: Option<u64>, context| {
        let after = after.map(After::Sequence);
        cxone.message(&Message::Subscribe { after }, context).unwrap().unwrap()
    };
    let resources = r#""resources":["adherence"]"#;
    let head = r#"{"action":"subscribe","resource":"adherence","payload":{"#;
    let agents = r#""agentIds":["a-1","a\"2"]"#;
    assert_eq!(
        message(Some(7), context),
        format!("{head}\"sequenceId\":7,{resources},{agents}}}}}")
    );
    assert_eq!(message(None, context), format!("{head}{resources},{agents}}}}}"));
    let all = Context::default();
    assert_eq!(message(Some(7), all), format!("{head}\"sequenceId\":7,{resources}}}}}"));
    assert_eq!(message(None, all), format!("{head}{resources}}}}}"));
}

#[test]
fn an_unsubscription_names_the_subscription_or_is_not_sent() {
    let cxone = cxone("");
    assert_eq!(cxone.message(&Message::Unsubscribe, Context::default()).unwrap(), None);
    let context = Context { subscription: Some("s-1"), ..Context::default() };
    let text = cxone.message(&Message::Unsubscribe, context).unwrap().unwrap();
    assert!(text.contains(r#""subscriptionId":"s-1""#), "{text}");
    assert_eq!(cxone.message(&Message::Ping, Context::default()).unwrap(), None);
}

const PAGE: &[u8] = br#"{"sequenceId":41,"epoch":"e-7","total":3,"schedules":[
    {"agentId":"a-1","shift":{},"adherence":{"agentId":"a-1","state":"Available"}},
    {"agentId":"a-2","shift":{},"adherence":{"agentId":"a-2","state":"Break"}}]}"#;

#[test]
fn offset_paging_goes_on_until_the_total_is_reached() {
    let cxone = cxone("");
    let page = cxone.page(&Fetch::First, &Bytes::from_static(PAGE), &[]).unwrap();
    assert_eq!((page.tag, page.total, page.rows.len()), (Some(41), Some(3), 2));
    let next = Fetch::Next(page.next.unwrap());
    let token = Secret::new("t");
    let context = Context { token: Some(&token), ..Context::default() };
    let request = cxone.fetch(&next, context).unwrap();
    assert_eq!(request.path_and_query, "/api/v2/wfm/schedules?limit=500&offset=2");
    let last = br#"{"sequenceId":42,"epoch":"e-7","total":3,"schedules":[
        {"agentId":"a-3","adherence":{"agentId":"a-3","state":"Lunch"}}]}"#;
    let page = cxone.page(&next, &Bytes::from_static(last), &[]).unwrap();
    assert_eq!((page.tag, page.rows.len(), page.next), (Some(42), 1, None));
    let empty = br#"{"sequenceId":42,"total":3,"schedules":[]}"#;
    assert_eq!(cxone.page(&next, &Bytes::from_static(empty), &[]).unwrap().next, None);
}

#[test]
fn rows_of_others_are_passed_over_and_the_total_is_still_compared() {
    let keyed = ProfileChoice::embedded("cxone").connector(true).unwrap();
    let keys = [Key::from("a-2"), Key::from("a-3")];
    let page = |what: &Fetch, body| keyed.page(what, &Bytes::from_static(body), &keys);
    let first = page(&Fetch::First, PAGE).unwrap();
    let held: Vec<_> = first.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!((held, first.total), (vec!["a-2"], None));
    let next = Fetch::Next(first.next.unwrap());
    let row = br#"{"sequenceId":42,"epoch":"e-7","total":3,"schedules":[
        {"agentId":"a-9","adherence":{}}]}"#;
    let last = page(&next, row).unwrap();
    assert_eq!((last.rows.len(), last.next), (0, None));
    for (body, what) in [
        (br#"{"sequenceId":42,"total":4,"schedules":[]}"#.as_slice(), "changed between pages"),
        (br#"{"sequenceId":42,"total":3,"schedules":[]}"#.as_slice(), "fewer rows"),
    ] {
        let torn = page(&next, body).unwrap_err();
        assert!(torn.what.as_str().contains(what), "{torn:?}");
    }
}

#[test]
fn with_keys_the_numbering_has_holes_unless_the_user_says_otherwise() {
    let keyed = |keys: &str| {
        let over = keys.parse().unwrap();
        let choice = ProfileChoice { over, ..ProfileChoice::embedded("cxone") };
        choice.connector(true).unwrap().capabilities().clone()
    };
    let declared = keyed("");
    assert_eq!(declared.position, Numbering::Increasing);
    assert_eq!(declared.coverage, Coverage::Filtered);
    assert_eq!(cxone("").capabilities().position, Numbering::Contiguous);
    let said = keyed("[capabilities]\nposition = \"contiguous\"");
    assert_eq!((said.position, said.coverage), (Numbering::Contiguous, Coverage::Filtered));
    let laid = keyed("[with_keys.capabilities]\ncoverage = \"full\"");
    assert_eq!((laid.position, laid.coverage), (Numbering::Increasing, Coverage::Full));
}

#[test]
fn a_row_and_an_event_of_the_same_value_have_one_digest() {
    let cxone = cxone("");
    let page = cxone.page(&Fetch::First, &Bytes::from_static(PAGE), &[]).unwrap();
    let frame = br#"{"type":"event","subscriptionId":"s","sequenceId":41,
        "adherence":{ "state" : "Available", "agentId":"a-1" }}"#;
    let decoded = cxone.decode(&Bytes::from_static(frame));
    let [unbroken_core::connector::Item::Event(event)] = decoded.items.as_slice() else {
        panic!("{decoded:?}")
    };
    assert_eq!(event.digest, page.rows[0].digest);
    assert_ne!(event.digest, page.rows[1].digest);
}

#[test]
fn the_head_is_a_page_without_rows() {
    let page = cxone("").page(&Fetch::Head, &Bytes::from_static(PAGE), &[]).unwrap();
    assert_eq!((page.tag, page.rows.len(), page.next, page.total), (Some(41), 0, None, None));
    assert_eq!(page.epoch, Some("e-7".into()));
}

#[test]
fn a_baseline_of_another_entity_gives_its_position() {
    let body = Bytes::from_static(br#"{"sequenceId":9,"total":1,"schedules":[{"agentId":"a"}]}"#);
    let error = cxone("").page(&Fetch::First, &body, &[]).unwrap_err();
    assert_eq!(error.class, Class::Retry { after_ms: None });
    let other = cxone("[capabilities]\nsnapshot_body = \"other\"");
    let page = other.page(&Fetch::First, &body, &[]).unwrap();
    assert_eq!((page.tag, page.rows.len()), (Some(9), 1));
}

#[test]
fn answers_that_are_none_are_asked_for_again_and_show_nothing() {
    for body in ["", "<html>hunter2</html>", "[]", r#"{"schedules":[{"hunter2":1}]}"#, "\u{0}"] {
        let error = cxone("").page(&Fetch::First, &Bytes::from(body), &[]).unwrap_err();
        assert_eq!(error.class, Class::Retry { after_ms: None }, "{body}");
        assert!(!error.what.as_str().contains("hunter2"));
    }
}

#[test]
fn statuses_and_close_codes_are_classified() {
    let cxone = cxone("");
    let status = |status, body: &str| cxone.classify_status(status, Some(9), body.as_bytes());
    for (code, body, class) in [
        (401, "", Class::Reauthorize),
        (403, "", Class::Fatal),
        (409, "", Class::Stale { floor: None }),
        (410, r#"{"code":"stale_sequence","floor":"77"}"#, Class::Stale { floor: Some(77) }),
        (418, "", Class::Fatal),
        (429, "<html>", Class::Retry { after_ms: Some(9) }),
        (503, "", Class::Retry { after_ms: Some(9) }),
        (302, "", Class::Retry { after_ms: Some(9) }),
    ] {
        assert_eq!((status(code, body).class, status(code, body).code), (class, Some(code)));
    }
    let retry = Class::Retry { after_ms: None };
    for (code, class) in [
        (Some(4401), Class::Reauthorize),
        (Some(4409), Class::Stale { floor: None }),
        (Some(1001), Class::Closing),
        (Some(1011), retry),
        (None, retry),
    ] {
        let expected = Failure { class, code, what: "x".into() };
        assert_eq!(cxone.classify_close(code, "x"), expected);
    }
}

const SOURCE: &str = r#"
    name = "acme"
    profile = "cxone"
    api = "https://api.example.com"
    stream = "wss://api.example.com"
    agents = ["a-1"]
    ca_file = "/no/such/file"
    [auth]
    grant = "client_credentials"
    client_id = { env = "ACME_ID" }
    client_secret = { env = "ACME_SECRET" }
    scope = "wfm:schedule:read"
"#;

fn refused(from: &str, to: &str) -> SourceError {
    assert!(SOURCE.contains(from), "{from}");
    let config: SourceConfig = toml::from_str(&SOURCE.replace(from, to)).unwrap();
    Source::new(config).unwrap_err()
}

#[test]
fn a_source_that_cannot_work_is_refused_before_anything_is_opened() {
    let error = refused("https://api.example.com", "http://api.example.com");
    assert!(matches!(error, SourceError::Origin { key: "api", .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("insecure"));
    let error = refused("wss://api.example.com", "https://api.example.com");
    assert!(matches!(error, SourceError::Origin { key: "stream", .. }), "{error:?}");
    let error = refused("api = \"https://api.example.com\"", "");
    assert!(matches!(error, SourceError::NoApi { .. }), "{error:?}");
    let error = refused("/no/such/file", "/no/such/other");
    assert!(matches!(error, SourceError::Tls { .. }), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("/no/such/other"));
    let error = refused("[auth]", "[timing]\npreset = \"demo\"\n[auth]\nurl = \"ftp://x\"");
    assert!(matches!(error, SourceError::Auth { .. }), "{error:?}");
}

#[test]
fn keys_of_a_source_are_checked_too() {
    let error = toml::from_str::<SourceConfig>(&SOURCE.replace("agents", "agnets")).unwrap_err();
    let hint = unbroken_connect::generic::nearest_key_hint(&error.to_string());
    assert_eq!(hint.as_deref(), Some("did you mean `agents`?"));
    let text = SOURCE.replace("profile = \"cxone\"", "profile = { capabilities = {} }");
    let error = toml::from_str::<SourceConfig>(&text).unwrap_err();
    assert!(error.to_string().contains("`extends`"), "{error}");
}

#[test]
fn every_prefix_and_every_flipped_byte_of_a_page_is_survived() {
    let range: &[u8] = br#"{"header":{"cluster_id":"15118495548433857066","revision":"6"},
        "kvs":[{"key":"YWdlbnRzL2E=","mod_revision":"2","value":"MQ=="}],"more":true,"count":"3"}"#;
    let etcd = with("etcd", "").unwrap();
    for (profile, page) in [(&cxone(""), PAGE), (&etcd, range)] {
        assert!(profile.page(&Fetch::First, &Bytes::from_static(page), &[]).is_ok());
        for end in 0..page.len() {
            let body = Bytes::from_static(&page[..end]);
            assert!(profile.page(&Fetch::First, &body, &[]).is_err(), "{end}");
        }
        for at in 0..page.len() {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut bytes = page.to_vec();
                bytes[at] ^= flip;
                profile.page(&Fetch::First, &Bytes::from(bytes), &[]).ok();
            }
        }
    }
}
