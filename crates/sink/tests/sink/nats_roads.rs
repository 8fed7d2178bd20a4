//! Ways to a NATS server: in TLS, and as somebody; and a network that says nothing any more.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use unbroken_sink::{AskPassword, Nats, NatsConfig, NatsLogin, Sink, SinkError, nats_servers};

use crate::house::House;
use crate::jetstream_server::JetStream;
use crate::nats::Channel;
use crate::roads::{told, trust};

fn config(url: &str, tls: Option<bool>) -> NatsConfig {
    let servers = nats_servers(url, tls).expect("a URL");
    NatsConfig { servers, ..Channel::config_of("test", url) }
}

fn secret(text: &'static str) -> AskPassword {
    Arc::new(move || Box::pin(std::future::ready(Ok(text.to_owned()))))
}

#[tokio::test]
async fn a_server_is_spoken_to_in_tls_and_only_if_it_is_who_it_says() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let dir = tempfile::tempdir().expect("a directory");
    let [cert_file, key_file] = [("certificate", certificate.pem()), ("key", key.serialize_pem())]
        .map(|(name, text)| {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("room");
            path.display().to_string()
        });
    let server = JetStream::with(&["-js", "--tls", "--tlscert", &cert_file, "--tlskey", &key_file]);
    let claim = House::new().claim();
    let url = |host: &str| format!("nats://{host}:{}", server.port());
    let open = async |host: &str, tls, trusted: bool| {
        let roots = trusted.then(|| certificate.der().clone());
        let tls_config = trust(roots.as_slice());
        Nats::new(NatsConfig { tls: tls_config, ..config(&url(host), tls) }).open(&claim).await
    };
    open("localhost", Some(true), true).await.expect("it is who it says");
    // The server asks for it.
    open("localhost", None, true).await.expect("it is who it says");
    let refused = open("localhost", None, false).await.expect_err("nobody vouches for it");
    assert!(told(&refused).contains("UnknownIssuer"), "{}", told(&refused));
    let refused = open("127.0.0.1", Some(true), true).await.expect_err("it has another name");
    assert!(told(&refused).contains("not valid for name"), "{}", told(&refused));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_asked_for() {
    let server = JetStream::start();
    let mut sink = Nats::new(config(&server.url(), Some(true)));
    let refused = sink.open(&House::new().claim()).await.expect_err("no TLS");
    assert!(matches!(refused, SinkError::Unreachable { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_user_shows_a_password_and_a_stranger_is_refused_without_a_secret_being_told() {
    let server = JetStream::with(&["-js", "--user", "anna", "--pass", "right-0b5c"]);
    let claim = House::new().claim();
    let login = |text| NatsLogin::Password { user: "anna".to_owned(), password: secret(text) };
    let sink = |login| Nats::new(NatsConfig { login, ..config(&server.url(), None) });
    sink(Some(login("right-0b5c"))).open(&claim).await.expect("it is anna");
    for stranger in [Some(login("wrong-77aa")), Some(NatsLogin::Token(secret("wrong-77aa"))), None]
    {
        let refused = sink(stranger).open(&claim).await.expect_err("a stranger");
        assert!(matches!(refused, SinkError::Blocked(_)), "{refused:?}");
        assert!(!format!("{refused:?} {}", told(&refused)).contains("wrong-77aa"));
    }
    let garbled = Some(NatsLogin::Credentials(secret("no-creds-77aa")));
    let refused = sink(garbled).open(&claim).await.expect_err("no credentials");
    assert!(refused.to_string().contains("no credentials of NATS"), "{refused}");
    assert!(!format!("{refused:?}").contains("77aa"));
}

#[tokio::test]
async fn a_token_is_shown() {
    let server = JetStream::with(&["-js", "--auth", "right-0b5c"]);
    let login = Some(NatsLogin::Token(secret("right-0b5c")));
    let mut sink = Nats::new(NatsConfig { login, ..config(&server.url(), None) });
    sink.open(&House::new().claim()).await.expect("it is known");
}

/// Somebody accepts the connection and says nothing.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("a port").port();
    let begun = Instant::now();
    let mut sink = Nats::new(config(&format!("nats://127.0.0.1:{port}"), None));
    let refused = sink.open(&House::new().claim()).await.expect_err("it says nothing");
    assert!(matches!(refused, SinkError::Unreachable { .. }), "{refused:?}");
    // Ten seconds for the connection, and not the sixty that opening may take in all.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(TcpStream::connect(("127.0.0.1", port)));
}
