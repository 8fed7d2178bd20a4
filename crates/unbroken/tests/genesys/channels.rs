//! Channels that are taken away, and topics that are not had.

use unbroken_core::machine::{Blocked, Phase, Report};
use unbroken_core::record::GapCause;
use unbroken_sim::Fault;

use crate::world::{Wishes, World, settings};

fn blocked(world: &World) -> Option<String> {
    world.reports().into_iter().find_map(|report| match report {
        Report::Phase { phase: Phase::Blocked { why: Blocked::Fatal { failure } }, .. } => {
            Some(failure.what.to_string())
        }
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_had_is_loud_and_the_others_go_on() {
    let first = World::start(settings(4, 20.0), |_| Wishes::default()).await;
    let forbidden = format!("v2.users.{}.presence", first.account.users[1]);
    first.abandon().await;
    let mut vendor = settings(4, 20.0);
    vendor.forbidden_topics = vec![forbidden.clone()];
    let world = World::start(vendor, |_| Wishes {
        genesys: "topics = [\"adherence\", \"presence\"]".to_owned(),
        ..Wishes::default()
    })
    .await;
    world.wait("an alarm", |world| !world.alarms().is_empty()).await;
    let alarms = world.alarms();
    let named = |alarm: &String| alarm.contains(&forbidden) && alarm.contains("(lacks ");
    assert!(alarms.iter().any(named), "{alarms:?}");
    world.wait("adherence to be live", |world| world.live().0 == 1).await;
    let status = world.handle.status();
    let streams = status.sources.iter().flat_map(|source| &source.streams);
    let live: Vec<_> = streams.filter(|stream| stream.is_live()).collect();
    assert_eq!(live[0].stream.as_str(), "g/adherence");
    let recorded = world.abandon().await;
    assert!(
        recorded.open.contains(&("g/presence".to_owned(), GapCause::Partial)),
        "{:?}",
        recorded.open
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_with_one_client_are_told_and_do_not_fight_for_ever() {
    let world = World::start(settings(4, 20.0), |_| Wishes {
        genesys: "topics = [\"adherence\"]\nevictions_max = 2".to_owned(),
        ..Wishes::default()
    })
    .await;
    for _ in 0..2 {
        world.wait_live().await;
        world.vendor.inject(Fault::ChannelEvicted).unwrap();
        world.wait("an eviction to be seen", |world| world.live().0 == 0).await;
    }
    world.wait("the stream to be blocked", |world| blocked(world).is_some()).await;
    let why = blocked(&world).unwrap();
    assert!(why.contains("another program makes channels with the same OAuth client"), "{why}");
    world.abandon().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_are_recorded_by_one_topic_each_and_read_from_where_the_vendor_puts_them() {
    let mut vendor = settings(30, 100.0);
    vendor.units = 2;
    // Every listing comes as an address.
    vendor.listing_rows_max = 0;
    let world = World::start(vendor, |account| {
        let units: Vec<&String> = account.units.iter().map(|(id, _)| id).collect();
        let genesys = format!("topics = [\"adherence\"]\nmanagement_units = {units:?}");
        Wishes { genesys, is_without_users: true, ..Wishes::default() }
    })
    .await;
    world.wait_live().await;
    world.wait("events", |world| world.vendor.events_emitted() > 300).await;
    let (recorded, truth) = world.end().await;
    assert!(recorded.assert_whole(&truth) > 0);
    let shown = truth.pages.iter().map(|page| page.rows).sum::<u64>();
    assert!(shown >= 30, "the state was read: {shown}");
}
