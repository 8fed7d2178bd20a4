//! What a webhook sink keeps beside the log: its file, and dead letters in it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use unbroken_core::record::{Body, Origin, Record};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{Batch, Checkpoint, DeadLetters, Doing, Ended, Parked, Sink, SinkError};

use crate::house::{House, change};
use crate::receiver::Reply;
use crate::shelf::Target;
use crate::webhook::{Endpoint, large, refuses};

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < crate::house::PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Of many events one is poison: it is found, put aside, shown, and given again when a person asks.
#[tokio::test]
async fn a_refused_event_is_a_dead_letter_until_a_person_gives_it_again() {
    let (endpoint, mut house) = (Endpoint::answering(refuses("\"n\":70,")), House::new());
    house.events(200);
    let running = house.drain(endpoint.sink(), large()).await;
    assert_eq!(running.progress.counts().parked, 1);
    let mut expected = house.ids_from(0);
    let aside = expected.remove(70);
    assert_eq!(endpoint.all_ids(), expected, "in order, and none of them twice");
    let letters = endpoint.letters();
    assert!(letters.len() == 1 && letters[0].why.contains("HTTP 422"), "{letters:?}");
    assert_eq!(letters[0].journal, house.journal().to_string());
    assert!(!letters[0].is_asked_for);

    // It is refused again, and lies there again.
    assert_eq!(endpoint.redrive(), 1);
    until("it was tried", || !endpoint.letters()[0].is_asked_for).await;
    assert_eq!(endpoint.all_ids(), expected);

    endpoint.receiver.answer_by(|_| Reply::Taken);
    assert_eq!(endpoint.redrive(), 1);
    // Nothing comes of the log: it is given all the same.
    until("it was taken", || endpoint.letters().is_empty()).await;
    expected.push(aside);
    assert_eq!(endpoint.all_ids(), expected);
    let keys = endpoint.keys();
    let again: Vec<&str> = keys
        .iter()
        .filter_map(|(key, _)| key.split_once(":redrive:").map(|(_, count)| count))
        .collect();
    assert_eq!(again, ["1", "2"]);
    house.events(50);
    running.until("it goes on", |it| it.counts().next_offset == 250).await;
    assert_eq!(running.progress.counts().failures, 0);
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// A log that is put back gives an offset to another event, which may be refused as well.
#[tokio::test]
async fn two_letters_of_one_offset_are_given_under_two_keys() {
    let (endpoint, mut house) = (Endpoint::answering(refuses("\"n\":7,")), House::new());
    house.events(20);
    let running = house.drain(endpoint.sink(), large()).await;
    let copied = Connection::open(endpoint.db()).expect("a file").execute(
        "INSERT INTO dead_letters (sink, journal, log_offset, why, parked_at, event) \
         SELECT sink, journal, log_offset, why, parked_at, replace(event, 'agent', 'other') \
         FROM dead_letters",
        (),
    );
    assert_eq!(copied.expect("it is ours"), 1);
    endpoint.receiver.answer_by(|_| Reply::Taken);
    assert_eq!(endpoint.redrive(), 2);
    until("they were taken", || endpoint.letters().is_empty()).await;
    let keys = endpoint.keys();
    let again: BTreeSet<&String> =
        keys.iter().map(|(key, _)| key).filter(|key| key.contains(":redrive:")).collect();
    assert_eq!(again.len(), 2, "{again:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// A letter at which the endpoint breaks down holds up nothing for good.
#[tokio::test]
async fn a_letter_that_breaks_the_endpoint_is_put_back_after_some_tries() {
    let (endpoint, mut house) = (Endpoint::answering(refuses("\"n\":7,")), House::new());
    house.events(20);
    let running = house.drain(endpoint.sink(), large()).await;
    endpoint.receiver.answer_by(|body| {
        if body.contains("\"n\":7,") { Reply::Status(500) } else { Reply::Taken }
    });
    endpoint.redrive();
    running.until("it fails", |it| it.counts().failures == 1).await;
    house.events(30);
    running.until("the log goes on", |it| it.counts().next_offset == 50).await;
    for failures in [2, 3] {
        running.until("it is tried again", |it| it.counts().failures >= failures).await;
        house.events(10);
        let end = 30 + 10 * failures + 10;
        running.until("the log goes on", |it| it.counts().next_offset == end).await;
    }
    until("it is put back", || !endpoint.letters()[0].is_asked_for).await;
    running.until("all is well", |it| it.doing() == Doing::Running).await;
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// Nothing is known of a letter while the endpoint is away, however often it is tried.
#[tokio::test]
async fn an_outage_uses_up_no_letter() {
    let (endpoint, mut house) = (Endpoint::answering(refuses("\"n\":7,")), House::new());
    house.events(20);
    let running = house.drain(endpoint.sink(), large()).await;
    endpoint.receiver.answer_by(|_| Reply::Status(503));
    endpoint.redrive();
    running.until("it fails", |it| it.counts().failures >= 5).await;
    assert!(endpoint.letters()[0].is_asked_for);
    endpoint.receiver.answer_by(|_| Reply::Taken);
    until("it was taken", || endpoint.letters().is_empty()).await;
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// Who asks for a letter that is under way just then asks for it anew.
#[tokio::test]
async fn what_is_asked_for_while_a_letter_is_refused_stands() {
    let (endpoint, mut house) = (Endpoint::answering(refuses("\"n\":7,")), House::new());
    house.events(20);
    let running = house.drain(endpoint.sink(), large()).await;
    let (path, mut asked) = (endpoint.db(), 0);
    endpoint.receiver.answer_by(move |_| {
        asked += 1;
        if asked > 1 {
            return Reply::Taken;
        }
        let file = DeadLetters::open(&path).expect("it is ours").expect("it is there");
        file.redrive(None).expect("it can be written");
        Reply::Status(422)
    });
    endpoint.redrive();
    until("it was taken", || endpoint.letters().is_empty()).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    let keys = endpoint.keys();
    let again = keys.iter().filter_map(|(key, _)| Some(key.split_once(":redrive:")?.1));
    assert_eq!(again.collect::<Vec<_>>(), ["1", "2"], "a request of its own");
}

/// A refusal in the middle of a batch: what was taken before it is committed where a request ended,
/// and what was sent behind it comes again as it was.
#[tokio::test]
async fn what_was_taken_before_a_refusal_is_a_batch_of_its_own() {
    let mut endpoint = Endpoint::answering(refuses("\"n\":70,"));
    endpoint.bytes_max = 8_000;
    let mut house = House::new();
    house.events(100);
    let at = |offset| Checkpoint::in_log(house.journal(), offset);
    let of = |from, to| {
        let batches = house.reader.batches(from).expect("a log").next_shared().expect("a log");
        let batches = batches.into_iter().collect();
        Batch::of_log(Some(at(from)), at(to), batches, Arc::default())
    };
    let mut sink = endpoint.sink();
    let fence = sink.open(&house.claim()).await.expect("it is made").fence;
    sink.commit(fence, &Batch::of_nothing(None, at(0))).await.expect("its first");
    let refused = sink.commit(fence, &of(0, 100)).await.expect_err("one is refused");
    let SinkError::TooMuch { from } = refused else { panic!("{refused:?}") };
    let keys = endpoint.keys();
    let (last, reply) = keys.last().expect("it was asked");
    assert_eq!(*reply, Reply::Status(422));
    assert!(last.starts_with(&format!("test:{}:{from}:", house.journal())), "{last} {from}");
    sink.commit(fence, &of(0, from)).await.expect("it was taken");
    assert_eq!(endpoint.keys().len(), keys.len(), "nothing is sent for that");

    // It is killed; more fits into a request by then.
    endpoint.bytes_max = 1 << 20;
    let mut sink = endpoint.sink();
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    let refused = sink.commit(fence, &of(from, 100)).await.expect_err("one is refused");
    assert!(matches!(refused, SinkError::Refused { .. }), "{refused:?}");
    assert_eq!(endpoint.keys().last().expect("it was asked").0, *last);
}

/// A log that was restored from a copy gives offsets again, to other events.
#[tokio::test]
async fn a_letter_is_kept_beside_an_older_one_of_the_same_offset() {
    let (endpoint, mut house) = (Endpoint::new(), House::new());
    house.events(1);
    let mut sink = endpoint.sink();
    let fence = sink.open(&house.claim()).await.expect("it is made").fence;
    let at = |offset| Checkpoint::in_log(house.journal(), offset);
    sink.commit(fence, &Batch::of_nothing(None, at(5))).await.expect("its first");
    for number in [1, 2] {
        let record = Record {
            stream: "cx/a".into(),
            received_at: UnixMicros(1_000_000),
            body: Body::Change(change(number, Origin::Live)),
        };
        let mut batch = Batch::of_rows(Some(at(5)), at(6), vec![(5, record)], Arc::default());
        batch.parked.push(Parked { offset: 5, why: "it is bad".to_owned() });
        sink.commit(fence, &batch).await.expect("it is put aside");
        sink.commit(fence, &Batch::of_nothing(Some(at(6)), at(5))).await.expect("adopted");
    }
    let letters = endpoint.letters();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert_ne!(letters[0].event, letters[1].event);
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_told_and_left_alone() {
    let (endpoint, house) = (Endpoint::new(), House::new());
    let text = b"no database at all, but longer than a header of one would be ".repeat(20);
    fs::write(endpoint.db(), &text).expect("room");
    let refused = endpoint.sink().open(&house.claim()).await.expect_err("it makes no sense");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("is damaged") && refused.todo().contains("restore"));
    assert!(DeadLetters::open(&endpoint.db()).is_err());
    assert_eq!(fs::read(endpoint.db()).expect("bytes"), text);
}

/// Whoever removes the file while it runs is told so: nothing is written where nobody finds it.
#[tokio::test]
async fn a_file_that_is_removed_under_a_sink_is_missed() {
    let (endpoint, mut house) = (Endpoint::new(), House::new());
    house.events(10);
    let running = house.drain(endpoint.sink(), large()).await;
    let mode = fs::metadata(endpoint.db()).expect("it is there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    for ending in ["db", "db-wal", "db-shm"] {
        fs::remove_file(endpoint.db().with_extension(ending)).expect("it is there");
    }
    let asked = endpoint.receiver.asked().len();
    house.events(10);
    // Also when it is opened again, and again.
    running.until("it says so", |it| it.counts().failures >= 5).await;
    assert_eq!(running.progress.doing(), Doing::Blocked);
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("no checkpoint") && !trouble.todo.is_empty(), "{trouble:?}");
    assert!(!endpoint.db().exists(), "none is made in its place");
    assert_eq!(endpoint.receiver.asked().len(), asked);
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// Another file in its place is not taken for it: what is written goes into the one that is there.
#[tokio::test]
async fn a_file_that_is_replaced_under_a_sink_is_noticed() {
    let (endpoint, mut house) = (Endpoint::new(), House::new());
    house.events(10);
    house.drain(endpoint.sink(), large()).await.stop().await;
    let copy = endpoint.db().with_extension("copy");
    fs::copy(endpoint.db(), &copy).expect("room");
    let running = house.pump(endpoint.sink(), large());
    running.until("it is open", |it| it.doing() == Doing::Running).await;
    for ending in ["db-wal", "db-shm"] {
        fs::remove_file(endpoint.db().with_extension(ending)).expect("it is there");
    }
    fs::rename(&copy, endpoint.db()).expect("it is put there");
    house.events(10);
    running.until("it goes on", |it| it.counts().next_offset == 20).await;
    assert!(running.progress.counts().failures >= 1, "it was opened again");
    assert_eq!(running.stop().await, Ended::Stopped);
    let opened = endpoint.sink().open(&house.claim()).await.expect("it is there");
    assert_eq!(opened.checkpoint.expect("it was written").next_offset, 20);
}
