//! Where requests and their bearer go, and what of an answer is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use unbroken_connect::transport::{
    Answer, Dialer, Header, Http, Method, Origin, Request, Tls, TransportError,
};
use unbroken_core::connector::Class;

const DEADLINE: Duration = Duration::from_secs(10);

async fn serve(router: Router) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    Origin::api(&origin, false).unwrap()
}

fn http(body_bytes_max: usize) -> Http {
    Http::new(Dialer::direct(Tls::none().unwrap()), body_bytes_max)
}

fn request(path: &str) -> Request {
    let bearer =
        Header { name: "Authorization".into(), value: "Bearer hunter2".into(), secret: true };
    Request { method: Method::Get, path_and_query: path.into(), headers: vec![bearer], body: None }
}

async fn send(origin: &Origin, path: &str) -> Result<Answer, TransportError> {
    http(64 * 1024).send(origin, &request(path), DEADLINE).await
}

#[tokio::test]
async fn a_bearer_follows_no_redirect_to_its_own_or_another_origin() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let trap = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { "trapped" }
    };
    let other = serve(Router::new().route("/trap", get(trap.clone()))).await;
    let away = format!("{other}/trap");
    let router = Router::new()
        .route("/trap", get(trap))
        .route("/away", get(move || async { (StatusCode::FOUND, [(header::LOCATION, away)]) }))
        .route(
            "/here",
            get(|| async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/trap")]) }),
        );
    let origin = serve(router).await;
    for (path, status) in [("/away", 302), ("/here", 307)] {
        let answer = send(&origin, path).await.unwrap();
        assert_eq!((answer.status, answer.is_success()), (status, false));
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_path_that_would_leave_the_origin_is_not_asked_for() {
    let origin = Origin::api("http://127.0.0.1:9", false).unwrap();
    for path in ["@127.0.0.1:1/", "/a/../b", "/a/%2E./b", "/a/..", "/./b", "/a\\..\\b?c"] {
        let error = send(&origin, path).await.unwrap_err();
        assert!(matches!(error, TransportError::Request { .. }), "{path}: {error:?}");
        assert_eq!(error.failure().class, Class::Fatal);
    }
    let error = send(&origin, "/a..b/...?c=/../d").await.unwrap_err();
    assert!(matches!(error, TransportError::Network { .. }), "{error:?}");
}

#[tokio::test]
async fn the_cap_counts_bytes_after_decompression() {
    const ZEROS: &[u8] = include_bytes!("data/mebibyte_of_zeros.gz");
    let bomb = || async { ([(header::CONTENT_ENCODING, "gzip")], ZEROS).into_response() };
    let origin = serve(Router::new().route("/", get(bomb))).await;
    const { assert!(ZEROS.len() < 64 * 1024) };
    let error = send(&origin, "/").await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { limit_bytes: 65_536 }), "{error:?}");
    let answer = http(1 << 20).send(&origin, &request("/"), DEADLINE).await.unwrap();
    assert_eq!(answer.body.len(), 1 << 20);
}

/// Too large, in an encoding that nobody asked for, or damaged: the status stands.
#[tokio::test]
async fn whoever_wants_no_bodies_is_failed_by_none() {
    let large = || async { "x".repeat(1 << 20) };
    let odd = || async { ([(header::CONTENT_ENCODING, "br")], "?") };
    let damaged = || async { ([(header::CONTENT_ENCODING, "gzip")], "no gzip") };
    let router = Router::new()
        .route("/large", get(large))
        .route("/odd", get(odd))
        .route("/damaged", get(damaged));
    let origin = serve(router).await;
    let http = http(64 * 1024).without_bodies();
    for path in ["/large", "/odd", "/damaged"] {
        assert!(send(&origin, path).await.is_err(), "{path}");
        let answer = http.send(&origin, &request(path), DEADLINE).await.unwrap();
        assert!(answer.is_success() && answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn headers_are_bounded_in_bytes_and_in_number() {
    let long = || async { [("x-long", "x".repeat(1_000_000))] };
    let many = || async {
        let names = (0..200).map(|number| format!("x-{number}"));
        let headers = names.map(|name| (HeaderName::try_from(name).unwrap(), HeaderValue::from(1)));
        HeaderMap::from_iter(headers)
    };
    let origin = serve(Router::new().route("/long", get(long)).route("/many", get(many))).await;
    for path in ["/long", "/many"] {
        let error = send(&origin, path).await.unwrap_err();
        assert_eq!(error.to_string(), "request failed: headers are larger than allowed");
    }
}

#[tokio::test]
async fn retry_after_comes_with_the_answer() {
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "3")]) };
    let origin = serve(Router::new().route("/", get(busy))).await;
    let answer = send(&origin, "/").await.unwrap();
    assert_eq!((answer.status, answer.retry_after_ms), (429, Some(3_000)));
}

#[tokio::test]
async fn requests_share_one_connection_and_say_who_asks() {
    let router = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let agent = headers.get(header::USER_AGENT).unwrap().to_str().unwrap();
            assert!(agent.starts_with("unbroken/"));
            headers.get(header::AUTHORIZATION).unwrap().to_str().unwrap().to_owned()
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let origin = Origin::api(&origin, false).unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let listener = Counting { listener, accepted: Arc::clone(&accepted) };
    tokio::spawn(axum::serve(listener, router).into_future());
    let http = http(1024);
    for _ in 0..5 {
        let answer = http.send(&origin, &request("/"), DEADLINE).await.unwrap();
        assert_eq!(answer.body, "Bearer hunter2");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

struct Counting {
    listener: TcpListener,
    accepted: Arc<AtomicUsize>,
}

impl axum::serve::Listener for Counting {
    type Io = tokio::net::TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let accepted = self.listener.accept().await.unwrap();
        self.accepted.fetch_add(1, Ordering::SeqCst);
        accepted
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn a_vendor_that_does_not_answer_is_given_up_at_the_deadline() {
    let hang = || async { std::future::pending::<()>().await };
    let origin = serve(Router::new().route("/", get(hang))).await;
    let deadline = Duration::from_millis(50);
    let error = http(1024).send(&origin, &request("/?token=hunter2"), deadline).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { limit_ms: 50, .. }));
    assert_eq!(error.failure().class, Class::Retry { after_ms: None });
}

#[tokio::test]
async fn errors_of_the_network_show_no_query_and_no_header() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let origin = Origin::api(&origin, false).unwrap();
    let error = send(&origin, "/?token=hunter2").await.unwrap_err();
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(error.to_string().contains("connection refused"), "{error}");
}
