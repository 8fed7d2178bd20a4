//! What the vendor's history tells of a gap.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::machine::Report;
use unbroken_core::record::{GapOutcome, Origin};
use unbroken_sim::Fault;

use crate::world::{Wishes, World, settings};

/// Cuts every socket; there is something to miss.
async fn gap(world: &World) {
    gap_by(world, Fault::CleanClose).await;
}

async fn gap_by(world: &World, fault: Fault) {
    world.wait_live().await;
    world.wait("events", |world| world.vendor.events_emitted() > 200).await;
    world.vendor.inject(fault).unwrap();
    let is_lost = |report: &Report| matches!(report, Report::Lost { .. });
    world.wait("the sockets to be lost", |world| world.reports().iter().any(is_lost)).await;
    world.wait_live().await;
}

fn is_summarised(world: &World) -> bool {
    let summarised = |report: &Report| {
        matches!(report, Report::GapClosed { outcome: GapOutcome::Summarised, .. })
    };
    world.reports().iter().any(summarised)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_conversations_did_in_a_gap_is_recorded_once() {
    let world = World::start(settings(20, 100.0), |_| Wishes {
        genesys: "topics = [\"conversations\"]\nhistory_lag_ms = 200\nhistory_again_ms = 100\n\
                  conversation_length_max_ms = 3600000"
            .to_owned(),
        ..Wishes::default()
    })
    .await;
    gap(&world).await;
    world.wait("history to be told", is_summarised).await;
    let (recorded, truth) = world.end().await;
    let rows = recorded.rows_of("g/conversations", GapOutcome::Summarised);
    assert!(!rows.is_empty());
    let ids: Vec<&str> = recorded.facts.iter().map(|fact| fact.id.as_str()).collect();
    let once: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len(), "a fact is recorded once");
    for row in rows {
        let is_within = |from: i64, to: Option<i64>| {
            from < row.wall_to.0 && to.is_none_or(|to| to > row.wall_from.0)
        };
        let facts = truth.facts.iter();
        for fact in facts.filter(|of| is_within(of.segment_start_us, of.segment_end_us)) {
            let begin = format!("{}/{}/{}/", fact.conversation, fact.participant, fact.session);
            let held = recorded
                .facts
                .iter()
                .any(|held| held.id.starts_with(&begin) && held.began_us == fact.segment_start_us);
            assert!(held, "{fact:?}");
        }
    }
    assert!(recorded.facts.iter().all(|fact| fact.origin == Origin::Backfill));
}

/// No notification will ever tell of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_ends_in_a_gap_leaves_state() {
    let world = World::start(settings(20, 100.0), |_| Wishes {
        genesys: "topics = [\"conversations\"]\nhistory_lag_ms = 200\nhistory_again_ms = 100\n\
                  conversation_length_max_ms = 3600000"
            .to_owned(),
        ..Wishes::default()
    })
    .await;
    gap_by(&world, Fault::HalfOpen).await;
    world.wait("history to be told", is_summarised).await;
    let (recorded, truth) = world.end().await;
    let rows = recorded.rows_of("g/conversations", GapOutcome::Summarised);
    let mut ends: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    for fact in &truth.facts {
        let end = ends.entry(&fact.conversation).or_insert(Some(0));
        *end = fact.segment_end_us.zip(*end).map(|(one, other)| one.max(other));
    }
    let is_missed = |end: i64| rows.iter().any(|r| r.wall_from.0 < end && end < r.wall_to.0);
    let missed = ends.into_iter().filter(|(_, end)| end.is_some_and(is_missed));
    let missed: Vec<&str> = missed.map(|(conversation, _)| conversation).collect();
    assert!(!missed.is_empty(), "something ends in a second of a hundred events");
    for conversation in missed {
        let named = ("g/conversations".to_owned(), conversation.to_owned());
        assert!(!recorded.present.contains(&named), "{conversation} is over");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_agents_did_in_a_gap_is_told_by_a_job() {
    let mut vendor = settings(10, 100.0);
    vendor.job_ms = 50;
    let world = World::start(vendor, |account| {
        let units: Vec<&String> = account.units.iter().map(|(id, _)| id).collect();
        Wishes {
            genesys: format!(
                "topics = [\"adherence\"]\nmanagement_units = {units:?}\n\
                 adherence_history = true\nhistory_lag_ms = 200\nhistory_again_ms = 100\n\
                 history_look_ms = 100"
            ),
            ..Wishes::default()
        }
    })
    .await;
    gap(&world).await;
    world.wait("history to be told", is_summarised).await;
    let (recorded, _) = world.end().await;
    let rows = recorded.rows_of("g/adherence", GapOutcome::Summarised);
    assert!(!rows.is_empty());
    let users: BTreeSet<&str> =
        recorded.facts.iter().filter_map(|fact| fact.id.split('/').next()).collect();
    assert!(users.len() > 1, "periods of several agents: {users:?}");
    let ids: BTreeSet<&str> = recorded.facts.iter().map(|fact| fact.id.as_str()).collect();
    assert_eq!(ids.len(), recorded.facts.len());
}
