//! Where a sink begins.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::ids::SnapshotId;
use unbroken_core::record::{Body, SnapshotBegin};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Cursor;
use unbroken_render::wall_now;
use unbroken_sink::{Batch, Checkpoint, Cut, Doing, Ended, Retry, Selection, Sink, StartAt, Where};

use crate::house::{House, config};
use crate::shelf::{Faults, Faulty, Shelf, Target};

#[tokio::test]
async fn a_new_sink_begins_where_it_is_told_to_and_an_old_one_where_it_was() {
    let mut house = House::new();
    house.events(300);
    let cursor = Cursor { journal: house.journal(), offset: 123 };
    for (start, first) in
        [(StartAt::Beginning, 0), (StartAt::Now, 300), (StartAt::Cursor(cursor), 123)]
    {
        let shelf = Shelf::default();
        let mut house = House::new();
        house.events(300);
        let start = match start {
            StartAt::Cursor(at) => StartAt::Cursor(Cursor { journal: house.journal(), ..at }),
            other => other,
        };
        let mut config = config();
        config.start = start;
        let running = house.pump(shelf.clone(), config.clone());
        running.until("it runs", |it| it.doing() == Doing::Running).await;
        house.events(50);
        running.until("it is there", |it| it.counts().next_offset == 350).await;
        assert_eq!(running.stop().await, Ended::Stopped);
        house.events(50);
        house.drain(shelf.clone(), config).await.stop().await;
        assert_eq!(shelf.ids(), house.ids_from(first), "{start:?}");
    }
}

/// Its offsets mean something else here, or nothing yet.
#[tokio::test]
async fn a_cursor_of_another_log_or_beyond_the_end_is_no_beginning() {
    let (mut house, other) = (House::new(), House::new());
    house.events(30);
    for (journal, offset) in [(other.journal(), 10), (house.journal(), 31)] {
        let mut config = config();
        config.start = StartAt::Cursor(Cursor { journal, offset });
        let shelf = Shelf::default();
        let running = house.pump(shelf.clone(), config);
        running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
        let trouble = running.progress.trouble().expect("it has some");
        assert!(trouble.why.contains("is not of this log"), "{trouble:?}");
        running.stop().await;
        assert!(shelf.held().checkpoint.is_none());
    }
}

/// A checkpoint of another log is no checkpoint of this one: offsets mean something else in it.
#[tokio::test]
async fn the_checkpoint_of_another_log_is_refused_until_a_person_gives_it_up() {
    let (shelf, mut before) = (Shelf::default(), House::new());
    before.events(20);
    before.drain(shelf.clone(), config()).await.stop().await;
    let mut house = House::new();
    house.events(30);
    let running = house.pump(shelf.clone(), config());
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("of another log"), "{trouble:?}");
    assert!(trouble.todo.contains("--adopt test"), "{trouble:?}");
    running.stop().await;
    assert_eq!(shelf.offsets().len(), 20);
    let mut adopting = config();
    adopting.adopt = true;
    house.drain(shelf.clone(), adopting.clone()).await.stop().await;
    assert_eq!(shelf.offsets(), (0..20).chain(0..30).collect::<Vec<_>>());
    // It says so again when it is started again: nothing is begun anew.
    house.drain(shelf.clone(), adopting).await.stop().await;
    assert_eq!(shelf.offsets().len(), 50);
}

/// A log that was put back from a backup has the same id and other records from there on. It is
/// refused for as long as it runs, however long it becomes meanwhile.
#[tokio::test]
async fn a_log_that_was_too_short_is_no_other_for_having_grown() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(30);
    let mut sink = shelf.clone();
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    let ahead = Checkpoint::in_log(house.journal(), 50);
    sink.commit(fence, &Batch::of_nothing(None, ahead)).await.expect("it is the first");
    let mut config = config();
    let soon = Duration::from_millis(1);
    config.retry = Retry { first: soon, longest: soon, blocked: soon };
    let running = house.pump(shelf.clone(), config);
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    house.events(100);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.progress.doing(), Doing::Blocked);
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("beyond the end of the log, 30"), "{trouble:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.offsets(), Vec::<u64>::new());
}

