//! The verdict on real clients of a faulty vendor: one that keeps books, one that does not.

use std::time::Duration;

use unbroken_sim::verdict::judge;
use unbroken_sim::{Fault, Numbering, Settings, Stage, Vendor, Verdict};

use crate::bookkeeper::Bookkeeper;
use crate::client::{settings, until, within};

/// Events read on the subscription that is up.
fn served_events(vendor: &Vendor) -> u64 {
    let truth = vendor.truth();
    let served = truth.subscriptions.last().filter(|served| served.ended_us.is_none());
    served.map_or(0, |served| served.confirmed - served.first)
}

/// Plays every fault once to a client; returns the verdict on it.
async fn verdict_on(mut client: Bookkeeper, faults: Vec<Fault>) -> Verdict {
    let told = Settings { ack_position: true, churn_ms: 200, ..settings() };
    let mut vendor = Vendor::start(told).await.unwrap();
    let play = async {
        let mut news = vendor.told();
        for fault in faults {
            while served_events(&vendor) < 30 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            vendor.inject(fault).unwrap();
            loop {
                let told = within(news.next()).await.unwrap();
                if told.fault == fault && matches!(told.stage, Stage::Ended | Stage::Missed) {
                    break;
                }
            }
        }
        // One more break, after which everything must have come.
        vendor.inject(Fault::CleanClose).unwrap();
        until(&mut news, Fault::CleanClose, Stage::Ended).await;
        while vendor.streams_live() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        vendor.stop_emission();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let truth = vendor.truth();
            let served = truth.subscriptions.last().unwrap();
            if served.confirmed == truth.events.len() as u64 {
                break;
            }
        }
    };
    tokio::select! {
        () = play => {}
        () = client.follow(&vendor) => {}
    }
    vendor.stop_faults();
    assert_eq!(vendor.numbering(), Numbering::Contiguous);
    judge(&vendor.truth(), &client.evidence)
}

#[tokio::test]
async fn a_client_that_keeps_books_has_lost_nothing_it_could_have_had() {
    // What only a baseline shows is left out: this client reads none.
    let of_the_baseline = [
        Fault::TornSnapshot,
        Fault::StaleSnapshot,
        Fault::SlowRest,
        Fault::TruncatedPage,
        Fault::WrongTotal,
        Fault::EmptySnapshot,
        Fault::MissingScope,
        Fault::ThrottledRest,
    ];
    let faults = Fault::ALL.into_iter().filter(|fault| !of_the_baseline.contains(fault));
    let verdict = verdict_on(Bookkeeper::default(), faults.collect()).await;
    let failures: Vec<_> = verdict
        .failures(u64::MAX)
        .into_iter()
        // It holds no state, so that all of it is missing at the end.
        .filter(|(figure, _)| *figure != "stale_keys")
        .collect();
    assert_eq!(failures, [], "{:#?}", verdict.examples);
    assert!(verdict.unrecoverable > 0 && verdict.events_stored > 1_000, "{verdict:?}");
    assert_eq!(verdict.events_stored + verdict.unrecoverable, verdict.events_emitted);
}

#[tokio::test]
async fn a_careless_client_fails() {
    let faults = vec![Fault::HistoryFlood, Fault::Reordering, Fault::SubscribeRefusedStale];
    let verdict = verdict_on(Bookkeeper::careless(), faults).await;
    assert!(verdict.uncovered > 0, "{verdict:?}");
    assert!(verdict.duplicated > 0 && verdict.out_of_order > 0, "{verdict:?}");
}
