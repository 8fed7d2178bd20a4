//! The verdict on clients of a faulty vendor: one that keeps books, one that does not.

use std::time::Duration;

use unbroken_sim::Vendor;
use unbroken_sim::truth::Truth;
use unbroken_sim::verdict::judge;
use unbroken_sim::{Fault, Stage, Verdict};

use crate::bookkeeper::Bookkeeper;
use crate::client::{settings, until, within};

/// What a client that audits nothing and opens no second channel can be judged by.
fn faults() -> Vec<Fault> {
    let beyond = [Fault::DroppedFrames, Fault::StaleSnapshot, Fault::CrossedChannels];
    Fault::GENESYS.into_iter().filter(|fault| !beyond.contains(fault)).collect()
}

/// Plays every fault once to a client; returns the verdict on it.
async fn verdict_on(mut client: Bookkeeper, faults: Vec<Fault>) -> Verdict {
    let mut told = settings();
    told.vendor.scenario_ms_max = 6_000;
    told.vendor.churn_ms = 200;
    // Any interval touches the present day.
    told.day_ms = u64::MAX / 10_000;
    let mut vendor = Vendor::start(told).await.unwrap();
    let play = async {
        let mut news = vendor.told();
        for fault in faults {
            while vendor.streams_live() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Long enough to be served something.
            tokio::time::sleep(Duration::from_millis(60)).await;
            vendor.inject(fault).unwrap();
            until(&mut news, fault, Stage::Fired).await;
            until(&mut news, fault, Stage::Ended).await;
        }
        while vendor.streams_live() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        vendor.stop_emission();
        // A client that has heard nothing for a while looks again, and then knows all.
        within(async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let truth = vendor.truth();
                let last = truth.subscriptions.last().unwrap();
                if last.first == truth.events.len() as u64
                    && truth.pages.last().unwrap().as_of == last.first
                {
                    break;
                }
            }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::select! {
        () = play => {}
        () = client.follow(&vendor) => {}
    }
    vendor.stop_faults();
    let truth = vendor.shutdown().await.unwrap();
    judge(&truth, &client.hand_in())
}

#[tokio::test]
async fn a_client_that_keeps_books_is_clean_under_every_fault() {
    let verdict = verdict_on(Bookkeeper::new(true), faults()).await;
    assert!(verdict.events_stored > 300, "{verdict:?}");
    assert!(verdict.unproven > 0, "outages lose events on this vendor: {verdict:?}");
    assert!(verdict.stale_marked_keys > 0, "some have no event since the last gap: {verdict:?}");
    let wrong = [
        verdict.lost,
        verdict.duplicated,
        verdict.out_of_order,
        verdict.uncovered,
        verdict.overclaimed,
        verdict.stale_keys,
    ];
    assert_eq!(wrong, [0; 6], "{verdict:#?}");
}

#[tokio::test]
async fn a_client_that_keeps_none_is_found_out() {
    let verdict = verdict_on(Bookkeeper::new(false), vec![Fault::TcpReset]).await;
    assert!(verdict.uncovered > 0, "{verdict:?}");
}

#[tokio::test]
async fn the_ledger_reads_back_from_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.ndjson");
    let mut told = settings();
    told.vendor.truth_file = Some(path.clone());
    let vendor = Vendor::start(told).await.unwrap();
    let mut client = Bookkeeper::new(true);
    tokio::select! {
        () = client.follow(&vendor) => {}
        () = async {
            while vendor.truth().facts.len() < 50 || vendor.truth().history_pages.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        } => {}
    }
    let truth = vendor.shutdown().await.unwrap();
    let read = Truth::load(&path).unwrap();
    assert_eq!(read.facts, truth.facts);
    assert_eq!(read.history_pages, truth.history_pages);
    assert_eq!(read.pages, truth.pages);
    assert_eq!(read.events, truth.events);
    assert_eq!(read.subscriptions, truth.subscriptions);
}
