//! Rows that a target refuses.

use std::time::Duration;

use bytes::Bytes;
use unbroken_core::ids::GapId;
use unbroken_core::record::{Body, GapCause, GapOpened, Quarantined, digest};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{Doing, Ended};

use crate::house::{House, config};
use crate::shelf::{Faults, Faulty, Shelf};

#[tokio::test]
async fn a_refused_row_is_put_aside_and_no_other() {
    for is_named in [true, false] {
        let (shelf, mut house) = (Shelf::default(), House::new());
        house.events(400);
        let refused = [0, 69, 70, 71, 200, 399].into();
        let faults = Faults { refused, is_named, ..Faults::default() };
        let running = house.drain(Faulty::new(shelf.clone(), faults), config()).await;
        assert_eq!(running.progress.counts().parked, 6);
        assert_eq!(running.progress.counts().records, 394);
        assert_eq!(running.stop().await, Ended::Stopped);
        let aside: Vec<u64> = shelf.held().parked.iter().map(|parked| parked.offset).collect();
        assert_eq!(aside, [0, 69, 70, 71, 200, 399]);
        assert!(shelf.held().parked.iter().all(|parked| parked.why == "it is poison"));
        let taken: Vec<u64> = (0..400).filter(|offset| !aside.contains(offset)).collect();
        assert_eq!(shelf.offsets(), taken);
    }
}

/// However many they are: between them rows are taken.
#[tokio::test]
async fn bad_rows_among_good_ones_are_no_row_of_them() {
    for is_named in [true, false] {
        let (shelf, mut house) = (Shelf::default(), House::new());
        house.events(400);
        let refused = (0..400).filter(|offset| offset % 2 == 0).collect();
        let faults = Faults { refused, is_named, ..Faults::default() };
        let mut config = config();
        config.cut.records_max = 400;
        let running = house.drain(Faulty::new(shelf.clone(), faults), config).await;
        assert_eq!(running.progress.counts().parked, 200);
        assert_eq!(running.stop().await, Ended::Stopped);
        let odd: Vec<u64> = (0..400).filter(|offset| offset % 2 == 1).collect();
        assert_eq!(shelf.offsets(), odd);
    }
}

/// What says which events are missing is insisted on. What nobody could read is not.
#[tokio::test]
async fn a_record_about_no_key_is_not_put_aside_unless_it_is_in_quarantine() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    house.events(100);
    let quarantined = Quarantined {
        conn: None,
        reason: "malformed".into(),
        length: 1,
        digest: digest(b"{"),
        bytes: Bytes::from_static(b"{"),
    };
    let gap =
        GapOpened { gap: GapId(1), after: None, wall_from: UnixMicros(1), cause: GapCause::Mute };
    house.append([Body::Quarantined(quarantined), Body::GapOpened(gap)]);
    for is_named in [true, false] {
        let shelf = Shelf::default();
        let faults = Faults { refused: [100, 101].into(), is_named, ..Faults::default() };
        let running = house.pump(Faulty::new(shelf.clone(), faults), config());
        running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
        let trouble = running.progress.trouble().expect("it has some");
        assert!(trouble.why.contains("it is poison"), "{trouble:?}");
        assert_eq!(running.progress.counts().next_offset, 101);
        assert_eq!(running.stop().await, Ended::Stopped);
        let aside: Vec<u64> = shelf.held().parked.iter().map(|parked| parked.offset).collect();
        assert_eq!(aside, [100]);
    }
    house.drain(shelf.clone(), config()).await.stop().await;
    assert_eq!(shelf.offsets().len(), 102);
}

/// A row of bad rows ends, if only after a while.
#[tokio::test]
async fn a_long_row_of_bad_rows_does_not_stop_a_sink_for_good() {
    for is_named in [true, false] {
        let (shelf, mut house) = (Shelf::default(), House::new());
        house.events(400);
        let faults = Faults { refused: (100..210).collect(), is_named, ..Faults::default() };
        let mut config = config();
        config.retry.blocked = Duration::from_millis(5);
        let running = house.drain(Faulty::new(shelf.clone(), faults), config).await;
        assert_eq!(running.progress.counts().parked, 110);
        assert_eq!(running.progress.doing(), Doing::Running);
        assert_eq!(running.progress.trouble(), None);
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(shelf.offsets().len(), 290);
    }
}

/// A target that takes nothing any more is at fault itself: the record is not thrown aside.
#[tokio::test]
async fn a_target_that_refuses_everything_is_waited_for() {
    for is_named in [true, false] {
        let (shelf, mut house) = (Shelf::default(), House::new());
        house.events(1_000);
        let faults = Faults { refused: (300..1_000).collect(), is_named, ..Faults::default() };
        let running = house.pump(Faulty::new(shelf.clone(), faults), config());
        running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
        let trouble = running.progress.trouble().expect("it has some");
        assert!(trouble.why.contains("row after row") && !trouble.todo.is_empty(), "{trouble:?}");
        assert!(running.progress.counts().next_offset <= 450);
        assert_eq!(running.stop().await, Ended::Stopped);
    }
}
