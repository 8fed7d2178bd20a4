//! The simulated vendors alone, as a client of its own would use them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A process that is stopped with the test.
struct Simulator {
    child: Child,
    told: BTreeMap<String, Vec<String>>,
}

impl Simulator {
    /// Starts it and reads what it tells, up to a line of this name.
    fn start(arguments: &[&str], last: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_unbroken"))
            .args(["simulate", "--listen", "127.0.0.1:0", "--faults", "none", "--duration", "60s"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary");
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let stdout = child.stdout.take().expect("its output");
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("a line");
            let (name, value) = line.split_once('=').expect("name=value");
            told.entry(name.to_owned()).or_default().push(value.to_owned());
            if name == last {
                break;
            }
        }
        Self { child, told }
    }

    fn one(&self, name: &str) -> &str {
        self.told.get(name).and_then(|values| values.first()).expect("it was told")
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // One that is gone already needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn token(simulator: &Simulator) -> String {
    let asked = reqwest::Client::new()
        .post(simulator.one("token_url"))
        .basic_auth(simulator.one("client_id"), Some(simulator.one("client_secret")))
        .form(&[("grant_type", "client_credentials")])
        .send();
    let answer: Value = asked.await.expect("an answer").json().await.expect("json");
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_genesys_cloud_alone_tells_how_to_reach_it() {
    let simulator = Simulator::start(&["--vendor", "genesys", "--agents", "8"], "queue");
    let token = token(&simulator).await;
    let client = reqwest::Client::new();
    let api = simulator.one("api");
    let made = client
        .post(format!("{api}/api/v2/notifications/channels"))
        .bearer_auth(&token)
        .json(&json!({}))
        .send();
    let channel: Value = made.await.expect("an answer").json().await.expect("json");
    let address = api.replace("http://", "ws://");
    assert!(channel["connectUri"].as_str().is_some_and(|uri| uri.starts_with(&address)));
    let mut users = 0;
    for unit in &simulator.told["management_unit"] {
        let url = format!("{api}/api/v2/workforcemanagement/managementunits/{unit}/adherence");
        let asked = client.get(url).bearer_auth(&token).send();
        let listing: Value = asked.await.expect("an answer").json().await.expect("json");
        users += listing["entities"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(users, 8);
}

#[tokio::test]
async fn a_cxone_alone_tells_how_to_reach_it() {
    let simulator = Simulator::start(&["--agents", "8"], "stream");
    let token = token(&simulator).await;
    let url = format!("{}/api/v2/wfm/schedules?limit=1", simulator.one("api"));
    let asked = reqwest::Client::new().get(url).bearer_auth(token).send();
    let page: Value = asked.await.expect("an answer").json().await.expect("json");
    assert_eq!(page["total"], 8);
    assert!(simulator.one("stream").starts_with("ws://"));
}

#[tokio::test]
async fn a_polled_vendor_alone_is_found_by_the_service_that_names_it() {
    let simulator = Simulator::start(&["--vendor", "cxone-poll", "--agents", "8"], "key_secret");
    let client = reqwest::Client::new();
    let asked = client
        .get(format!("{}/.well-known/cxone-configuration", simulator.one("discovery")))
        .query(&[("tenantId", simulator.one("tenant_id"))])
        .send();
    let named: Value = asked.await.expect("an answer").json().await.expect("json");
    let api = named["api_endpoint"].as_str().expect("a host");
    assert_eq!(api, simulator.one("api"));
    let (id, secret) = (simulator.one("key_id"), simulator.one("key_secret"));
    let asked = client
        .post(simulator.one("token_url"))
        .json(&json!({"accessKeyId": id, "accessKeySecret": secret}))
        .send();
    let granted: Value = asked.await.expect("an answer").json().await.expect("json");
    let token = granted["access_token"].as_str().expect("a token");
    let url = format!("{api}/InContactAPI/services/v28.0/agents/states");
    let asked = client.get(url).bearer_auth(token).send();
    let everybody: Value = asked.await.expect("an answer").json().await.expect("json");
    assert_eq!(everybody["totalRecords"], 8);
}
