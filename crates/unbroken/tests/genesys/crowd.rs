//! More users than a channel takes.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::machine::{Phase, Report};
use unbroken_sim::{Fault, Load};

use crate::world::{PATIENT, Wishes, World, settings};

const USERS: u32 = 12_000;
const CHANNELS: usize = 12;

/// What the vendor was asked for, from one second on.
fn calls(world: &World, from: usize) -> (u64, u64) {
    let load = world.vendor.load();
    let sum = |of: fn(&Load) -> u64| load.iter().skip(from).map(of).sum();
    (sum(|second| second.rest_calls + second.token_calls), sum(|second| second.handshakes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_thousand_users_are_twelve_channels_and_one_may_be_taken_away() {
    let mut vendor = settings(USERS, 500.0);
    // The documented rate, and a minute that is one.
    vendor.rate_max = 300;
    vendor.rate_window_ms = 60_000;
    let world = World::start(vendor, |_| Wishes {
        genesys: "topics = [\"adherence\"]".to_owned(),
        more: format!(
            "{PATIENT}\naudit_ms = 600000\n\n[source.budget]\nrequests_per_minute = 120\n\
             requests_burst = 180\nhandshakes_per_minute = 60\nhandshakes_burst = 20"
        ),
        ..Wishes::default()
    })
    .await;
    world.wait_live().await;
    assert_eq!(world.live(), (CHANNELS, CHANNELS));
    let (asked, shaken) = calls(&world, 0);
    assert_eq!(shaken, CHANNELS as u64);
    println!("start: {asked} requests and {shaken} handshakes for {USERS} users");

    let from = world.vendor.load().len();
    let before = world.reports().len();
    world.vendor.inject(Fault::ChannelEvicted).unwrap();
    world.wait("the eviction to be seen", |world| world.live().0 == CHANNELS - 1).await;
    world.wait_live().await;
    let (asked, shaken) = calls(&world, from);
    assert_eq!(shaken, 1, "one stream alone has recovered");
    assert!(world.reports().len() > before);
    println!("one eviction: {asked} requests and {shaken} handshake until all streams are live");

    let refused = world.handle.status().sources[0].counts.requests.1;
    assert!(
        refused <= 1,
        "but for the channel that was looked for, nothing was refused: {refused}"
    );
    let (recorded, truth) = world.end().await;
    let rows = recorded.losses();
    assert_eq!(rows.len(), 1, "what the one channel missed is one row: {rows:#?}");
    drop(truth);
}

/// Everybody subscribes anew at once, and a second channel for each would be more than there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_agents_do_not_cost_a_channel_of_another_stream() {
    let mut vendor = settings(240, 200.0);
    vendor.channels_max = 14;
    let world = World::start(vendor, |_| Wishes {
        genesys: "topics = [\"presence\"]\ntopics_per_channel_max = 20\nchannels_max = 14".into(),
        more: "handover_ms = 300\npage_ms = 100".to_owned(),
        ..Wishes::default()
    })
    .await;
    world.wait_live().await;
    assert_eq!(world.live(), (CHANNELS, CHANNELS));
    // Nothing happens that would end a hand-over early: each takes its whole time.
    world.vendor.stop_emission();
    world.handle.reload(None);
    let handed_over = |world: &World| {
        let handover = |report: &Report| match report {
            Report::Phase { stream, phase: Phase::Live { handover: true } } => Some(stream.clone()),
            _ => None,
        };
        world.reports().iter().filter_map(handover).collect::<BTreeSet<_>>().len()
    };
    world.wait("every stream to begin a hand-over", |world| handed_over(world) == CHANNELS).await;
    world
        .wait("all hand-overs to end", |world| {
            let ended = |report: &Report| match report {
                Report::Phase { stream, phase: Phase::Live { handover } } => {
                    Some((stream.clone(), *handover))
                }
                _ => None,
            };
            let last: BTreeMap<_, _> = world.reports().iter().filter_map(ended).collect();
            last.values().all(|handover| !handover) && world.live().0 == CHANNELS
        })
        .await;
    let waited = |report: &Report| match report {
        Report::Lost { failure, .. } => failure.what.as_str().contains("all channels are in use"),
        _ => false,
    };
    assert!(world.reports().iter().any(waited), "two at a time, and the others wait");
    let (recorded, truth) = world.end().await;
    recorded.assert_whole(&truth);
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.losses());
}
