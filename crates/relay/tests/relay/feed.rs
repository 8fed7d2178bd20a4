//! The one path from the log to a client.

use std::collections::BTreeSet;
use std::future::Future as _;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::timeout;
use unbroken_core::ids::{AppendId, Key};
use unbroken_core::record::Append;
use unbroken_journal::Retention;
use unbroken_relay::feed::{After, CursorError, Feed, FeedError, FeedLimits, Newest, Tail};
use unbroken_render::Filter;

use crate::house::{House, PATIENCE, record};

/// So small a ring that every reader falls out of it again and again.
const LIMITS: FeedLimits = FeedLimits { ring_bytes_max: 64 * 1024, replays_max: 2 };

/// Reads from an offset to an end, and says what came.
async fn read(feed: Feed, from: u64, end: u64, filter: Filter, mut rng: Rng) -> Vec<u64> {
    let mut tail: Tail = feed.subscribe(from, filter);
    let mut offsets = Vec::new();
    while tail.position() < end {
        let Ok(run) = timeout(Duration::from_millis(200), tail.next()).await else { continue };
        offsets.extend(run.expect("it goes on").entries().map(|entry| entry.offset));
        if rng.u8(..) < 20 {
            tokio::time::sleep(Duration::from_millis(rng.u64(..30))).await;
        }
    }
    offsets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_every_record_once_and_in_order_wherever_it_begins() {
    const RECORDS: u64 = 12_000;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut house = House::without_relay(Retention::default());
    house.write(3_000);
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let newest = Newest::start(feed.clone()).expect("a thread");

    let (mut writer, mut sizes) = (house.take_writer(), rng.fork());
    let writing = std::thread::spawn(move || {
        let (mut next, mut id) = (3_000, 1);
        while next < RECORDS {
            let count = sizes.u64(1..600).min(RECORDS - next);
            let records = (next..next + count).map(|n| record(n, 20)).collect();
            id += 1;
            let unit = Append { id: AppendId(id), records, mark: None };
            writer.commit(&[unit]).expect("it is durable");
            next += count;
            if sizes.bool() {
                std::thread::sleep(Duration::from_millis(sizes.u64(..4)));
            }
        }
    });
    let mut readers = Vec::new();
    for _ in 0..12 {
        let end = feed.end_offset().expect("an end");
        let from = rng.u64(..=end);
        // Every other one wants a few keys: it is given them in a box, which runs over as well.
        let named: &[&str] = if rng.bool() { &["k3", "k7"] } else { &[] };
        let keys: BTreeSet<Key> = named.iter().map(|key| Key::from(*key)).collect();
        let is_wanted = |n: &u64| keys.is_empty() || matches!(n % 10, 3 | 7);
        let wanted: Vec<u64> = (from..RECORDS).filter(is_wanted).collect();
        let filter = Filter { keys, ..Filter::default() };
        let reading = read(feed.clone(), from, RECORDS, filter, rng.fork());
        readers.push((from, wanted, tokio::spawn(reading)));
        tokio::time::sleep(Duration::from_millis(rng.u64(..15))).await;
    }
    for (from, wanted, reader) in readers {
        let offsets = timeout(PATIENCE * 2, reader).await.expect("in time").expect("no panic");
        assert!(offsets == wanted, "from {from}: {} came of {}", offsets.len(), wanted.len());
    }
    writing.join().expect("it wrote all");
    assert_eq!(feed.tails_count(), 0, "nothing is kept of those who have gone");
    newest.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_takes_what_it_names_and_its_place_moves_on_over_the_rest() {
    let mut house = House::without_relay(Retention::default());
    house.write(500);
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let newest = Newest::start(feed.clone()).expect("a thread");
    let of = |filter: Filter| {
        let feed = feed.clone();
        tokio::spawn(read(feed, 0, 5_500, filter, Rng::with_seed(1)))
    };
    let key = of(Filter { keys: ["k3".into(), "k9".into()].into(), ..Filter::default() });
    let source = of(Filter { source: Some("other".to_owned()), ..Filter::default() });
    let nobody = of(Filter { keys: ["nobody".into()].into(), ..Filter::default() });
    let prefix = of(Filter { key_prefix: Some("k4".to_owned()), ..Filter::default() });
    for _ in 0..50 {
        house.write(100);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let all = 0..5_500_u64;
    for (reader, wanted) in [
        (key, all.clone().filter(|n| matches!(n % 10, 3 | 9)).collect::<Vec<u64>>()),
        (source, all.clone().filter(|n| n % 10 == 9).collect()),
        (nobody, Vec::new()),
        (prefix, all.filter(|n| n % 10 == 4).collect()),
    ] {
        let offsets = timeout(PATIENCE, reader).await.expect("in time").expect("no panic");
        assert_eq!(offsets, wanted);
    }
    newest.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_has_deleted_is_refused_with_the_oldest_cursor() {
    let retention = Retention { bytes_max: Some(600 * 1024), ..Retention::default() };
    let mut house = House::without_relay(retention);
    house.write(10);
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let first = After::parse(&house.cursor(1)).expect("a cursor");
    assert_eq!(feed.begin(first).expect("it is kept"), 1);
    let mut tail = feed.subscribe(1, Filter::default());
    for _ in 0..400 {
        house.write_large(10, 500);
    }
    // Retention follows the images that a thread writes: it may be at work still.
    let oldest = || house.reader.oldest_offset().expect("an offset");
    let before = oldest();
    assert!(before > 1, "retention has deleted something");
    match feed.begin(first) {
        Err(CursorError::Expired { oldest: told }) => {
            assert!((before..=oldest()).contains(&told.offset), "{before} {told}");
        }
        other => panic!("{other:?}"),
    }
    let before = oldest();
    match tail.next_below(100).await {
        Err(FeedError::Expired { oldest: told }) => {
            assert!((before..=oldest()).contains(&told.offset), "{before} {told}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_every_reading() {
    let house = House::without_relay(Retention::default());
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let newest = Newest::start(feed.clone()).expect("a thread");
    let mut tail = feed.subscribe(0, Filter::default());
    let waiting = tokio::spawn(async move { tail.next().await.map(drop) });
    tokio::time::sleep(Duration::from_millis(20)).await;
    newest.stop();
    let ended = timeout(PATIENCE, waiting).await.expect("in time").expect("no panic");
    assert!(matches!(ended, Err(FeedError::Stopped)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_the_slowest_client_is_behind_can_be_told() {
    let mut house = House::without_relay(Retention::default());
    house.write(10);
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let newest = Newest::start(feed.clone()).expect("a thread");
    assert_eq!(feed.lag_max().expect("an end"), 0, "there is no client");
    let mut tail = feed.subscribe(4, Filter::default());
    assert_eq!(feed.lag_max().expect("an end"), 6);
    let begun = tokio::time::Instant::now();
    while feed.lag_max().expect("an end") > 0 {
        // What comes is taken, and then it waits.
        let _ = timeout(Duration::from_millis(20), tail.next()).await;
        assert!(begun.elapsed() < PATIENCE, "it reads on");
    }
    assert_eq!(tail.position(), 10);
    newest.stop();
}

/// A client's loop has other things to do as well: heartbeats, answers. On a busy machine each of
/// them is sooner than a piece of the log; here the only thread that could read one is always busy
/// for a moment when the client looks.
#[test]
fn who_is_called_away_from_every_wait_goes_on_all_the_same() {
    let mut house = House::without_relay(Retention::default());
    // Several megabytes: many pieces.
    house.write_large(400, 20_000);
    let feed = Feed::new(house.reader.clone(), LIMITS);
    let newest = Newest::start(feed.clone()).expect("a thread");
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(1).enable_all().build();
    let reading = async {
        let mut tail = feed.subscribe(0, Filter::default());
        let mut count = 0;
        while count < 400 {
            let busy = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(3)));
            // Looks once, and does not wait.
            let look = std::future::poll_fn(|context| {
                let next = std::pin::pin!(tail.next());
                Poll::Ready(next.poll(context))
            });
            if let Poll::Ready(run) = look.await {
                count += run.expect("it goes on").entries().count();
            }
            busy.await.expect("it has slept");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let read = runtime.expect("a runtime").block_on(async { timeout(PATIENCE, reading).await });
    read.expect("it comes to the end");
    newest.stop();
}
