//! Vendors that want to hear who we are on the socket, and a new token there too.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use unbroken_connect::generic::{Context, Generic, ProfileError};
use unbroken_connect::secret::Secret;
use unbroken_connect::transport::{Connection, SocketEvent, Sockets};
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::connector::{Class, Connector, Decoded, Failure, Item};
use unbroken_core::ids::ConnId;

const PROFILE: &str = r#"
description = "says who we are first"
[stream]
name = "s"
path = "/ws"
[messages]
login = '{"type":"auth","token":{{ token }}}'
renew = '{"type":"renew","token":"{{ token }}"}'
[messages.subscribe]
now = '{"type":"subscribe"}'
[frames]
kinds = [
  { at = "/type", equals = "auth_ok", is = "login_ack" },
  { at = "/type", equals = "auth_invalid", is = "login_refused" },
  { at = "/type", equals = "event", is = "event" },
]
event = { key = "/id" }
[[classify.body]]
at = "/why"
equals = "suspended"
class = "fatal"
"#;

type Server = WebSocketStream<TcpStream>;

/// A vendor that hears the first message and then says `answers`; it returns what it heard.
async fn vendor(answers: &'static [&'static str]) -> (Source, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("p.toml");
    std::fs::write(&profile, PROFILE).unwrap();
    let text = format!(
        "name = 'x'\nstream = 'ws://{}'\nprofile = {{ file = '{}' }}\n
         timing = {{ subscribe_ms = 500 }}\nauth = {{ grant = 'token', token = 'unused' }}",
        listener.local_addr().unwrap(),
        profile.display(),
    );
    let config: SourceConfig = toml::from_str(&text).unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut ws: Server = tokio_tungstenite::accept_async(stream).await.unwrap();
        let heard = ws.next().await.unwrap().unwrap().into_text().unwrap().to_string();
        for answer in answers {
            ws.send(Message::text(*answer)).await.unwrap();
        }
        // Until the other side is gone.
        while let Some(Ok(_)) = ws.next().await {}
        heard
    });
    (Source::new(config).unwrap(), task)
}

async fn open(source: &Source) -> Result<Box<dyn Connection>, Failure> {
    let token = Secret::new("hunter\"2");
    let opened = source.open(None, Some(&token));
    tokio::time::timeout(Duration::from_secs(20), opened).await.unwrap()
}

#[tokio::test]
async fn the_token_is_the_first_message_and_what_came_before_the_answer_is_not_lost() {
    let early = r#"{"type":"event","id":"a"}"#;
    let answers =
        &["{\"type\":\"hello\"}", r#"{"type":"event","id":"a"}"#, "{\"type\":\"auth_ok\"}", "x"];
    let (source, heard) = vendor(answers).await;
    let socket = open(&source).await.unwrap();
    let mut sockets = Sockets::default();
    sockets.insert(ConnId(1), socket);
    let mut frames = Vec::new();
    while frames.len() < 3 {
        let mut batch = Vec::new();
        let next = sockets.next_batch(&mut batch);
        tokio::time::timeout(Duration::from_secs(20), next).await.unwrap();
        frames.extend(batch.into_iter().map(|(_, event)| event));
    }
    let frame = |text: &'static str| SocketEvent::Frame(text.into());
    assert_eq!(frames, [frame("{\"type\":\"hello\"}"), frame(early), frame("x")]);
    drop(sockets);
    assert_eq!(heard.await.unwrap(), r#"{"type":"auth","token":"hunter\"2"}"#);
}

#[tokio::test]
async fn a_refused_login_calls_for_another_token_and_shows_none() {
    let (source, _) = vendor(&[r#"{"type":"auth_invalid","message":"hunter2"}"#]).await;
    let failure = open(&source).await.err().unwrap();
    assert_eq!((failure.class, failure.what.as_str()), (Class::Reauthorize, "login refused"));
}

#[tokio::test]
async fn the_profile_may_know_better_what_a_refusal_calls_for() {
    let (source, _) = vendor(&[r#"{"type":"auth_invalid","why":"suspended"}"#]).await;
    let failure = open(&source).await.err().unwrap();
    assert_eq!((failure.class, failure.what.as_str()), (Class::Fatal, "suspended"));
}

#[tokio::test]
async fn a_login_without_an_answer_is_given_up() {
    let (source, _) = vendor(&["{\"type\":\"hello\"}"]).await;
    let failure = open(&source).await.err().unwrap();
    assert_eq!(failure.what.as_str(), "the login was not answered in time");
}

#[test]
fn on_an_open_socket_a_renewed_token_is_a_message_and_its_answers_are_signs_of_life() {
    let profile = Generic::from_toml(PROFILE, toml::Table::new(), false).unwrap();
    let token = Secret::new("t2");
    let context = Context { token: Some(&token), ..Context::default() };
    let text = profile.renewal(context).unwrap().unwrap();
    assert_eq!(text, r#"{"type":"renew","token":"t2"}"#);
    let decode = |text: &'static str| profile.decode(&text.into());
    assert_eq!(decode("{\"type\":\"auth_ok\"}"), Decoded::default());
    let [Item::Refusal(failure)] = &decode("{\"type\":\"auth_invalid\"}").items[..] else {
        panic!("a refusal is heard")
    };
    assert_eq!(failure.class, Class::Reauthorize);
}

#[test]
fn a_token_that_is_bound_to_its_socket_cannot_be_renewed_there() {
    let over = "capabilities.token_bound = true".parse().unwrap();
    let error = Generic::from_toml(PROFILE, over, false).unwrap_err();
    assert!(matches!(error, ProfileError::RenewBound));
}

#[test]
fn many_keys_are_spread_over_several_messages() {
    let over =
        "messages.subscribe = { keys_max = 2, after = '{\"k\":{{ keys }},\"n\":{{ position }}}' }";
    let profile = Generic::from_toml(PROFILE, over.parse().unwrap(), true).unwrap();
    let keys = ["a", "b", "c", "d", "e"].map(unbroken_core::ids::Key::from);
    let after = unbroken_core::bookmark::After::Sequence(7);
    let texts = |keys| {
        let context = Context { keys, ..Context::default() };
        profile.subscriptions(Some(&after), context).unwrap()
    };
    let many = [r#"{"k":["a","b"],"n":7}"#, r#"{"k":["c","d"],"n":7}"#, r#"{"k":["e"],"n":7}"#];
    assert_eq!(texts(&keys[..]), many);
    assert_eq!(texts(&keys[..2]), many[..1]);
}
