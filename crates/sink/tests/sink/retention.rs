//! A sink that begins with state, or was overtaken by retention.

use std::collections::BTreeMap;

use unbroken_core::ids::GapId;
use unbroken_core::record::{Body, Change, Effect, GapCause, GapClosed, GapOpened, GapOutcome};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_sink::{Batch, Checkpoint, Cut, Doing, Ended, Sink, StartAt};

use crate::house::{House, config, quick};
use crate::instance::{Fate, Instance, Strike};
use crate::overtaken;
use crate::shelf::{Faults, Faulty, Shelf, Target, state};
use crate::tables::Files;

fn opened(gap: u64) -> Body {
    let (gap, wall_from) = (GapId(gap), UnixMicros(gap as i64));
    Body::GapOpened(GapOpened { gap, after: None, wall_from, cause: GapCause::Mute })
}

fn closed(gap: u64) -> Body {
    Body::GapClosed(GapClosed {
        gap: GapId(gap),
        outcome: GapOutcome::Unrecoverable,
        after: None,
        through: None,
        wall_from: UnixMicros(gap as i64),
        wall_to: UnixMicros(1_000),
        cause: GapCause::Mute,
        closed_by: None,
        reconciled: false,
    })
}

/// What became known of it long after it had ended.
fn summarised(gap: u64) -> Body {
    let Body::GapClosed(closed) = closed(gap) else { unreachable!("it is one") };
    Body::GapClosed(GapClosed { outcome: GapOutcome::Summarised, ..closed })
}

fn small() -> Retention {
    Retention { age_ms: None, bytes_max: Some(300 * 1024) }
}

#[tokio::test]
async fn a_sink_that_begins_with_state_has_every_key_and_then_what_comes() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    // Several segments, so that there is an image.
    house.events(3_000);
    let (image, _) = house.reader.newest_image().expect("a log").expect("an image");
    let mut config = config();
    config.start = StartAt::State;
    config.cut.records_max = 3;
    house.drain(shelf.clone(), config).await.stop().await;
    let offsets = shelf.offsets();
    let (of_image, of_log) = offsets.split_at(7);
    assert_eq!(of_image, (image - 7..image).collect::<Vec<_>>(), "in the order of their offsets");
    assert_eq!(of_log, (image..3_000).collect::<Vec<_>>());
    assert_eq!(state(&shelf.held().entries).into_values().max(), Some(2_999));
}

/// What it never had stands in a target that only grows between what it had and what follows.
pub(crate) async fn a_lapse_is_behind_what_was_there(target: &impl Target) {
    let mut house = House::with(small());
    house.events(50);
    house.drain(target.sink(), config()).await.stop().await;
    house.events(8_000);
    let oldest = house.reader.oldest_offset().expect("a log");
    let running = house.drain(target.sink(), config()).await;
    assert_eq!(running.progress.counts().lapsed, oldest - 50);
    running.stop().await;
    let (journal, mut ids) = (house.journal(), target.ids());
    let begun: Vec<String> = ids.drain(..51).collect();
    assert_eq!(begun[..50], (0..50).map(|n| format!("{journal}:{n}")).collect::<Vec<_>>());
    assert_eq!(begun[50], format!("{journal}:50:lapse:{oldest}"));
    // Of seven keys what an image has of them, and then the log from its oldest record on.
    let log = ids.split_off(ids.len() - house.ids_from(oldest).len());
    assert_eq!(log, house.ids_from(oldest));
    assert!(ids.len() <= 7, "{ids:?}");
}

/// It is told what it never had, has the state from before, and every record that is left.
#[tokio::test]
async fn a_sink_that_retention_has_overtaken_says_so_and_goes_on_from_state() {
    let (shelf, mut house) = (Shelf::default(), House::with(small()));
    house.events(50);
    house.append([Body::Forgotten { key: "nobody".into() }]);
    house.drain(shelf.clone(), config()).await.stop().await;
    house.events(8_000);
    let oldest = house.reader.oldest_offset().expect("a log");
    assert!(oldest > 51, "retention has overtaken it");
    let running = house.drain(shelf.clone(), config()).await;
    assert_eq!(running.progress.counts().lapsed, oldest - 51);
    assert_eq!(running.stop().await, Ended::Stopped);
    let held = shelf.held();
    let lapses: Vec<_> = held.lapses.iter().map(|it| (it.from_offset, it.to_offset)).collect();
    assert_eq!(lapses, [(51, oldest)]);
    let of_log: Vec<u64> =
        held.entries.iter().map(|(offset, _)| *offset).filter(|at| *at >= oldest).collect();
    assert_eq!(of_log, (oldest..8_051).collect::<Vec<_>>(), "nothing more is lost than must be");
    let expected: BTreeMap<String, u64> =
        (8_044..8_051).map(|at| (format!("agent-{}", (at - 1) % 7), at)).collect();
    assert_eq!(state(&held.entries), expected);
}

