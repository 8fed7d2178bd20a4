//! The polled vendor, held to its published rules over real sockets, by a client that shares
//! nothing with it but these.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use unbroken_sim::{PollFault, PollVendor, Settings};

const STATES: &str = "/InContactAPI/services/v28.0/agents/states";
const PATIENCE: Duration = Duration::from_secs(20);

struct Asker {
    vendor: PollVendor,
    client: Client,
    token: String,
}

impl Asker {
    async fn new(rate: f64) -> Self {
        Self::of(Settings { agents: 20, rate, ..Settings::default() }).await
    }

    async fn of(settings: Settings) -> Self {
        let vendor = PollVendor::start(settings).await.unwrap();
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        let mut asker = Self { vendor, client, token: String::new() };
        asker.token = asker.new_token().await;
        asker
    }

    async fn new_token(&self) -> String {
        let (id, secret) = self.vendor.access_key.clone();
        let answer = self.grant(&json!({"accessKeyId": id, "accessKeySecret": secret})).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["expires_in"], 3600);
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn grant(&self, body: &Value) -> Response {
        let url = format!("{}/authentication/v1/token/access-key", self.vendor.http_url);
        self.client.post(url).json(body).send().await.unwrap()
    }

    async fn ask(&self, query: &[(&str, &str)]) -> Result<Response, reqwest::Error> {
        let url = format!("{}{STATES}", self.vendor.http_url);
        self.client.get(url).query(query).bearer_auth(&self.token).send().await
    }

    async fn page(&self, query: &[(&str, &str)]) -> Value {
        let answer = self.ask(query).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }
}

fn place(page: &Value) -> String {
    page["lastPollTime"].as_str().unwrap().to_owned()
}

fn agents(page: &Value) -> Vec<u64> {
    page["agentStates"].as_array().unwrap().iter().map(|r| r["agentId"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_token_is_given_for_the_access_key_only_and_nothing_without_one() {
    let mut asker = Asker::new(0.0).await;
    let wrong = asker.grant(&json!({"accessKeyId": "x", "accessKeySecret": "y"})).await;
    assert_eq!(wrong.status(), 401);
    asker.token = "made-up".into();
    let refused = asker.ask(&[]).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["icStatusDescription"], "token is not valid");
}

#[tokio::test]
async fn without_a_place_everybody_is_shown_and_then_who_has_changed() {
    let asker = Asker::new(0.0).await;
    let all = asker.page(&[]).await;
    assert_eq!((all["totalRecords"].as_u64(), agents(&all).len()), (Some(20), 20));
    let nothing = asker.ask(&[("updatedSince", &place(&all))]).await.unwrap();
    assert_eq!(nothing.status(), 204);
    let since = all["agentStates"][11]["lastUpdateTime"].as_str().unwrap().to_owned();
    let some = asker.page(&[("updatedSince", &since)]).await;
    assert_eq!(agents(&some), agents(&all)[12..], "in order of time, the moment itself left out");
    let wrong = asker.ask(&[("updatedSince", "yesterday")]).await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.text().await.unwrap()), (400, String::new()));
}

#[tokio::test]
async fn pages_are_cut_by_skip_and_top() {
    let asker = Asker::new(0.0).await;
    let all = agents(&asker.page(&[]).await);
    let mut walked = Vec::new();
    for skip in ["0", "8", "16", "24"] {
        let page = asker.page(&[("skip", skip), ("top", "8")]).await;
        assert_eq!(page["totalRecords"], 20);
        walked.extend(agents(&page));
    }
    assert_eq!(walked, all);
}

#[tokio::test]
async fn the_ledger_says_what_was_read_once_the_client_has_asked_on() {
    let asker = Asker::new(0.0).await;
    let all = asker.page(&[]).await;
    let since = all["agentStates"][16]["lastUpdateTime"].as_str().unwrap().to_owned();
    asker.page(&[("updatedSince", &since)]).await;
    asker.page(&[]).await;
    let truth = asker.vendor.truth();
    assert_eq!((truth.states.len(), truth.read_count()), (20, 3), "answers to polls count");
}

#[tokio::test]
async fn nobody_is_shown_by_a_status() {
    let settings = Settings { agents: 0, ..Settings::default() };
    let asker = Asker::of(settings).await;
    assert_eq!(asker.ask(&[]).await.unwrap().status(), 204);
}

