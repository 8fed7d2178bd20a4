//! npm `purecloud-platform-client-v2` and `ws`, and PyPI `PureCloudPlatformClientV2`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;
use unbroken_sim::Vendor;
use unbroken_sim::genesys::Settings;
use unbroken_sim::truth::Truth;

/// Far above what the clients take: only a broken one gets here.
const PATIENCE: Duration = Duration::from_secs(50);

/// Where the set-up has installed them.
fn installed(kind: &str) -> PathBuf {
    let cache = std::env::var_os("UNBROKEN_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is not set");
        Path::new(&home).join(".cache/unbroken")
    });
    let folder = cache.join("clients").join(kind);
    assert!(folder.join(".installed").is_file(), "run `make clients-setup` first");
    folder
}

/// A vendor over TLS, as both clients expect it, and the file with its authority.
async fn vendor(folder: &Path) -> (Vendor, PathBuf) {
    let mut settings = Settings {
        units: 2,
        teams_per_unit: 2,
        queues: 2,
        history_lag_ms: 50,
        job_ms: 100,
        ..Settings::default()
    };
    settings.vendor.agents = 20;
    settings.vendor.rate = 400.0;
    settings.vendor.heartbeat_ms = 200;
    settings.vendor.tls = true;
    let vendor = Vendor::start(settings).await.unwrap();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, vendor.ca_pem.as_ref().unwrap()).unwrap();
    // Some life to look back at: conversations that have ended.
    while vendor.truth().facts.iter().filter(|fact| fact.segment_end_us.is_some()).count() < 60 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (vendor, ca)
}

/// What a client is told.
fn order(vendor: &Vendor) -> Value {
    let account = vendor.account();
    let (unit, users) = &account.units[0];
    json!({
        "host": "127.0.0.1",
        "port": vendor.address.port(),
        "clientId": vendor.credentials.client_id,
        "clientSecret": vendor.credentials.client_secret,
        "unit": unit,
        "team": account.teams[0].0,
        "users": users,
        "interval": interval(&vendor.truth()),
    })
}

/// The month around now.
fn interval(truth: &Truth) -> String {
    // The first event's own text says when it was, to the minute.
    let body: Value = serde_json::from_slice(&truth.events[0].body).unwrap();
    let day = &body["adherenceChangeTime"].as_str().unwrap()[..10];
    let next = &day[..8];
    let last: u32 = day[8..].parse().unwrap();
    if last < 28 {
        format!("{day}T00:00:00.000Z/{next}{:02}T00:00:00.000Z", last + 1)
    } else {
        format!("{next}{last:02}T00:00:00.000Z/{next}{last:02}T23:59:59.999Z")
    }
}

/// Runs a client to its end; returns what it printed.
async fn run(command: &mut Command, order: &Value, home: &Path) -> Value {
    let child = command
        .env("ORDER", order.to_string())
        // Both read configuration from the user's folder.
        .env("HOME", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, child).await.expect("the client hangs").unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{told}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_vendors_javascript_sdk_and_a_plain_websocket_accept_the_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let node = installed("node");
    let (vendor, ca) = vendor(folder.path()).await;
    let order = order(&vendor);
    // Modules are found from where the script is.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/node/notifications.mjs");
    let here = folder.path().join("notifications.mjs");
    std::fs::copy(script, &here).unwrap();
    std::os::unix::fs::symlink(node.join("node_modules"), folder.path().join("node_modules"))
        .unwrap();
    let mut command = Command::new("node");
    command.arg("--preserve-symlinks").arg(&here).env("NODE_EXTRA_CA_CERTS", &ca);
    let told = run(&mut command, &order, folder.path()).await;
    let truth = vendor.truth();

    let topics = told["topics"].as_array().unwrap();
    let states = told["states"].as_array().unwrap();
    assert_eq!(states.iter().filter(|state| **state == "Permitted").count(), topics.len() - 1);
    assert_eq!(states.last().unwrap(), "Rejected");
    let set = |value: &Value| -> BTreeSet<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut permitted = set(&told["topics"]);
    permitted.remove("v2.users.nobody.presence");
    assert_eq!(set(&told["had"]), permitted);
    assert_eq!((&told["gone"], &told["refused"]["status"]), (&json!(404), &json!(400)));
    assert!(set(&told["channels"]).contains(told["channel"]["id"].as_str().unwrap()));

    let events = told["heard"]["events"].as_array().unwrap();
    let made: BTreeSet<Vec<u8>> = truth.events.iter().map(|event| canonical(&event.body)).collect();
    for event in events {
        let body = serde_json::to_vec(&event["eventBody"]).unwrap();
        assert!(made.contains(&canonical(&body)), "{event}");
        assert!(permitted.contains(event["topicName"].as_str().unwrap()));
    }
    assert!(events.len() >= 40);
    let users = order["users"].as_array().unwrap().len();
    assert_eq!(told["rows"].as_array().unwrap().len(), users);
    assert_eq!(told["listing"], json!(users));
    assert!(told["downloadUrl"].as_str().unwrap().starts_with(&vendor.http_url));
    let known: BTreeSet<String> =
        truth.facts.iter().map(|fact| fact.conversation.clone()).collect();
    let shown = set(&told["conversations"]);
    assert!(shown.len() > 10 && shown.is_subset(&known));
    assert!(told["totalHits"].as_u64().unwrap() >= shown.len() as u64);
    assert_eq!(told["jobStates"].as_array().unwrap().last().unwrap(), "Complete");
    assert_eq!((&told["downloads"], &told["left"]), (&json!(1), &json!(0)));
}

