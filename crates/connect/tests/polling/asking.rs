//! One connection, event by event.

use std::future::poll_fn;
use std::time::Duration;

use unbroken_connect::secret::Secret;
use unbroken_connect::source::SourceError;
use unbroken_connect::transport::{Connection, Ended, SocketEvent, Told};
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::bookmark::{After, Bookmark};
use unbroken_core::connector::{Class, Item};
use unbroken_core::machine::Fetch;

use crate::vendor::{Vendor, answer, nothing, page, time};

fn place(second: u32) -> Bookmark {
    Bookmark::new(time(second).as_bytes()).unwrap()
}

async fn open(source: &Source, second: u32) -> Box<dyn Connection> {
    let after = After::Bookmark(place(second));
    source.open(Some(&after), None).await.unwrap()
}

async fn next(connection: &mut dyn Connection) -> SocketEvent {
    let event = poll_fn(|cx| connection.poll_event(cx, true));
    tokio::time::timeout(Duration::from_secs(10), event).await.unwrap()
}

async fn told(connection: &mut dyn Connection) -> Told {
    match next(connection).await {
        SocketEvent::Told(told) => told,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn ended(connection: &mut dyn Connection) -> Ended {
    loop {
        match next(connection).await {
            SocketEvent::Ended(ended) => return ended,
            SocketEvent::Alive | SocketEvent::Told(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// `agent:state` of each event of the answer.
fn states(source: &Source, told: &Told) -> Vec<String> {
    let decoded = source.decode(told.frame.as_ref().unwrap());
    let text = |item: &Item| match item {
        Item::Event(event) => format!("{}:{}", event.key, event.kind.as_ref().unwrap()),
        other => panic!("{other:?}"),
    };
    decoded.items.iter().map(text).collect()
}

fn at(second: u32) -> Vec<Item> {
    vec![Item::Bookmark { at: place(second) }]
}

#[tokio::test]
async fn the_first_answer_confirms_what_was_asked_and_each_has_its_place() {
    let script = [page(&[(1, "Available", 31)], 40, 1), page(&[(1, "LoggedOut", 41)], 45, 1)];
    let vendor = Vendor::start(script).await;
    let source = vendor.source();
    let mut connection = open(&source, 30).await;
    let first = told(&mut *connection).await;
    let confirmed = [at(30), vec![Item::Ack { position: None }]].concat();
    assert_eq!((first.before.clone(), first.behind.clone()), (confirmed, at(40)));
    assert_eq!(states(&source, &first), ["1:Available"]);
    let second = told(&mut *connection).await;
    assert_eq!((second.before.clone(), second.behind.clone()), (vec![], at(45)));
    assert_eq!(states(&source, &second), ["1:LoggedOut"]);
    // Each is asked from ten seconds before the place.
    assert_eq!(vendor.asked()[..2], [(time(20), 0), (time(30), 0)]);
}

#[tokio::test]
async fn nothing_new_is_a_sign_of_life_and_the_same_question_follows() {
    let vendor = Vendor::start([nothing(), nothing(), page(&[], 50, 0)]).await;
    let source = vendor.source();
    let mut connection = open(&source, 30).await;
    let first = told(&mut *connection).await;
    assert_eq!((first.frame, first.behind), (None, vec![]));
    assert_eq!(next(&mut *connection).await, SocketEvent::Alive);
    assert_eq!(told(&mut *connection).await.behind, at(50));
    assert_eq!(vendor.asked()[..3], [(time(20), 0), (time(20), 0), (time(20), 0)]);
}

#[tokio::test]
async fn of_an_answer_in_pages_the_first_page_s_place_comes_with_the_last() {
    let (a, b) = ((1, "Available", 31), (2, "Dialer", 31));
    let script = [page(&[a, b], 40, 3), page(&[(3, "LoggedIn", 32)], 41, 3)];
    let vendor = Vendor::start(script).await;
    let mut connection = open(&vendor.source(), 30).await;
    assert_eq!(told(&mut *connection).await.behind, []);
    assert_eq!(told(&mut *connection).await.behind, at(40));
    assert_eq!(vendor.asked()[..2], [(time(20), 0), (time(20), 2)]);
}

#[tokio::test]
async fn pages_that_shifted_are_kept_and_asked_for_again_from_the_same_place() {
    let (a, b) = ((1, "Available", 31), (2, "Dialer", 31));
    // The first agent changes between the pages: the third slips over the border.
    let script = [
        page(&[a, b], 40, 3),
        page(&[(1, "LoggedOut", 41)], 41, 3),
        page(&[b, (3, "LoggedIn", 32)], 42, 3),
        page(&[(1, "LoggedOut", 41)], 43, 3),
    ];
    let vendor = Vendor::start(script).await;
    let mut connection = open(&vendor.source(), 30).await;
    for behind in [vec![], vec![], vec![], at(42)] {
        assert_eq!(told(&mut *connection).await.behind, behind);
    }
    assert_eq!(vendor.asked()[2..4], [(time(20), 0), (time(20), 2)]);
}

#[tokio::test]
async fn a_total_that_never_fits_ends_the_connection_and_not_the_record() {
    let torn = || page(&[(1, "Available", 31)], 40, 7);
    let script = std::iter::repeat_with(torn)
        .take(1)
        .chain(std::iter::repeat_with(|| page(&[], 41, 7)).take(1));
    let script: Vec<_> = (0..5).flat_map(|_| script.clone().collect::<Vec<_>>()).collect();
    let vendor = Vendor::start(script).await;
    let mut connection = open(&vendor.source(), 30).await;
    let ended = ended(&mut *connection).await;
    assert!(ended.what.contains("do not fit together"), "{}", ended.what);
    assert!(vendor.asked().iter().all(|(since, _)| *since == time(20)));
}

#[tokio::test]
async fn failures_call_for_what_they_call_for_elsewhere() {
    let retry = |after_ms| Class::Retry { after_ms };
    let says = "icStatusDescription: no such agent\r\n";
    for (script, class, words) in [
        (answer("401 Unauthorized", "", ""), Class::Reauthorize, "HTTP 401"),
        (answer("429 Slow", "Retry-After: 7\r\n", "{}"), retry(Some(7_000)), "HTTP 429"),
        (answer("503 Down", "", "<html>"), retry(None), "HTTP 503"),
        (answer("400 Bad", says, ""), Class::Stale { floor: None }, ": no such agent"),
        (answer("302 Found", "Location: /x\r\n", ""), Class::Fatal, "a redirect"),
        (answer("200 OK", "", "<html>"), retry(None), "HTML, not JSON"),
        (answer("200 OK", "", "{\"agents\":[]}"), retry(None), "expected rows"),
        (answer("200 OK", "", "{\"agentStates\":[1"), retry(None), "JSON ends early"),
        (Vec::new(), retry(None), "request failed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"a[cut]".to_vec(),
            retry(None),
            "end of file",
        ),
    ] {
        let vendor = Vendor::start([nothing(), script.clone()]).await;
        let source = vendor.source();
        let mut connection = open(&source, 30).await;
        let failure = source.ended(&ended(&mut *connection).await);
        assert_eq!(failure.class, class, "{words}");
        assert!(failure.what.as_str().contains(words), "{words}: {}", failure.what);
        // The first question is the handshake, and fails like one.
        let vendor = Vendor::start([script]).await;
        let refused = vendor.source().open(None, None).await.err().unwrap();
        assert_eq!(refused.class, class, "{words}");
    }
}

#[tokio::test]
async fn the_vendor_s_own_words_are_kept_short_and_plain() {
    let words = format!("icStatusDescription: {}\t{}\r\n", "x".repeat(50), "y".repeat(500));
    let vendor = Vendor::start([answer("400 Bad", &words, "")]).await;
    let refused = vendor.source().open(None, None).await.err().unwrap();
    assert!(refused.what.as_str().ends_with(&format!("x{}", "y".repeat(110))), "{}", refused.what);
}

#[tokio::test]
async fn a_renewed_token_is_shown_from_the_next_question_on() {
    let vendor = Vendor::start([]).await;
    let text = vendor.source_text_with_token();
    let config: SourceConfig = toml::from_str(&text).unwrap();
    let source = Source::new(config).unwrap();
    let mut connection = source.open(None, Some(&Secret::new("first"))).await.unwrap();
    assert!(vendor.questions()[0].contains("Bearer first\r\n"));
    told(&mut *connection).await;
    connection.renew(&Secret::new("second"));
    while !vendor.questions().last().unwrap().contains("Bearer second\r\n") {
        assert_eq!(next(&mut *connection).await, SocketEvent::Alive);
    }
}

#[tokio::test]
async fn while_it_is_not_read_no_question_is_asked() {
    let vendor = Vendor::start([]).await;
    let mut connection = open(&vendor.source(), 30).await;
    let idle = poll_fn(|cx| connection.poll_event(cx, false));
    assert!(tokio::time::timeout(Duration::from_millis(50), idle).await.is_err());
    assert_eq!(vendor.questions().len(), 1);
    told(&mut *connection).await;
    next(&mut *connection).await;
    assert!(vendor.questions().len() >= 2);
}

#[tokio::test]
async fn of_the_configured_agents_only() {
    let vendor = Vendor::start([page(&[(1, "Available", 31), (2, "Dialer", 31)], 40, 2)]).await;
    let source = vendor.source_with("agents = [\"2\"]");
    let mut connection = open(&source, 30).await;
    let first = told(&mut *connection).await;
    assert_eq!(states(&source, &first), ["2:Dialer"]);
    assert_eq!(first.behind, at(40));
}

fn refused(text: &str) -> SourceError {
    Source::new(toml::from_str(text).unwrap()).unwrap_err()
}

#[test]
fn only_a_socket_needs_a_stream_and_an_interval_must_fit_into_the_silence() {
    let begin = "name = 'x'\napi = 'http://127.0.0.1:9'\n";
    let auth =
        "auth = { grant = 'access_key', key_id = { env = 'A' }, key_secret = { env = 'B' } }\n";
    let error = refused(&format!("{begin}{auth}profile = 'cxone'\n"));
    assert!(matches!(error, SourceError::NoStream { .. }), "{error}");
    assert_eq!(error.hint().unwrap(), "add `stream = \"wss://…\"`");
    let slow = "[profile]\nextends = 'cxone-poll'\npoll = { interval_ms = 25000 }\n";
    let error = refused(&format!("{begin}{auth}{slow}"));
    assert!(matches!(error, SourceError::Interval { interval_ms: 25_000, .. }), "{error}");
    assert!(error.hint().unwrap().contains("`poll.interval_ms`"));
    let error = refused("name = 'x'\nprofile = 'cxone-poll'\n");
    assert!(matches!(error, SourceError::NoApi { .. }), "{error}");
}

#[test]
fn an_interval_whose_questions_are_too_many_is_refused_with_the_sum() {
    let begin = "name = 'x'\napi = 'http://127.0.0.1:9'\n\
                 [auth]\ngrant = 'access_key'\nkey_id = 'A'\nkey_secret = 'B'\n";
    let fast = "[profile]\nextends = 'cxone-poll'\npoll = { interval_ms = 600 }\n";
    let error = refused(&format!("{begin}{fast}"));
    for part in ["every 600 ms", "100 requests a minute", "of 180 a minute only 90"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let hint = error.hint().unwrap();
    assert!(hint.contains("`poll.interval_ms` to 667") && hint.contains("to 200"), "{hint}");
    for cure in ["[budget]\nrequests_per_minute = 200\n", ""] {
        let interval = if cure.is_empty() { fast.replace("600", "667") } else { fast.to_owned() };
        Source::new(toml::from_str(&format!("{begin}{interval}{cure}")).unwrap()).unwrap();
    }
    let error = refused(&format!("{begin}{fast}[budget]\nrequests_per_minute = 1\n"));
    assert_eq!(error.hint().unwrap(), "set `requests_per_minute` of `[source.budget]` to 200");
}

#[tokio::test]
async fn a_page_that_the_budget_has_no_room_for_waits() {
    let three = |agent| page(&[(agent, "Dialer", 31), (agent + 1, "Dialer", 31)], 40, 8);
    let vendor = Vendor::start([three(1), three(3), three(5), three(7)]).await;
    let text = vendor.source_text(
        "timing = { idle_ms = 99000 }\nbudget = { requests_per_minute = 4, requests_burst = 4 }",
        30_000,
    );
    let source = Source::new(toml::from_str(&text).unwrap()).unwrap();
    let mut connection = open(&source, 30).await;
    for _ in 0..3 {
        told(&mut *connection).await;
    }
    let more = poll_fn(|cx| connection.poll_event(cx, true));
    assert!(tokio::time::timeout(Duration::from_millis(50), more).await.is_err());
    assert_eq!(vendor.questions().len(), 3, "one is the handshake, two were left at once");
}

#[tokio::test]
async fn who_is_told_to_come_later_on_a_page_asks_no_question_meanwhile() {
    let later = answer("429 Slow", "Retry-After: 60\r\n", "");
    let vendor = Vendor::start([nothing(), later]).await;
    let source = vendor.source();
    let mut connection = open(&source, 30).await;
    let refused = source.fetch(&Fetch::First, None, None).await.unwrap_err();
    assert_eq!(refused.class, Class::Retry { after_ms: Some(60_000) });
    let failure = source.ended(&ended(&mut *connection).await);
    assert_eq!(failure.code, Some(429));
    assert!(matches!(failure.class, Class::Retry { after_ms: Some(1..=60_001) }), "{failure:?}");
    assert_eq!(vendor.questions().len(), 2);
}