/// The target is told once, and so is the person, though the answer is lost.
#[tokio::test]
async fn a_lapse_whose_answer_is_lost_is_counted_once() {
    let (shelf, mut house) = (Shelf::default(), House::with(small()));
    house.events(50);
    house.drain(shelf.clone(), config()).await.stop().await;
    house.events(8_000);
    let oldest = house.reader.oldest_offset().expect("a log");
    let sink = Faulty::new(shelf.clone(), Faults { lost: 1, ..Faults::default() });
    let running = house.drain(sink, config()).await;
    assert_eq!(running.progress.counts().failures, 1);
    assert_eq!(running.progress.counts().lapsed, oldest - 50);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(shelf.held().lapses.len(), 1);
}

/// The ledger's rows that were open are given with state: those of its end, and no others.
#[tokio::test]
async fn rows_of_the_ledger_that_were_open_are_given_with_state() {
    let (shelf, mut house) = (Shelf::default(), House::new());
    for gap in [1, 2] {
        house.append([opened(gap)]);
    }
    house.append([opened(4), closed(4)]);
    house.events(3_000);
    let (until, _) = house.reader.newest_image().expect("a log").expect("an image");
    // It has begun with that image, and goes on when there is a newer one.
    let begun = Checkpoint::in_image(house.journal(), until);
    let mut sink = shelf.clone();
    let opened_sink = sink.open(&house.claim()).await.expect("it is there");
    let batch = Batch::of_nothing(None, begun);
    sink.commit(opened_sink.fence, &batch).await.expect("it is the first");
    // The first one, so that it is not the last one of those that are open again.
    house.append([closed(1), summarised(4), opened(3)]);
    house.events(3_000);
    assert!(house.reader.newest_image().expect("a log").expect("an image").0 > until);
    let mut config = config();
    config.cut.records_max = 3;
    house.drain(shelf.clone(), config).await.stop().await;
    let held = shelf.held();
    let gaps: Vec<_> = held.open_gaps.iter().map(|(_, gap)| gap.gap).collect();
    assert_eq!(
        gaps,
        [GapId(1), GapId(2)],
        "the third is told by the log, and the fourth had ended"
    );
    let of_log = held
        .entries
        .iter()
        .filter(|(_, record)| matches!(record.body, Body::GapOpened(_) | Body::GapClosed(_)));
    assert_eq!(of_log.count(), 3);
}

/// A bracket that was open when the image was made is whole in the target, too.
#[tokio::test]
async fn a_bracket_that_is_open_in_the_image_is_given_with_its_items() {
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::record::SnapshotBegin;

    let (shelf, mut house) = (Shelf::default(), House::new());
    let snapshot = SnapshotId(1);
    let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
    let item = house.item(1);
    house.append([Body::SnapshotBegin(begin), item]);
    house.events(3_000);
    let mut config = config();
    config.start = StartAt::State;
    let running = house.drain(shelf.clone(), config).await;
    running.until("it runs", |it| it.doing() == Doing::Running).await;
    running.stop().await;
    let held = shelf.held();
    let (offset, first) = held.entries.first().expect("an entry");
    assert_eq!(*offset, 1);
    assert!(matches!(&first.body, Body::SnapshotItem { .. }), "{first:?}");
}

/// A batch of two files, of which one is there when retention deletes the beginning of it: what is
/// left of it would be there twice. So all of it is told as lost.
#[tokio::test]
async fn what_was_begun_before_a_lapse_is_not_given_again() {
    let (target, mut house) = (Files::new(), House::with(overtaken::small()));
    house.events(10);
    let mut config = quick();
    config.cut = Cut { records_max: 1_000, bytes: 8 << 20, ..config.cut };
    house.drain(target.sink(), config.clone()).await.stop().await;
    let day = |n: u64| UnixMicros(86_400_000_000 * (n % 2) as i64);
    // None of it is given as state.
    let effect = Effect::History;
    let append = |house: &mut House, n| {
        let change = Change { effect, ..overtaken::change_of(n, 20_000) };
        house.append_at(day(n), [Body::Change(change)]);
    };
    (0..6).for_each(|n| append(&mut house, n));
    let strike = (Strike { name: "file-put", nth: 1 }, Fate::Ends);
    let instance = Instance::start(&target, &house, config.clone(), Some(strike));
    assert_eq!(instance.ended().await.1, None);
    let until = house.end_offset();
    let oldest = |house: &House| house.reader.oldest_offset().expect("a log");
    for n in 6..100 {
        if oldest(&house) > 10 {
            break;
        }
        append(&mut house, n);
    }
    assert!((11..until).contains(&oldest(&house)), "{} and {until}", oldest(&house));
    let running = house.drain(target.sink(), config).await;
    assert_eq!(running.progress.counts().lapsed, until - 10);
    assert_eq!(running.stop().await, Ended::Stopped);
    let ids = target.ids();
    let begun = ids.iter().filter(|id| house.ids_from(10)[..6].contains(id)).count();
    // Those of one file, and the row that tells of the lapse, at the first of them.
    assert_eq!(begun, 3 + 1, "{ids:?}");
    assert_eq!(ids[ids.len() - house.ids_from(until).len()..], house.ids_from(until));
}
