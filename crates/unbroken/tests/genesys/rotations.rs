//! Channels that come to the end of their life.

use std::time::Duration;

use unbroken_core::machine::{Phase, Report};

use crate::world::{PATIENT, Wishes, World, settings};

/// A day of a channel, here: it is left before the end of it.
const DAY_MS: u64 = 4_000;
/// The vendor's. It takes a channel away in the end, but not because this machine has other work
/// just when a hand-over begins.
const LIFE_MS: u64 = 10 * DAY_MS;
/// Hand-overs to be seen.
const ROTATIONS: usize = 40;

fn handovers(world: &World) -> usize {
    let begun = |report: &&Report| {
        matches!(report, Report::Phase { phase: Phase::Live { handover: true }, .. })
    };
    world.reports().iter().filter(begun).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_rotations_lose_and_double_nothing() {
    let mut vendor = settings(40, 400.0);
    vendor.channel_life_ms = LIFE_MS;
    let world = World::start(vendor, |_| Wishes {
        genesys: format!(
            "topics = [\"adherence\", \"presence\", \"routing_status\", \"activity\", \
             \"conversations\"]\nchannel_life_ms = {DAY_MS}\nclosing_notice_ms = 100"
        ),
        more: PATIENT.to_owned(),
        ..Wishes::default()
    })
    .await;
    world.wait_live().await;
    world.wait("forty hand-overs", |world| handovers(world) >= ROTATIONS).await;
    let seen = handovers(&world);
    let (recorded, truth) = world.end().await;
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.losses());
    assert!(recorded.open.is_empty(), "{:#?}", recorded.open);
    let events = recorded.assert_whole(&truth);
    println!("{seen} hand-overs, {events} events, none lost, none doubled, no row of the ledger");
}

/// Nobody does anything: a day is over all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_night_channels_rotate_without_a_row() {
    let mut vendor = settings(5, 1.0);
    vendor.channel_life_ms = LIFE_MS;
    let world = World::start(vendor, |_| Wishes {
        genesys: format!(
            "topics = [\"adherence\"]\nchannel_life_ms = {}\nclosing_notice_ms = 100",
            2 * DAY_MS
        ),
        more: format!("{PATIENT}\nhandover_ms = 800"),
        ..Wishes::default()
    })
    .await;
    world.wait_live().await;
    world.vendor.stop_emission();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.wait("two hand-overs", |world| handovers(world) >= 2).await;
    world.wait_live().await;
    let (recorded, truth) = world.end().await;
    recorded.assert_whole(&truth);
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.losses());
}
