//! Faults in a row, and the pace of the world.

use unbroken_sim::{Body, Fault, Numbering, Script, Settings, Stage, Vendor};

use crate::client::{Stream, page, settings, token, until, within};
use crate::follower::follow;

/// Every fault that applies is injected, fires, ends, and leaves the rules in force.
async fn play_all(settings: Settings) {
    let settings = Settings { page_limit: 10, ..settings };
    let vendor = Vendor::start(settings.clone()).await.unwrap();
    let play = async {
        for fault in Fault::ALL {
            let injected = vendor.inject(fault);
            let applies = fault.applies_with(settings.numbering, settings.body);
            assert_eq!(injected.is_ok(), applies, "{fault}");
            if applies {
                let mut news = vendor.told();
                until(&mut news, fault, Stage::Fired).await;
                until(&mut news, fault, Stage::Ended).await;
            }
        }
    };
    tokio::select! {
        () = play => {}
        () = follow(&vendor) => {}
    }
    for (fault, counts) in vendor.fault_counts() {
        assert_eq!((counts.injected, counts.fired, counts.ended), (1, 1, 1), "{fault}");
    }
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    stream.events(20).await;
}

#[tokio::test]
async fn every_fault_fires_and_ends_where_numbers_are_contiguous() {
    play_all(settings()).await;
}

#[tokio::test]
async fn every_fault_fires_and_ends_where_numbers_only_increase() {
    play_all(Settings { numbering: Numbering::Increasing, ..settings() }).await;
}

#[tokio::test]
async fn every_fault_fires_and_ends_without_numbers() {
    play_all(Settings { numbering: Numbering::None, ..settings() }).await;
}

#[tokio::test]
async fn every_fault_fires_and_ends_where_the_baseline_has_no_state() {
    play_all(Settings { body: Body::Schedules, ..settings() }).await;
}

#[tokio::test]
async fn a_script_plays_until_all_have_fired() {
    let mut vendor = Vendor::start(settings()).await.unwrap();
    let faults = vec![Fault::CleanClose, Fault::TcpReset, Fault::Duplicates];
    let mut script = Script::all(5, faults.clone(), 1_500);
    script.settle_ms = 100;
    script.duration_ms_max = 15_000;
    vendor.play(script);
    tokio::select! {
        () = within(vendor.script_over()) => {}
        () = follow(&vendor) => {}
    }
    let counts = vendor.fault_counts();
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), faults);
    assert!(counts.values().all(|count| count.fired >= 1));
    vendor.stop_faults();
}

#[tokio::test]
async fn stopping_faults_puts_the_rules_in_force() {
    let mut vendor = Vendor::start(settings()).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    vendor.inject(Fault::MuteAfterReconnect).unwrap();
    vendor.inject(Fault::CleanClose).unwrap();
    stream.drain().await;
    let (mut muted, _) = Stream::subscribed(&vendor, &token, None).await;
    muted.next_of(&["heartbeat"]).await;
    vendor.stop_faults();
    muted.drain().await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    stream.events(20).await;
    assert_eq!(vendor.fault_counts().get(&Fault::CleanClose), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_a_second_are_made_and_served() {
    let fast = Settings { agents: 5_000, rate: 10_000.0, page_limit: 2_000, ..settings() };
    let vendor = Vendor::start(fast).await.unwrap();
    let token = token(&vendor).await;
    let before = vendor.events_emitted();
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    // Two seconds' worth of events at least, and on until nothing is owed: a machine that is too
    // slow for the rate falls further behind with every second and never gets there.
    let (mut served, mut paged) = (0, false);
    within(async {
        while served < 20_000 || vendor.events_behind() > 500 {
            served += stream.count_events().await;
            if served > 10_000 && !paged {
                paged = true;
                let (_, body) = page(&vendor, &token, "?limit=2000").await;
                assert_eq!(body["schedules"].as_array().unwrap().len(), 2_000);
            }
        }
    })
    .await;
    assert!(vendor.events_emitted() - before >= served);
}

#[tokio::test]
async fn the_ledger_file_reads_back_as_the_truth() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let truth_file = Some(file.path().to_path_buf());
    let vendor = Vendor::start(Settings { truth_file, churn_ms: 50, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    page(&vendor, &token, "?limit=5").await;
    stream.events(50).await;
    vendor.inject(Fault::SequenceReset).unwrap();
    stream.drain().await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    stream.events(20).await;
    let truth = vendor.shutdown().await.unwrap();
    assert_eq!(truth.epochs.len(), 2);
    assert_eq!(unbroken_sim::Truth::load(file.path()).unwrap(), truth);
    // A vendor killed in the middle of a line leaves a readable ledger.
    let text = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), &text[..text.len() - 7]).unwrap();
    assert!(unbroken_sim::Truth::load(file.path()).is_ok());
}
