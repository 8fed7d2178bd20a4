//! Through a proxy goes a tunnel; the proxy sees where to, its own credentials, and nothing else.

use std::time::Duration;

use unbroken_connect::secret::SecretSource;
use unbroken_connect::transport::{Dialer, Proxies, Proxy, ProxyFault, Tls, TransportError};
use unbroken_core::connector::Class;

use crate::pki::{Authority, VENDOR};
use crate::tunnel::{Mood, Tunnel};
use crate::vendor::{BEARER, DEADLINE, Vendor, ask, greeted, open};

const RETRY: Class = Class::Retry { after_ms: None };

fn through(authority: &Authority, proxy: Proxy) -> Dialer {
    Dialer::new(Tls::new(Some(&authority.ca_file)).unwrap(), Proxies::only(proxy))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn requests_and_sockets_go_through_a_tunnel_that_hides_the_bearer() {
    let authority = Authority::new();
    let api = Vendor::http(authority.acceptor(None)).await;
    let stream = Vendor::sockets(authority.acceptor(None)).await;
    let tunnel = Tunnel::start(Mood::Open, Some("me:s@cret")).await;
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "s@cret\n").unwrap();
    let proxy = Proxy::parse(&tunnel.url()).unwrap().with_credentials(
        Some(SecretSource::Command(vec!["echo".into(), "me".into()])),
        Some(SecretSource::File(password)),
    );
    let dialer = through(&authority, proxy);

    let answer = ask(&dialer, VENDOR, api.port, DEADLINE).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref()), (200, &b"{}"[..]));
    greeted(open(&dialer, VENDOR, stream.port, DEADLINE).await.unwrap()).await;

    let heads = tunnel.heads();
    assert_eq!(heads.len(), 2);
    for (head, port) in heads.iter().zip([api.port, stream.port]) {
        assert!(head.starts_with(&format!("CONNECT {VENDOR}:{port} HTTP/1.1\r\n")), "{head}");
        assert!(!head.to_lowercase().contains("\nauthorization"), "{head}");
    }
    let carried = tunnel.carried();
    assert!(carried.len() > 1_000, "the tunnel was used");
    assert!(!holds(&carried, "hunter2") && !holds(&carried, "authorization"));
    // And the vendor sees the bearer, but nothing of the proxy's.
    for saw in [&api.saw()[0], &stream.saw()[0]] {
        assert!(!saw.to_lowercase().contains("proxy"), "{saw}");
    }
    assert!(api.saw()[0].contains(BEARER));
}

/// What both ways of speaking to the vendor say when the proxy fails.
async fn faults(mood: Mood, credentials: Option<&str>, deadline: Duration) -> Vec<TransportError> {
    let authority = Authority::new();
    let tunnel = Tunnel::start(mood, credentials).await;
    let proxy = tunnel.url().replace("http://", "http://me:wrong@");
    let dialer = through(&authority, Proxy::parse(&proxy).unwrap());
    vec![
        ask(&dialer, VENDOR, 443, deadline).await.unwrap_err(),
        open(&dialer, VENDOR, 443, deadline).await.err().unwrap(),
    ]
}

#[tokio::test]
async fn a_proxy_s_refusals_are_told_apart_from_the_vendor_s() {
    let short = Duration::from_millis(300);
    for (mood, credentials, deadline, words, class) in [
        (
            Mood::Open,
            Some("me:s@cret"),
            DEADLINE,
            "asks for other credentials (HTTP 407)",
            Class::Fatal,
        ),
        (
            Mood::Refuse(403),
            None,
            DEADLINE,
            "refused a tunnel to vendor.example:443 (HTTP 403)",
            RETRY,
        ),
        (Mood::Silent, None, short, "did not open a tunnel within 300 ms", RETRY),
        (Mood::Babble, None, DEADLINE, "gave no answer that HTTP knows", RETRY),
    ] {
        for error in faults(mood, credentials, deadline).await {
            let text = error.to_string();
            assert!(text.starts_with("proxy http://127.0.0.1:"), "{mood:?}: {text}");
            assert!(text.contains(words), "{mood:?}: {text}");
            assert_eq!(error.failure().class, class, "{mood:?}");
            let hint = error.hint().unwrap();
            assert!(hint.contains("proxy"), "{hint}");
            assert!(!format!("{text} {hint} {error:?}").contains("wrong"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let authority = Authority::new();
    let tunnel = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", tunnel.local_addr().unwrap());
    drop(tunnel);
    let dialer = through(&authority, Proxy::parse(&url).unwrap());
    let error = ask(&dialer, VENDOR, 443, DEADLINE).await.unwrap_err();
    assert_eq!(error.to_string(), format!("proxy {url} cannot be reached: connection refused"));
    let dialer = through(&authority, Proxy::parse("http://proxy.invalid").unwrap());
    let error = open(&dialer, VENDOR, 443, DEADLINE).await.err().unwrap();
    let TransportError::Proxy { fault, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(fault, ProxyFault::Unreachable { kind } if kind == "its name has no address"));
    let direct = Dialer::direct(Tls::new(Some(&authority.ca_file)).unwrap());
    let error = ask(&direct, "vendor.invalid", 443, DEADLINE).await.unwrap_err();
    assert_eq!(error.to_string(), "name vendor.invalid has no address");
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_told_with_its_place() {
    let authority = Authority::new();
    let tunnel = Tunnel::start(Mood::Open, None).await;
    let missing = SecretSource::File("/nowhere/password".into());
    let proxy = Proxy::parse(&tunnel.url()).unwrap().with_credentials(None, Some(missing));
    let error = ask(&through(&authority, proxy), VENDOR, 443, DEADLINE).await.unwrap_err();
    assert!(error.to_string().ends_with("cannot be shown its credentials"), "{error}");
    assert!(error.hint().unwrap().contains("/nowhere/password"));
    assert_eq!(error.failure().class, Class::Fatal);
    assert!(tunnel.heads().is_empty());
}
