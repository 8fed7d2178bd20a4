//! What a profile, a key or an answer could try to reach or to break, and does not.

use bytes::Bytes;
use unbroken_connect::config::ProfileChoice;
use unbroken_connect::generic::Generic;
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::connector::{Class, Connector, Item};
use unbroken_core::machine::Fetch;

fn source(over: &str, agents: &str) -> Result<Source, String> {
    let text = format!(
        "name = \"x\"\nprofile = {{ extends = \"etcd\", {over} }}\nagents = {agents}\n\
         api = \"http://127.0.0.1:9\"\nstream = \"ws://127.0.0.1:9\"\n"
    );
    let config: SourceConfig = toml::from_str(&text).unwrap();
    Source::new(config).map_err(|error| format!("{error:?}"))
}

#[test]
fn a_profile_cannot_name_a_host() {
    for path in ["https://evil.example/x", "evil.example/x", "@evil.example/x", ":80@evil.example"]
    {
        let over = format!("snapshot = {{ request = {{ path = \"{path}\" }} }}");
        let error = source(&over, "[]").unwrap_err();
        assert!(error.contains("Path"), "{path}: {error}");
    }
}

/// Two slashes would be a host where a URL is resolved; here they are a path at our origin, where
/// nobody listens.
#[tokio::test]
async fn two_slashes_are_a_path_and_not_a_host() {
    let over = "snapshot = { request = { path = \"//evil.example/x\" } }";
    let failure = source(over, "[]").unwrap().fetch(&Fetch::First, None, None).await.unwrap_err();
    let what = failure.what.as_str();
    assert!(what.contains("asking http://127.0.0.1:9//evil.example/x"), "{what}");
    assert!(what.contains("connection refused"), "{what}");
}

/// As a segment of a path `..` would be resolved away, and lead to where the profile did not mean.
#[tokio::test]
async fn a_value_cannot_leave_its_place() {
    let over = "snapshot = { request = { path = \"/v3/{{ keys | join }}/kv\" } }";
    let ask = async |agents: &str| {
        source(over, agents).unwrap().fetch(&Fetch::First, None, None).await.unwrap_err()
    };
    let failure = ask("[\"..\"]").await;
    assert_eq!(failure.class, Class::Fatal);
    assert!(failure.what.as_str().contains("cannot be made"), "{}", failure.what);
    for (agents, path) in [
        ("[\"a/../b\"]", "/v3/a%2F..%2Fb/kv"),
        ("[\"a?b#c\"]", "/v3/a%3Fb%23c/kv"),
        ("[\"a\\r\\nX: y\"]", "/v3/a%0D%0AX%3A%20y/kv"),
        ("[\"%2e%2e\"]", "/v3/%252e%252e/kv"),
    ] {
        let failure = ask(agents).await;
        assert!(failure.what.as_str().contains(path), "{agents}: {}", failure.what);
        assert_eq!(failure.class, Class::Retry { after_ms: None }, "it was asked for: {agents}");
    }
}

fn deep(depth: usize) -> Vec<Bytes> {
    let nested = |open: &str, close: &str| {
        let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        Bytes::from(format!("{{\"sequenceId\":1,\"events\":{value},\"payload\":{value}}}"))
    };
    vec![nested("[", "]"), nested("{\"a\":", "}"), Bytes::from("[".repeat(depth))]
}

fn read(connector: &Generic, bytes: &Bytes) {
    let decoded = connector.decode(bytes);
    assert!(!decoded.items.iter().any(|item| matches!(item, Item::Event(_))), "{decoded:?}");
    assert!(connector.page(&Fetch::First, bytes, &[]).is_err());
}

/// On a stack as small as that of any thread which decodes.
#[test]
fn values_nested_a_million_deep_are_survived() {
    let decode = || {
        for name in ["cxone", "etcd"] {
            let connector = ProfileChoice::embedded(name).connector(false).unwrap();
            for bytes in deep(1_000_000).into_iter().chain(deep(100)) {
                read(&connector, &bytes);
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(decode).unwrap();
    thread.join().unwrap();
}
