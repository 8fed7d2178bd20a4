//! The rules of the relay's security that one request does not show (those are in `tried.rs`).

use std::os::unix::fs::PermissionsExt as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use unbroken_relay::{PreparedRelay, RelayConfig};

use crate::house::{House, PATIENCE};
use crate::websocket;

/// Sends bytes; gives what comes until the connection ends.
pub(crate) async fn raw(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", house.port())).await.expect("it connects");
    // The other side may have ended before all of it is written.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_opens_the_service_to_other_origins() {
    let house = House::new(RelayConfig::default());
    for path in ["/", "/healthz", "/openapi.json", "/v1/state", "/v1/nothing"] {
        let answer = house.get(path).header("origin", house.url("")).send().await.expect("one");
        let headers = answer.headers();
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control-")));
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_good_on_our_own_pages_and_dies_with_its_session() {
    let house = House::new(RelayConfig::default());
    let client = reqwest::Client::new();
    let login = |token: &str| {
        let body = serde_json::json!({ "token": token }).to_string();
        client.post(house.url("/v1/session")).body(body).send()
    };
    assert_eq!(login("ubk_wrong").await.expect("one").status(), 401);
    let begun = login(&house.token).await.expect("one");
    assert_eq!(begun.status(), 204);
    let set = begun.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict;") && set.contains("Path=/;"), "{set}");
    assert!(!set.contains(&house.token), "the token is not in it");
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let own = house.url("");
    let with = |origin: Option<&str>| {
        let asked = client.get(house.url("/v1/sources")).header("cookie", &cookie);
        match origin {
            Some(origin) => asked.header("origin", origin).send(),
            None => asked.send(),
        }
    };
    for (origin, status) in
        [(None, 200), (Some(own.as_str()), 200), (Some("http://evil.example"), 403)]
    {
        assert_eq!(with(origin).await.expect("one").status(), status, "{origin:?}");
    }
    let socket = |headers: Vec<(&'static str, String)>| {
        let house = &house;
        async move {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            websocket::open(house, &headers).await.map(drop)
        }
    };
    let bearer = format!("Bearer {}", house.token);
    let evil = "http://evil.example".to_owned();
    for (headers, answer) in [
        (vec![("cookie", cookie.clone()), ("origin", own.clone())], Ok(())),
        (vec![("cookie", cookie.clone()), ("origin", evil.clone())], Err(403)),
        (vec![("cookie", cookie.clone())], Err(403)),
        (vec![("authorization", bearer.clone()), ("origin", evil)], Err(403)),
        (vec![("authorization", bearer)], Ok(())),
        (vec![], Err(401)),
    ] {
        assert_eq!(socket(headers.clone()).await, answer, "{headers:?}");
    }
    let ended = client.delete(house.url("/v1/session")).header("cookie", &cookie).send();
    assert_eq!(ended.await.expect("one").status(), 204);
    assert_eq!(with(None).await.expect("one").status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_and_a_body_that_come_slowly_are_not_waited_for() {
    let house = House::new(RelayConfig { head_ms: 200, ..RelayConfig::default() });
    let host = format!("Host: localhost:{}\r\n", house.port());
    let began = format!("GET /healthz HTTP/1.1\r\n{host}X: ");
    // The connection ends by itself; nothing of it was answered well.
    let answer = raw(&house, began.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let token = &house.token;
    let body = format!(
        "POST /v1/sources/cx/resync HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\n\
         Content-Length: 100\r\n\r\n{{"
    );
    let answer = raw(&house, body.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // A connection that asks nothing is not kept either.
    assert_eq!(raw(&house, b"").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_so_many_connections_and_so_much_under_way_for_a_token() {
    let config =
        RelayConfig { connections_max: 4, connections_per_token_max: 2, ..RelayConfig::default() };
    let house = House::new(config);
    let stream = || house.get("/v1/events/stream").send();
    let (one, two) = (stream().await.expect("one"), stream().await.expect("one"));
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    assert_eq!(stream().await.expect("one").status(), 429);
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(("127.0.0.1", house.port())).await.expect("it connects"));
    }
    let answer = raw(&house, b"").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

/// The connection of a WebSocket is one as long as the socket lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_has_its_place_among_the_connections_to_its_end() {
    let house = House::new(RelayConfig { connections_max: 2, ..RelayConfig::default() });
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str())];
    let open = || websocket::open(&house, &headers);
    let (one, two) = (open().await.expect("it opens"), open().await.expect("it opens"));
    assert!(raw(&house, b"").await.starts_with("HTTP/1.1 503 "));
    drop((one, two));
    let free = async { while raw(&house, b"").await.starts_with("HTTP/1.1 503 ") {} };
    timeout(PATIENCE, free).await.expect("their places are free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unix_socket_is_its_owner_s_and_asks_for_no_token() {
    let house = House::new(RelayConfig::default());
    for file in ["relay.sock", "relay.token", "relay.addr"] {
        let mode = std::fs::metadata(house.path(file)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mut stream = UnixStream::connect(house.path("relay.sock")).await.expect("it connects");
    let request = "POST /v1/sources/cx/resync HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[test]
fn an_address_that_others_can_reach_is_refused_and_a_left_over_socket_is_not_in_the_way() {
    let open =
        RelayConfig { listen: "0.0.0.0:0".parse().expect("an address"), ..RelayConfig::default() };
    assert!(open.fault().is_some());
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("relay.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists(), "as a process leaves it that was killed");
    let listen = "127.0.0.1:0".parse().expect("an address");
    let config = RelayConfig { listen, ..RelayConfig::default() };
    PreparedRelay::new(config, dir.path()).expect("it is made anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_cookie_is_secure_and_the_clear_is_not_spoken() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let files = tempfile::tempdir().expect("a directory");
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let config = RelayConfig { tls_cert: Some(cert), tls_key: Some(key), ..RelayConfig::default() };
    let house = House::new(config);
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).expect("one");
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().expect("a client");
    let url = format!("https://localhost:{}/v1/session", house.port());
    let body = serde_json::json!({ "token": house.token }).to_string();
    let answer = client.post(&url).body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
    assert!(answer.headers()["set-cookie"].to_str().expect("text").ends_with("; Secure"));
    let origin = format!("http://localhost:{}", house.port());
    let clear = client.delete(&url).header("origin", &origin).send().await.expect("an answer");
    assert_eq!(clear.status(), 403, "a page that came in the clear is not ours");
    let answer = raw(&house, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
}