#[tokio::test]
async fn who_is_removed_is_in_no_answer_and_none_says_so() {
    let asker = Asker::new(0.0).await;
    let before = asker.page(&[]).await;
    asker.vendor.inject(PollFault::AgentsChange);
    let since = asker.page(&[("updatedSince", &place(&before))]).await;
    let after = agents(&asker.page(&[]).await);
    let before = agents(&before);
    let gone: Vec<_> = before.iter().filter(|agent| !after.contains(agent)).collect();
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert_eq!(after.len(), before.len());
    assert!(agents(&since).iter().all(|agent| after.contains(agent)));
    let truth = asker.vendor.truth();
    let removed = truth.states.iter().filter(|state| state.row.is_none());
    let removed: Vec<u64> = removed.map(|state| state.agent.parse().unwrap()).collect();
    assert!(gone.iter().all(|agent| removed.contains(agent)), "{gone:?} of {removed:?}");
    assert_eq!(asker.vendor.fired().get(&PollFault::AgentsChange), Some(&1));
}

#[tokio::test]
async fn the_service_names_the_host_and_another_one_after_a_move() {
    let asker = Asker::new(0.0).await;
    let (url, id) = (&asker.vendor.discovery_url, asker.vendor.tenant_id.clone());
    let url = format!("{url}/.well-known/cxone-configuration");
    let named = async |tenant: &str| {
        let asked = asker.client.get(&url).query(&[("tenantId", tenant)]);
        asked.send().await.unwrap()
    };
    assert_eq!(named("somebody").await.status(), 404);
    let first: Value = named(&id).await.json().await.unwrap();
    assert_eq!(first["api_endpoint"].as_str(), Some(asker.vendor.http_url.as_str()));
    asker.vendor.inject(PollFault::TenantMoved);
    let second: Value = loop {
        let answer = named(&id).await;
        if answer.status() == 200 {
            break answer.json().await.unwrap();
        }
        assert_eq!(answer.status(), 503, "while it is being moved");
    };
    assert_ne!(second["api_endpoint"], first["api_endpoint"]);
    assert_eq!(second["tenantId"].as_str(), Some(id.as_str()));
    assert!(asker.ask(&[]).await.is_err(), "the old host is gone");
    let api = second["api_endpoint"].as_str().unwrap();
    let there = asker.client.get(format!("{api}{STATES}")).bearer_auth(&asker.token);
    assert_eq!(there.send().await.unwrap().status(), 200);
    assert_eq!(asker.vendor.fired().get(&PollFault::TenantMoved), Some(&1));
}

/// Asks until the fault was seen, and until it is over.
async fn see(asker: &Asker, fault: PollFault) -> Vec<Result<u16, ()>> {
    let since = "1970-01-01T00:00:00Z";
    asker.vendor.inject(fault);
    let mut seen = Vec::new();
    while !asker.vendor.is_calm() {
        let answer = asker.ask(&[("updatedSince", since), ("top", "5")]).await;
        let read = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.bytes().await.map_err(drop);
                body.map(|body| match serde_json::from_slice::<Value>(&body) {
                    Err(_) if status == 200 => 0,
                    _ => status,
                })
            }
            Err(_) => Err(()),
        };
        seen.push(read);
        if fault == PollFault::ShiftedPages {
            asker.ask(&[("updatedSince", since), ("skip", "7")]).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asker.vendor.fired().get(&fault), Some(&1), "{fault}");
    seen
}

#[tokio::test]
async fn every_fault_is_seen_on_the_wire_and_ends() {
    // These two have tests of their own.
    let of_polls =
        |fault: &PollFault| !matches!(fault, PollFault::AgentsChange | PollFault::TenantMoved);
    for fault in PollFault::ALL.into_iter().filter(of_polls) {
        let mut asker = Asker::new(200.0).await;
        if matches!(fault, PollFault::TokenRevoked | PollFault::TokenDown) {
            asker.page(&[]).await;
            asker.vendor.inject(fault);
            assert_eq!(asker.ask(&[]).await.unwrap().status(), 401);
            let (id, secret) = asker.vendor.access_key.clone();
            let key = json!({"accessKeyId": id, "accessKeySecret": secret});
            while asker.grant(&key).await.status() != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            asker.token = asker.new_token().await;
            asker.page(&[]).await;
            assert_eq!(asker.vendor.fired().get(&fault), Some(&1), "{fault}");
            continue;
        }
        let seen = tokio::time::timeout(PATIENCE, see(&asker, fault)).await.unwrap();
        let odd: &[Result<u16, ()>] = match fault {
            PollFault::LostAnswer | PollFault::VendorOutage => &[Err(())],
            PollFault::TruncatedAnswer => &[Err(()), Ok(0)],
            PollFault::Throttled => &[Ok(429)],
            PollFault::Unavailable => &[Ok(503)],
            PollFault::SilentAnswers => &[Ok(204)],
            PollFault::PlaceRefused => &[Ok(400)],
            _ => &[Ok(200)],
        };
        assert!(seen.iter().any(|read| odd.contains(read)), "{fault}: {seen:?}");
    }
}