/// However large the rows are.
#[tokio::test]
async fn a_state_image_is_given_in_batches_of_so_many_bytes() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(3_000);
    let (until, _) = house.reader.newest_image().expect("a log").expect("an image");
    let mut sink = shelf.clone();
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    let begun = Checkpoint::in_image(house.journal(), until);
    sink.commit(fence, &Batch::of_nothing(None, begun)).await.expect("it is the first");
    let mut config = config();
    config.cut = Cut { records_max: 10_000, bytes: 1, linger: Duration::from_millis(1) };
    let running = house.pump(shelf.clone(), config);
    running.until("it is behind the image", |it| it.counts().records >= 7).await;
    assert!(running.progress.counts().batches >= 7, "a row each");
    running.stop().await;
}

#[tokio::test]
async fn a_sink_is_given_what_it_asks_for_and_its_checkpoint_goes_on_all_the_same() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(700);
    let wanted = Where { key: vec!["agent-3".to_owned()], ..Where::default() };
    let mut config = config();
    config.selection = Arc::new(Selection::from(&wanted));
    let keys = Some(["agent-2", "agent-3"].map(Into::into).into());
    let begin = SnapshotBegin { snapshot: SnapshotId(1), tag: None, rows_are_state: true, keys };
    house.append([Body::SnapshotBegin(begin.clone())]);
    let running = house.drain(shelf.clone(), config).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.offsets()[..100], (0..700).filter(|n| n % 7 == 3).collect::<Vec<_>>());
    let (_, last) = shelf.held().entries.pop().expect("the beginning of a snapshot");
    let keys = Some(["agent-3".into()].into());
    assert_eq!(last.body, Body::SnapshotBegin(SnapshotBegin { keys, ..begin }));
}

/// Of a long log of which little is wanted, not all is held until its end.
#[tokio::test]
async fn a_sink_that_wants_little_commits_on_its_way() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(2_000);
    let mut config = config();
    let wanted = Where { key: vec!["agent-3".to_owned()], ..Where::default() };
    config.selection = Arc::new(Selection::from(&wanted));
    config.cut = Cut { records_max: 10_000, bytes: 10_000, linger: Duration::from_millis(1) };
    house.drain(shelf.clone(), config).await.stop().await;
    let commits = shelf.held().commits;
    assert!(commits > 4, "{commits} for what was 286 records of 2,000");
    assert_eq!(shelf.offsets(), (0..2_000).filter(|n| n % 7 == 3).collect::<Vec<_>>());
}

/// The log has grown since the sink was started, and the answer to its first commit is lost.
#[tokio::test]
async fn a_first_checkpoint_whose_answer_is_lost_is_no_longer_than_the_log() {
    for start in [StartAt::State, StartAt::Beginning] {
        let (shelf, mut house) = (Shelf::default(), House::new());
        house.events(10);
        let sink = Faulty::new(shelf.clone(), Faults { is_down: true, ..Faults::default() });
        let faults = Arc::clone(&sink.faults);
        let mut config = config();
        config.start = start;
        let running = house.pump(sink, config);
        running.until("it has tried", |it| it.counts().failures > 0).await;
        house.events(3_000);
        *faults.lock().expect("nobody panics with it") = Faults { lost: 1, ..Faults::default() };
        running.until("it has everything", |it| it.counts().next_offset == 3_010).await;
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(shelf.offsets().last(), Some(&3_009), "{start:?}");
    }
}

/// As long as it is behind, what it has given was so when the last record of it came.
#[tokio::test]
async fn a_batch_says_at_what_time_it_was_all_that_was_known() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(50);
    let mut config = config();
    config.cut.records_max = 20;
    let before = wall_now();
    house.drain(shelf.clone(), config).await.stop().await;
    let came = Some(UnixMicros(1_000_000));
    let as_of = shelf.held().as_of.clone();
    assert_eq!(as_of[..3], [None, came, came]);
    assert!(as_of[3..].iter().all(|as_of| *as_of >= Some(before)), "{as_of:?}");
    assert_eq!(shelf.offsets().len(), 50);
}
