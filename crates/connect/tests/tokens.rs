//! Grants against a small token endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use unbroken_connect::auth::{AuthConfig, Authorizer, Granted};
use unbroken_connect::generic::TokenProfile;
use unbroken_connect::transport::{Dialer, Http, Origin, Tls};
use unbroken_core::connector::{Class, Failure};

const DEADLINE: Duration = Duration::from_secs(10);

/// What the endpoint expects: an `Authorization` header, a body; and how it answers.
#[derive(Clone)]
struct Expected {
    authorization: Option<&'static str>,
    body: &'static str,
    answer: (u16, &'static str),
}

async fn answer(
    State(expected): State<Expected>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap());
    if (authorization, body.as_str()) != (expected.authorization, expected.body) {
        return (StatusCode::IM_A_TEAPOT, format!("{authorization:?} {body}"));
    }
    let (status, body) = expected.answer;
    (StatusCode::from_u16(status).unwrap(), body.to_owned())
}

async fn serve(router: Router) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    Origin::api(&origin, false).unwrap()
}

async fn authorize(grant: &str, expected: Expected) -> Result<Granted, Failure> {
    let api = serve(Router::new().route("/token", post(answer)).with_state(expected)).await;
    let config: AuthConfig = toml::from_str(grant).unwrap();
    let authorizer = Authorizer::new(config, TokenProfile::default(), Some(&api), false).unwrap();
    let http = Http::new(Dialer::direct(Tls::none().unwrap()), 1024);
    authorizer.authorize(&http, DEADLINE).await
}

const GRANTED: (u16, &str) = (200, r#"{"access_token":"t","expires_in":60}"#);

const CLIENT: &str = r#"
    grant = "client_credentials"
    client_id = "me@acme"
    client_secret = "s&cret"
    scope = "a b"
"#;

#[tokio::test]
async fn every_grant_is_sent_as_it_is_specified() {
    let body_auth = format!("{CLIENT}\nclient_auth = \"body\"\nparams = {{ audience = \"x\" }}");
    let password = r#"
        grant = "password"
        username = "key-id"
        password = "key secret"
    "#;
    let password_with_client = format!("{password}\nclient_id = \"me\"\nclient_secret = \"s\"");
    let access_key = r#"
        grant = "access_key"
        key_id = "key-id"
        key_secret = "key \"secret"
    "#;
    for (grant, authorization, body) in [
        (CLIENT, Some("Basic bWVAYWNtZTpzJmNyZXQ="), "grant_type=client_credentials&scope=a+b"),
        (
            &body_auth,
            None,
            "grant_type=client_credentials&client_id=me%40acme&client_secret=s%26cret&scope=a+b\
             &audience=x",
        ),
        (password, None, "grant_type=password&username=key-id&password=key+secret"),
        (
            &password_with_client,
            Some("Basic bWU6cw=="),
            "grant_type=password&username=key-id&password=key+secret",
        ),
        (access_key, None, r#"{"access_key_id":"key-id","access_key_secret":"key \"secret"}"#),
    ] {
        let expected = Expected { authorization, body, answer: GRANTED };
        let granted = authorize(grant, expected).await.unwrap();
        assert_eq!((granted.token.expose(), granted.life_ms), ("t", Some(60_000)));
        assert!(!format!("{granted:?}").contains("\"t\""));
    }
}

#[tokio::test]
async fn refusals_name_the_place_and_the_scope_but_no_secret() {
    let expected = Expected {
        authorization: Some("Basic bWVAYWNtZTpzJmNyZXQ="),
        body: "grant_type=client_credentials&scope=a+b",
        answer: (401, r#"{"error":"invalid_client","error_description":"s&cret"}"#),
    };
    let failure = authorize(CLIENT, expected).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Fatal, Some(401)));
    let what = failure.what.as_str();
    assert!(what.contains("/token (scope a b)") && what.contains("(invalid_client)"), "{what}");
    assert!(!what.contains("s&cret"), "{what}");
}

#[tokio::test]
async fn a_broken_endpoint_is_asked_again() {
    let expected = Expected {
        authorization: Some("Basic bWVAYWNtZTpzJmNyZXQ="),
        body: "grant_type=client_credentials&scope=a+b",
        answer: (503, "<html>"),
    };
    let failure = authorize(CLIENT, expected).await.unwrap_err();
    assert_eq!(failure.class, Class::Retry { after_ms: None });
}

#[tokio::test]
async fn a_static_token_is_read_anew_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let grant = format!("grant = \"token\"\ntoken = {{ file = {path:?} }}");
    let config: AuthConfig = toml::from_str(&grant).unwrap();
    let authorizer = Authorizer::new(config, TokenProfile::default(), None, false).unwrap();
    let http = Http::new(Dialer::direct(Tls::none().unwrap()), 1024);
    let granted = authorizer.authorize(&http, DEADLINE).await.unwrap();
    assert_eq!((granted.token.expose(), granted.life_ms), ("first", None));
    std::fs::write(&path, "second\n").unwrap();
    let granted = authorizer.authorize(&http, DEADLINE).await.unwrap();
    assert_eq!(granted.token.expose(), "second");
    std::fs::remove_file(&path).unwrap();
    let failure = authorizer.authorize(&http, DEADLINE).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    assert!(failure.what.as_str().contains("make "), "{}", failure.what);
}

/// An endpoint that takes only the secret `new`, and a file that holds `old` until the endpoint has
/// been asked: the vendor was quicker than the person who rotates.
#[tokio::test]
async fn a_secret_that_was_rotated_while_it_was_used_is_read_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "old").unwrap();
    let rotated = path.clone();
    let answer = move |body: String| async move {
        std::fs::write(&rotated, "new").unwrap();
        match body.ends_with("client_secret=new") {
            true => (StatusCode::OK, GRANTED.1),
            false => (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#),
        }
    };
    let api = serve(Router::new().route("/token", post(answer))).await;
    let http = Http::new(Dialer::direct(Tls::none().unwrap()), 1024);
    for secret in [format!("{{ file = {path:?} }}"), format!("{{ command = [\"cat\", {path:?}] }}")]
    {
        std::fs::write(&path, "old").unwrap();
        let grant = format!(
            "grant = \"client_credentials\"\nclient_auth = \"body\"\nclient_id = \"me\"\n\
             client_secret = {secret}"
        );
        let config: AuthConfig = toml::from_str(&grant).unwrap();
        let authorizer =
            Authorizer::new(config, TokenProfile::default(), Some(&api), false).unwrap();
        let granted = authorizer.authorize(&http, DEADLINE).await.unwrap();
        assert_eq!(granted.token.expose(), "t");
    }
}

#[tokio::test]
async fn a_secret_that_stays_refused_is_sent_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        StatusCode::UNAUTHORIZED
    };
    let api = serve(Router::new().route("/token", post(answer))).await;
    let http = Http::new(Dialer::direct(Tls::none().unwrap()), 1024);
    let config: AuthConfig = toml::from_str(CLIENT).unwrap();
    let authorizer = Authorizer::new(config, TokenProfile::default(), Some(&api), false).unwrap();
    assert!(authorizer.authorize(&http, DEADLINE).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_token_request_over_an_open_network_is_refused() {
    let grant = format!("{CLIENT}\nurl = \"http://auth.example.com/oauth/token\"");
    let config: AuthConfig = toml::from_str(&grant).unwrap();
    let refused = Authorizer::new(config, TokenProfile::default(), None, false);
    assert!(refused.is_err());
    let config: AuthConfig = toml::from_str(CLIENT).unwrap();
    assert!(Authorizer::new(config, TokenProfile::default(), None, false).is_err());
}
