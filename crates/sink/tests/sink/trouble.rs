//! A target that is away.

use std::time::{Duration, Instant};

use unbroken_sink::{
    Batch, Claim, Doing, Ended, Fence, Guarantee, Opened, Retry, Sink, SinkError, SinkThread,
};

use crate::house::{House, PATIENCE, config};
use crate::shelf::{Faults, Faulty, Shelf, Target};

#[tokio::test]
async fn a_target_that_is_away_is_said_to_be_and_gets_everything_when_it_is_back() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(10);
    let faults = Faults { is_down: true, ..Faults::default() };
    let sink = Faulty::new(shelf.clone(), faults);
    let faults = std::sync::Arc::clone(&sink.faults);
    let running = house.pump(sink, config());
    running.until("it says so", |it| it.doing() == Doing::Retrying).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("cannot be reached"), "{trouble:?}");
    assert_eq!(running.progress.needed_from(), None, "retention waits");
    house.events(5_000);
    faults.lock().expect("nobody panics with it").is_down = false;
    running.until("it has everything", |it| it.counts().next_offset == 5_010).await;
    running.until("it says so", |it| it.doing() == Doing::Running).await;
    assert_eq!(running.progress.trouble(), None);
    assert_eq!(running.progress.needed_from(), Some(5_010));
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.ids(), house.ids_from(0));
}

/// A stop ends the wait for another try.
#[tokio::test]
async fn a_stop_is_heard_while_the_target_is_away() {
    let (shelf, house) = (Shelf::default(), House::new());
    let sink = Faulty::new(shelf, Faults { is_down: true, ..Faults::default() });
    let running = house.pump(sink, config());
    running.until("it has tried often", |it| it.counts().failures > 3).await;
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// Any delay may be short, but they grow: without that it would have been asked hundreds of times.
#[tokio::test]
async fn an_outage_is_asked_about_less_and_less_often() {
    let (shelf, house) = (Shelf::default(), House::new());
    let sink = Faulty::new(shelf, Faults { is_down: true, ..Faults::default() });
    let mut config = config();
    let (first, longest) = (Duration::from_millis(1), Duration::from_secs(20));
    config.retry = Retry { first, longest, blocked: longest };
    let running = house.pump(sink, config);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let failures = running.progress.counts().failures;
    assert!((2..60).contains(&failures), "{failures}");
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// What comes while a sink has caught up is given in one batch for a while.
#[tokio::test]
async fn small_batches_are_gathered_for_as_long_as_it_may_linger() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    let mut config = config();
    config.cut.linger = Duration::from_millis(300);
    let running = house.pump(shelf.clone(), config);
    running.until("it runs", |it| it.doing() == Doing::Running).await;
    for _ in 0..20 {
        house.events(1);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.until("they are there", |it| it.counts().next_offset == 20).await;
    let commits = running.progress.counts().batches;
    assert!(commits < 20, "{commits} for twenty records");
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.ids(), house.ids_from(0));
}

/// A sink that is far behind does not hold up the end of the service.
#[test]
fn a_stop_is_heard_in_the_middle_of_a_long_backlog() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(100_000);
    let mut config = config();
    config.cut.records_max = 1;
    let sink = Slow(shelf.clone());
    let thread = SinkThread::start(sink, house.reader.clone(), config).expect("a thread");
    let begun = Instant::now();
    while thread.progress().counts().records == 0 {
        assert!(begun.elapsed() < PATIENCE, "it begins");
        std::thread::sleep(Duration::from_millis(1));
    }
    thread.join();
    let taken = shelf.offsets().len();
    assert!(taken > 0 && taken < 100_000, "{taken}: it was left in the middle");
}

/// Takes a tenth of a millisecond for each batch, as a target on a disk does: without ever waiting
/// for anything that a runtime knows of.
struct Slow(Shelf);

impl Sink for Slow {
    fn guarantee(&self) -> Guarantee {
        self.0.guarantee()
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.0.open(claim).await
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        std::thread::sleep(Duration::from_micros(100));
        self.0.commit(fence, batch).await
    }
}

/// What a sink does beside the log is no part of it.
#[tokio::test]
async fn the_log_goes_on_while_what_is_beside_it_fails() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    let running = house.pump(Untidy(shelf.clone()), config());
    for round in 1..=3 {
        house.events(70);
        running.until("it has them", |it| it.counts().next_offset == round * 70).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.ids(), house.ids_from(0));
}

/// What it has to do beside the log always fails.
struct Untidy(Shelf);

impl Sink for Untidy {
    fn guarantee(&self) -> Guarantee {
        self.0.guarantee()
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.0.open(claim).await
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        self.0.commit(fence, batch).await
    }

    async fn tend(&mut self, _: Fence) -> Result<(), SinkError> {
        Err(SinkError::unreachable("deleting what is left")("it is away"))
    }
}
