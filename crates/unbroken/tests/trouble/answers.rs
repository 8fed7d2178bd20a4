//! Answers that no source can use: what status and log say, in the words of docs/reference.

use crate::house::{House, Simulated, config};
use crate::stub::{Stub, TOKEN};

const AUTH: &str = "grant = \"client_credentials\"\nclient_id = \"me\"\nclient_secret = \"s3cret\"";

/// Waits for the phase and returns why and what to do, the stub's port taken out.
fn told(head: &'static str, body: &'static str, phase: &str) -> (String, String) {
    let stub = Stub::start(head, body);
    let house = House::new(&config(&stub.api(), &stub.stream(), "", AUTH));
    let mut service = house.serve();
    let stream = service.wait_phase(phase);
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    let text = |name: &str| {
        let text = stream[name].as_str().unwrap_or_default();
        text.replace(&stub.port.to_string(), "[PORT]")
    };
    let why = text("why");
    let logged = log.replace(&stub.port.to_string(), "[PORT]");
    assert!(logged.contains(&why), "the log tells it too: {why}\n{log}");
    assert!(!log.contains(TOKEN) && !log.contains("s3cret"), "{log}");
    (why, text("todo"))
}

#[test]
fn an_address_where_there_is_nothing_is_named() {
    let (why, todo) = told("404 Not Found\r\n", "no such page", "blocked");
    assert_eq!(why, "HTTP 404 of http://127.0.0.1:[PORT]/api/v2/wfm/schedules");
    assert_eq!(
        todo,
        "the vendor has nothing at this address: check `api`, `stream` and the profile's paths, \
         then start again"
    );
}

#[test]
fn a_page_for_people_is_told_apart_from_an_answer() {
    let (why, _) = told(
        "200 OK\r\ncontent-type: text/html\r\n",
        "<html><title>Sign in</title></html>",
        "waiting",
    );
    assert_eq!(
        why,
        "answer of http://127.0.0.1:[PORT]/api/v2/wfm/schedules is HTML, not JSON: a page for \
         people, perhaps of a login or a proxy; check `api`"
    );
}

#[test]
fn an_answer_cut_off_in_the_middle_shows_its_shape_and_not_its_content() {
    let (why, _) =
        told("200 OK\r\n", r#"{"sequenceId": 5, "items": [{"agentId": "a-secret"#, "waiting");
    assert!(why.contains("/api/v2/wfm/schedules") && !why.contains("a-secret"), "{why}");
}

#[test]
fn a_redirect_is_an_error_with_the_way_out() {
    let (why, todo) =
        told("302 Found\r\nlocation: http://127.0.0.1:9/elsewhere\r\n", "", "blocked");
    assert_eq!(
        why,
        "HTTP 302 (a redirect, which is not followed) of \
         http://127.0.0.1:[PORT]/api/v2/wfm/schedules"
    );
    assert_eq!(
        todo,
        "a bearer goes to the configured origins only: if the vendor has moved, write its new \
         address into the source, then start again"
    );
}

#[test]
fn a_missing_scope_says_who_can_grant_it() {
    let body = r#"{"error":"insufficient_scope"}"#;
    let (why, todo) = told("403 Forbidden\r\n", body, "blocked");
    assert!(why.ends_with(" of http://127.0.0.1:[PORT]/api/v2/wfm/schedules"), "{why}");
    assert_eq!(
        todo,
        "the token lacks a right: have its scope granted by the vendor's administrator, ask for \
         it as `scope` of `[source.auth]`, then `unbroken control reload`"
    );
}

#[test]
fn a_profile_whose_pointers_match_nothing_stops_loudly_and_is_no_quiet_afternoon() {
    let simulated = Simulated::start(Simulated::settings());
    let text = simulated.config("").replace(
        "profile = \"cxone\"",
        "profile = { extends = \"cxone\", frames = { event = { sequence = \"/no/such/place\" } } }",
    );
    let house = House::new(&text);
    house.write("secret", &simulated.vendor.credentials.client_secret);
    let mut service = house.serve();
    let stream = service.wait_phase("blocked");
    assert_eq!(stream["why"], "the last 100 events were not understood");
    assert_eq!(
        stream["todo"],
        "the vendor does not do what the source's settings and profile say: mend them, then \
         `unbroken control reload`"
    );
    let kept = house.run(&["events", "--format", "ndjson"]);
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    assert!(kept.contains("quarantined") && kept.contains("/no/such/place"), "{kept}");
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
}
