//! How a service lives and ends: signals, the control socket, the lock.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use unbroken_sim::truth::SubscriptionEnd;

use crate::service::World;

/// A world whose agents file names the first `count` agents that the vendor has.
pub(crate) fn world(count: usize) -> (World, Vec<String>) {
    let world = World::new();
    let truth = world.vendor().truth();
    let mut agents: Vec<String> =
        truth.events.iter().map(|event| event.agent.to_string()).collect();
    agents.sort();
    agents.dedup();
    assert!(agents.len() > count, "the vendor begins with an event of each agent");
    fs::write(world.path("agents"), agents[..count].join("\n")).expect("a file");
    (world, agents)
}

/// All agents.
fn world_of_all() -> World {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    world
}

#[test]
fn sigterm_unsubscribes_commits_and_exits_within_five_seconds() {
    let world = world_of_all();
    let service = world.run(&["--log", "json"]);
    service.wait_live();
    service.signal("TERM");
    let (code, log, took) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let verified = world.command(&["verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let truth = world.truth();
    let last = truth.subscriptions.last().expect("it had subscribed");
    assert_eq!(last.end, SubscriptionEnd::Left, "{last:?}");
}

#[test]
fn json_logs_are_objects_without_any_payload() {
    let world = world_of_all();
    let service = world.run(&["--log", "json"]);
    service.wait_status("recording", |status| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(20)
    });
    service.signal("INT");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    for line in log.lines() {
        let object: Value = serde_json::from_str(line).expect("every line is an object");
        assert!(object["level"].is_string() && object["timestamp"].is_string(), "{line}");
    }
    let secret = &world.vendor().credentials.client_secret;
    assert!(!log.contains("scheduledActivity") && !log.contains(secret.as_str()), "{log}");
}

#[test]
fn sighup_reads_agents_again_and_makes_before_it_breaks() {
    let (world, agents) = world(5);
    let service = world.run(&["--log", "json"]);
    service.wait_live();
    fs::write(world.path("agents"), agents.join("\n")).expect("a file");
    service.signal("HUP");
    service.wait_status("subscribed to more", |_| {
        let truth = world.vendor().truth();
        let last = truth.subscriptions.last().and_then(|last| last.agents.as_ref());
        last.is_some_and(|asked| asked.len() == agents.len())
    });
    let status = service.wait_live();
    let stream = &status["sources"][0]["streams"][0];
    assert_eq!((&stream["lost"], &stream["gaps_opened"]), (&0.into(), &1.into()), "{status}");
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    let truth = world.truth();
    let [first, second] = &truth.subscriptions[..] else {
        panic!("two subscriptions, not {}", truth.subscriptions.len());
    };
    assert!(first.ended_us >= Some(second.accepted_us), "{first:?} {second:?}");
}

#[test]
fn the_control_socket_is_ours_alone_and_stops_the_service() {
    let world = world_of_all();
    let service = world.run(&[]);
    service.wait_live();
    let mode = |name: &str| {
        let metadata = fs::metadata(world.path(name)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("data"), mode("data/control")), (0o700, 0o600));
    let metrics = world.command(&["control", "metrics"]);
    let metrics = String::from_utf8_lossy(&metrics.stdout).into_owned();
    assert!(
        metrics.contains("unbroken_live{source=\"cx\",stream=\"cx/adherence\"} 1"),
        "{metrics}"
    );
    let unknown = world.command(&["control", "resync", "--source", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    let resync = world.command(&["control", "resync", "--source", "cx"]);
    assert_eq!(resync.status.code(), Some(0), "{}", String::from_utf8_lossy(&resync.stderr));
    let rebuild = world.command(&["rebuild"]);
    assert_eq!(rebuild.status.code(), Some(2), "a running service feeds the store");
    let stop = world.command(&["control", "stop"]);
    assert_eq!(stop.status.code(), Some(0), "{}", String::from_utf8_lossy(&stop.stderr));
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn two_services_never_write_one_journal() {
    let world = world_of_all();
    let service = world.run(&[]);
    service.wait_live();
    let second = world.command(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("the journal is in use by process"), "{said}");
    service.wait_live();
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn a_service_that_starts_again_goes_on_where_it_was() {
    let world = world_of_all();
    let service = world.run(&[]);
    service.wait_status("recording", |status| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(20)
    });
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    let service = world.run(&[]);
    service.wait_live();
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    let gaps = world.command(&["gaps", "--format", "ndjson"]);
    let gaps = String::from_utf8_lossy(&gaps.stdout).into_owned();
    let lost: Vec<&str> = gaps.lines().filter(|row| !row.contains("\"start\"")).collect();
    assert!(lost.is_empty(), "the vendor kept everything, so nothing is missing: {gaps}");
}
