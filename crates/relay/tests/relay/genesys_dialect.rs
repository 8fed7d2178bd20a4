//! The dialect of Genesys Cloud, as an application of the vendor's would use it.

use bytes::Bytes;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use unbroken_core::record::{Body, Change, Effect, Origin, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_relay::{Credentials, DialectSettings, GenesysDialect, RelayConfig};

use crate::house::House;
use crate::websocket::{Socket, hear, open_at, say};

const CHANNELS: &str = "/api/v2/notifications/channels";

fn house() -> House {
    house_that_keeps(Retention::default())
}

fn house_that_keeps(retention: Retention) -> House {
    let mut credentials = Credentials::default();
    credentials.add_pair("app", "secret");
    let genesys = GenesysDialect { source: "gen".to_owned(), credentials, token_life_ms: 60_000 };
    let dialects = DialectSettings { genesys: Some(genesys), ..DialectSettings::default() };
    let mut house = House::without_relay(retention);
    house.start_with(RelayConfig::default(), dialects);
    house
}

/// One notification's body of `user`, in the record.
fn record(stream: &str, user: &str, body: &Value) -> Record {
    let change = Change {
        key: user.into(),
        position: None,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: false,
        origin: Origin::Live,
        effect: Effect::State,
        occurred_at: None,
        digest: 1,
        payload: Bytes::from(body.to_string()),
    };
    let (stream, body) = (stream.into(), Body::Change(change));
    Record { stream, received_at: UnixMicros(0), body }
}

fn adherence(user: &str, state: &str) -> Record {
    let body = json!({
        "user": { "id": user }, "managementUnitId": "m1", "adherenceState": state,
        "adherenceChangeTime": "2026-01-05T08:00:00Z",
    });
    record("gen/adherence", user, &body)
}

fn topic(user: &str) -> String {
    format!("v2.users.{user}.workforcemanagement.adherence")
}

/// An application with its token.
struct Application {
    base: String,
    token: String,
}

impl Application {
    async fn log_in(house: &House) -> Self {
        let asked = Client::new()
            .post(house.url("/oauth/token"))
            .basic_auth("app", Some("secret"))
            .form(&[("grant_type", "client_credentials")]);
        let given: Value = asked.send().await.expect("one").json().await.expect("JSON");
        let token = given["access_token"].as_str().expect("a token").to_owned();
        Self { base: house.url(""), token }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = Client::new().request(method, format!("{}{path}", self.base));
        let answer = request.bearer_auth(&self.token).json(&body).send().await.expect("one");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// A channel with these topics: its id, and where it is connected to.
    async fn channel(&self, topics: &[String]) -> (String, String) {
        let (status, made) = self.ask(Method::POST, CHANNELS, json!({})).await;
        assert_eq!(status, 200, "{made}");
        let id = made["id"].as_str().expect("an id").to_owned();
        let wanted: Vec<Value> = topics.iter().map(|topic| json!({ "id": topic })).collect();
        let path = format!("{CHANNELS}/{id}/subscriptions");
        let (status, told) = self.ask(Method::PUT, &path, json!(wanted)).await;
        assert_eq!((status, told["entities"].as_array().map(Vec::len)), (200, Some(topics.len())));
        (id, made["connectUri"].as_str().expect("an address").to_owned())
    }
}

/// The states that the next notifications tell.
async fn states(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut states = Vec::new();
    while states.len() < count {
        let message = hear(socket).await.expect("a message");
        if message["topicName"] != "channel.metadata" {
            let state = message["eventBody"]["adherenceState"].as_str();
            states.push(state.unwrap_or("none").to_owned());
        }
    }
    states
}

/// Says `ping` and waits for the answer: every notification before it was read.
async fn ping(socket: &mut Socket) {
    say(socket, json!({ "message": "ping" })).await;
    while hear(socket).await.expect("an answer")["eventBody"]["message"] != "pong" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_made_subscribed_and_goes_on_where_its_socket_broke() {
    let mut house = house();
    house.commit(vec![adherence("u1", "before")]);
    let application = Application::log_in(&house).await;
    let (_, uri) = application.channel(&[topic("u1")]).await;
    house.commit(vec![adherence("u1", "early"), adherence("u2", "of-another")]);
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    assert_eq!(states(&mut socket, 1).await, ["early"]);
    ping(&mut socket).await;
    socket.close(None).await.expect("it closes");
    while hear(&mut socket).await.is_ok() {}
    house.commit(vec![adherence("u1", "meanwhile")]);
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    house.commit(vec![adherence("u1", "after")]);
    assert_eq!(states(&mut socket, 2).await, ["meanwhile", "after"]);
    assert_eq!(house.figure("events_total").await, 3, "each was given once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_shown_replaced_added_and_taken_away() {
    let mut house = house();
    let application = Application::log_in(&house).await;
    let (id, uri) = application.channel(&[topic("u1")]).await;
    let path = format!("{CHANNELS}/{id}/subscriptions");
    let count = |told: &Value| told["entities"].as_array().map(Vec::len);
    let more = json!([{ "id": topic("u2") }]);
    assert_eq!(application.ask(Method::POST, &path, more).await.0, 200);
    assert_eq!(count(&application.ask(Method::GET, &path, json!(null)).await.1), Some(2));
    let wrong = json!([{ "id": topic("u3") }, { "id": "v2.users.u3.moods" }]);
    let (status, told) = application.ask(Method::PUT, &path, wrong.clone()).await;
    assert_eq!((status, &told["code"]), (400, &json!("bad.request")));
    let lenient = format!("{path}?ignoreErrors=true");
    let (_, told) = application.ask(Method::PUT, &lenient, wrong).await;
    assert_eq!(told["entities"][0]["state"], "Permitted");
    assert_eq!(told["entities"][1]["state"], "Rejected");
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    let wish = json!({ "message": "subscribe", "topics": [topic("u4")], "correlationId": "c" });
    say(&mut socket, wish).await;
    let answer = hear(&mut socket).await.expect("an answer");
    assert_eq!(answer, json!({ "result": "200", "status": "subscribed", "correlationId": "c" }));
    house.commit(vec![adherence("u1", "gone"), adherence("u4", "here"), adherence("u3", "too")]);
    assert_eq!(states(&mut socket, 2).await, ["here", "too"]);
    assert_eq!(application.ask(Method::DELETE, &path, json!(null)).await.0, 204);
    house.commit(vec![adherence("u4", "unheard")]);
    ping(&mut socket).await;
    let nobody = format!("{CHANNELS}/nobody/subscriptions");
    assert_eq!(application.ask(Method::GET, &nobody, json!(null)).await.0, 404);
    assert_eq!(
        open_at(&house.url("/channels/nobody").replace("http", "ws"), &[]).await.err(),
        Some(404)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_is_started_anew_misses_nothing() {
    let mut house = house();
    let application = Application::log_in(&house).await;
    let (_, uri) = application.channel(&[topic("u1")]).await;
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    house.commit(vec![adherence("u1", "told")]);
    assert_eq!(states(&mut socket, 1).await, ["told"]);
    ping(&mut socket).await;
    socket.close(None).await.expect("it closes");
    while hear(&mut socket).await.is_ok() {}
    house.commit(vec![adherence("u1", "while-it-was-dead")]);
    let anew = Application::log_in(&house).await;
    let (_, uri) = anew.channel(&[topic("u1")]).await;
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    assert_eq!(states(&mut socket, 1).await, ["while-it-was-dead"]);
}

/// Its events are gone; what they came to is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_older_than_what_is_kept_is_answered_with_what_is_current() {
    let retention = Retention { bytes_max: Some(600 * 1024), ..Retention::default() };
    let mut house = house_that_keeps(retention);
    let application = Application::log_in(&house).await;
    let (_, uri) = application.channel(&[topic("u1"), topic("u2")]).await;
    house.commit(vec![adherence("u1", "first"), adherence("u2", "of-the-other")]);
    house.commit(vec![adherence("u1", "last")]);
    let large = "x".repeat(2_000);
    for _ in 0..10 {
        house.commit((0..100).map(|_| adherence("u3", &large)).collect());
        // It is not left behind by retention, as the application is.
        house.wait_for_store();
    }
    assert!(house.oldest_at_rest() > 2, "it is deleted");
    let mut socket = open_at(&uri, &[]).await.expect("it opens");
    assert_eq!(states(&mut socket, 2).await, ["of-the-other", "last"]);
    house.commit(vec![adherence("u1", "new")]);
    assert_eq!(states(&mut socket, 1).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adherence_by_rest_is_what_is_current_in_the_shape_of_rest() {
    let mut house = house();
    house.commit(vec![adherence("u1", "old"), adherence("u2", "other"), adherence("u1", "new")]);
    let application = Application::log_in(&house).await;
    let base = "/api/v2/workforcemanagement";
    let one = format!("{base}/adherence?userId=u1");
    let (status, rows) = application.ask(Method::GET, &one, json!(null)).await;
    assert_eq!((status, rows.as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(rows[0]["adherenceState"], "new");
    assert_eq!(rows[0]["managementUnit"]["id"], "m1");
    assert_eq!(rows[0]["timeOfAdherenceChange"], "2026-01-05T08:00:00Z");
    let unit = format!("{base}/managementunits/m1/adherence");
    let (_, listing) = application.ask(Method::GET, &unit, json!(null)).await;
    assert_eq!(listing["entities"].as_array().map(Vec::len), Some(2));
    let nobody = format!("{base}/adherence");
    assert_eq!(application.ask(Method::GET, &nobody, json!(null)).await.0, 400);
    let unknown = Application { token: "unknown".to_owned(), ..application };
    let (status, told) = unknown.ask(Method::GET, &one, json!(null)).await;
    assert_eq!((status, &told["code"]), (401, &json!("bad.credentials")));
}
