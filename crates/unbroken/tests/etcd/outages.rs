//! The hard test: tens of thousands of changes by many hands over a path that breaks in every way,
//! compactions that nobody could see coming, a server that is killed, and a service that is killed
//! between the parts of a transaction. Afterwards the record is held against what etcd answered to
//! its writers and what it says of its own history.

use std::time::Instant;

use unbroken_core::record::{GapCause, GapClosed, GapOutcome};

use crate::crowd::sum;
use crate::figures::Figures;
use crate::plan::{Size, plan};
use crate::record::{Recorded, ledger_in_store, state};
use crate::scene::{PREFIX, Scene, breaks};
use crate::seeded;
use crate::writer::Change;

/// The size of `make etcd`.
const SIZE: &str = "UNBROKEN_ETCD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_that_etcd_kept_is_recorded_once_and_what_it_forgot_is_a_ledger_row() {
    let size = match std::env::var(SIZE).as_deref() {
        Ok("full") => Size::FULL,
        Ok(other) => panic!("{SIZE}={other}: only `full` is known"),
        Err(_) => Size::SMALL,
    };
    let mut rng = seeded("outages");
    let steps = plan(&mut rng, &size);
    let began = Instant::now();
    let mut scene = Scene::set(rng, &size).await;
    for step in steps {
        eprintln!("{:8.1?} {:5} {:?}", began.elapsed(), step.operations, step.act);
        scene.play(step).await;
    }
    let written = began.elapsed();
    let account = scene.crowd.account();
    let head = account.last().map_or(0, |change| change.revision);
    scene.service.until_durable(head).await;
    let status = scene.service.stop().await;
    assert_eq!(status.code(), Some(0), "{}", scene.service.log());

    // Two accounts that know nothing of each other: etcd's answers and etcd's history.
    scene.read_history(head).await;
    assert_same(&account, &scene.history);
    let truth = scene.etcd.state(PREFIX);
    assert_eq!(sum(&account), truth, "the writers' account is wrong");

    let data_dir = scene.service.data_dir();
    assert_eq!(state(&data_dir), truth);
    let recorded = Recorded::read(&data_dir);
    // The first change was there before the service.
    let figures = recorded.judge(&account);
    report(&scene, &size, &recorded, &figures, &account);
    recorded.assert_clean(&figures);
    assert_losses(&scene, &recorded, &account);
    assert_ledger_in_store(&recorded, &ledger_in_store(&data_dir));
    let verified = scene.service.ask(&["verify"]).await;
    let said = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{said}");
    assert_fired(&scene, &size);
    eprintln!("outages: written in {written:.1?}, all in {:.1?}", began.elapsed());
}

fn assert_same(account: &[Change], history: &[Change]) {
    let differs =
        (0..account.len().max(history.len())).find(|at| account.get(*at) != history.get(*at));
    if let Some(at) = differs {
        panic!("answered: {:?}\nhistory: {:?}", account.get(at), history.get(at));
    }
}

/// Each compaction is one row: from the last change recorded before the network went down to the
/// compacted revision. There is no other row that says that events are missing.
fn assert_losses(scene: &Scene, recorded: &Recorded, account: &[Change]) {
    let losses = recorded.losses();
    let log = scene.service.log();
    assert_eq!(losses.len(), scene.compactions.len(), "{losses:#?}\n{log}");
    for (row, compaction) in losses.into_iter().zip(&scene.compactions) {
        let found = (row.cause, row.outcome);
        assert_eq!(found, (GapCause::Refused, GapOutcome::Unrecoverable), "{row:?}\n{log}");
        assert!(row.reconciled, "{row:?}");
        let after = row.after.map(|position| position.sequence).expect("something was held");
        let (durable, down) = (compaction.durable, compaction.down);
        assert!(durable <= after && after <= down, "{durable} <= {after} <= {down}");
        assert_eq!(row.through.map(|position| position.sequence), Some(compaction.compacted));
        let missing = after + 1..=compaction.compacted;
        let is_missing = account.iter().any(|change| missing.contains(&change.revision));
        assert!(is_missing, "nothing is missing: {row:?}");
        assert!(recorded.events.iter().any(|event| event.revision == after), "{row:?}");
    }
}

fn assert_ledger_in_store(
    recorded: &Recorded,
    stored: &[(Option<u64>, Option<u64>, Option<GapOutcome>)],
) {
    let row = |row: &GapClosed| {
        (row.after.map(|p| p.sequence), row.through.map(|p| p.sequence), Some(row.outcome))
    };
    assert_eq!(stored, recorded.ledger.iter().map(row).collect::<Vec<_>>());
}

/// Everything that was to happen has happened.
fn assert_fired(scene: &Scene, size: &Size) {
    let counts = scene.proxy.counts();
    let each = size.cuts_each as u64;
    assert!(counts.resets >= 3 * each, "{counts:?}");
    assert!(counts.finishes >= 2 * each, "{counts:?}");
    assert!(counts.silences >= 2 * each, "{counts:?}");
    assert!(counts.mutes_up >= each && counts.mutes_down >= each, "{counts:?}");
    assert!(counts.cut_short >= 3 * each && counts.ignored > 0, "{counts:?}");
    // The first watch of all was not cut off from anything.
    assert!(counts.marked > 8 * each, "{counts:?}");
    let kills = scene.kills;
    assert_eq!((kills.in_frame, kills.in_batch), (size.kills_each, size.kills_each));
    assert_eq!((kills.anytime, scene.restarts), (size.kills_each + 1, 1));
    assert_eq!(scene.compactions.len(), 2);
    let cuts_of_log = scene.service.log().matches("torn tail cut").count();
    assert!(cuts_of_log >= kills.in_batch + kills.at_batch, "{cuts_of_log} of {kills:?}");
}

fn report(scene: &Scene, size: &Size, recorded: &Recorded, figures: &Figures, account: &[Change]) {
    let Size { keys, changes, transactions, .. } = size;
    let deletions = account.iter().filter(|change| change.value.is_none()).count();
    let events = account.len();
    eprintln!(
        "outages: {changes} changes of one key, {transactions} transactions of three, over {keys} \
         keys: {events} events, {deletions} of them deletions"
    );
    let (counts, kills) = (scene.proxy.counts(), scene.kills);
    let (restarts, compactions) = (scene.restarts, scene.compactions.len());
    eprintln!("outages: {} breaks of {counts:?}", breaks(&counts));
    eprintln!("outages: {kills:?}, {restarts} restart of etcd, {compactions} compactions");
    let (recorded_count, batches) = (recorded.events.len(), recorded.batches);
    eprintln!("outages: {recorded_count} recorded in {batches} batches, {figures:?}");
    for row in &recorded.ledger {
        let (after, through) = (row.after.map(|p| p.sequence), row.through.map(|p| p.sequence));
        let (cause, outcome) = (row.cause, row.outcome);
        eprintln!(
            "outages: ledger row {cause:?}, {outcome:?}: after {after:?} through {through:?}"
        );
    }
}
