//! A snapshot of some keys asks the vendor for these alone, where the profile can.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::ids::Key;
use unbroken_core::machine::Fetch;

type Asked = Arc<Mutex<Vec<String>>>;

async fn answer(State(asked): State<Asked>, body: String) -> &'static str {
    asked.lock().unwrap().push(body);
    r#"{"header":{"revision":"7","cluster_id":"1"},
        "kvs":[{"key":"Yg==","mod_revision":"5","value":"MQ=="}]}"#
}

/// A vendor that notes what it is asked for, and a source for it.
async fn source(body: &str) -> (Source, Asked) {
    let asked = Asked::default();
    let router = Router::new().route("/rows", post(answer)).with_state(Arc::clone(&asked));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    let text = format!(
        r#"
        name = "s"
        api = "http://{at}"
        stream = "ws://{at}"
        keys = ["a", "b", "c"]
        [profile]
        extends = "etcd"
        [profile.snapshot.request]
        method = "POST"
        path = "/rows"
        body = '{body}'
        "#
    );
    let config: SourceConfig = toml::from_str(&text).unwrap();
    (Source::new(config).unwrap(), asked)
}

#[tokio::test]
async fn named_keys_take_the_place_of_all_in_the_request() {
    let (source, asked) = source(r#"{"ids":{{ keys }}}"#).await;
    let only = [Key::from("b")];
    let page = source.fetch(&Fetch::First, Some(&only), None).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), only);
    source.fetch(&Fetch::First, None, None).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(*asked, [r#"{"ids":["b"]}"#, r#"{"ids":["a","b","c"]}"#]);
}
