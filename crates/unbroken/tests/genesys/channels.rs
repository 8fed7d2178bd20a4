//! Channels that are taken away, and topics that are not had.

use serde_json::Value;
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
    // An eviction that an audit finds is counted when the next channel is on its way already.
    for evictions in 1..=3 {
        world
            .wait("the stream to be live, or blocked", |world| {
                world.live().0 == 1 || blocked(world).is_some()
            })
            .await;
        if blocked(&world).is_some() {
            break;
        }
        world.vendor.inject(Fault::ChannelEvicted).unwrap();
        let lost = |world: &World| {
            let is_lost = |report: &&Report| matches!(report, Report::Lost { .. });
            world.reports().iter().filter(is_lost).count()
        };
        world.wait("an eviction to be seen", |world| lost(world) >= evictions).await;
    }
    world.wait("the stream to be blocked", |world| blocked(world).is_some()).await;
    let why = blocked(&world).unwrap();
    assert!(why.contains("another program makes channels with the same OAuth client"), "{why}");
    world.abandon().await;
}

/// Somebody else with the same client empties every channel.
async fn empty_channels(world: &World) {
    let (vendor, http) = (&world.vendor, reqwest::Client::new());
    let form = [("grant_type", "client_credentials")];
    let credentials = &vendor.credentials;
    let asked = http
        .post(format!("{}/oauth/token", vendor.http_url))
        .basic_auth(&credentials.client_id, Some(&credentials.client_secret))
        .form(&form);
    let token: Value = asked.send().await.unwrap().json().await.unwrap();
    let token = token["access_token"].as_str().unwrap();
    let channels = format!("{}/api/v2/notifications/channels", vendor.http_url);
    let listed = http.get(&channels).bearer_auth(token).send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    for channel in listed["entities"].as_array().unwrap() {
        let id = channel["id"].as_str().unwrap();
        let emptied = http.delete(format!("{channels}/{id}/subscriptions")).bearer_auth(token);
        assert!(emptied.send().await.unwrap().status().is_success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_holds_nothing_any_more_is_found_although_it_beats() {
    let world = World::start(settings(10, 50.0), |_| Wishes {
        genesys: "topics = [\"presence\"]\nchannel_look_ms = 200".to_owned(),
        ..Wishes::default()
    })
    .await;
    world.wait_live().await;
    empty_channels(&world).await;
    let found = |report: &Report| match report {
        Report::Lost { failure, .. } => failure.what.as_str().contains("changed by somebody else"),
        _ => false,
    };
    world.wait("it to be found", |world| world.reports().iter().any(found)).await;
    world.wait_live().await;
    let made = world.vendor.events_emitted();
    world.wait("events", |world| world.vendor.events_emitted() > made + 50).await;
    let (recorded, _) = world.end().await;
    assert_eq!(recorded.losses().len(), 1, "{:?}", recorded.losses());
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