/// The same JSON in one form.
fn canonical(body: &[u8]) -> Vec<u8> {
    // Members are sorted by the parser's own map.
    serde_json::to_vec(&serde_json::from_slice::<Value>(body).unwrap()).unwrap()
}

/// The models that speak of each kind of event.
fn models(key: &str) -> &'static [&'static str] {
    match key.split('/').next().unwrap() {
        "adherence" => &[
            "WfmUserScheduleAdherenceUpdatedTopicUserScheduleAdherenceUpdate",
            "WfmUserScheduleAdherenceUpdatedMuTopicUserScheduleAdherenceUpdate",
            "WfmUserScheduleAdherenceUpdatedTeamTopicUserScheduleAdherenceUpdate",
        ],
        "presence" => &["PresenceEventUserPresence"],
        "routing" => &["UserRoutingStatusUserRoutingStatus"],
        "activity" => &["AgentActivityChangedTopicAgentActivity"],
        "conversation" => {
            &["ConversationEventTopicConversation", "QueueConversationEventTopicConversation"]
        }
        other => panic!("{other} has no model"),
    }
}

#[tokio::test]
async fn the_vendors_python_models_parse_every_answer_and_every_event_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let python = installed("python");
    let (vendor, ca) = vendor(folder.path()).await;
    let mut order = order(&vendor);
    let truth = vendor.truth();
    let mut lines = String::new();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &truth.events {
        let body = std::str::from_utf8(&event.body).unwrap();
        for model in models(&event.agent) {
            lines += &format!("{{\"model\":\"{model}\",\"body\":{body}}}\n");
            *expected.entry(model).or_default() += 1;
        }
    }
    let events = folder.path().join("events.ndjson");
    std::fs::write(&events, lines).unwrap();
    order["events"] = json!(events);
    order["ca"] = json!(ca);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python/models.py");
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", python).env("PYTHONDONTWRITEBYTECODE", "1");
    let told = run(&mut command, &order, folder.path()).await;
    assert_eq!(expected.len(), 8, "{expected:?}");
    for (model, count) in expected {
        assert_eq!(told[model], json!(count), "{model}");
    }
    for (model, count) in [
        ("Channel", 1),
        ("ChannelEntityListing", 1),
        ("ChannelTopicEntityListing", 2),
        ("ErrorBody", 1),
        ("list[UserScheduleAdherence]", 1),
        ("UserScheduleAdherenceListing", 4),
        ("AnalyticsConversationQueryResponse", 1),
        ("WfmHistoricalAdherenceBulkResult", 1),
    ] {
        assert_eq!(told[model], json!(count), "{model}: {told}");
    }
    assert!(told["WfmHistoricalAdherenceBulkResponse"].as_u64().unwrap() >= 2, "{told}");
}
