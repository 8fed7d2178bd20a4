//! Who is trusted: a private authority only where the user names it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use unbroken_connect::transport::{
    Http, Method, Origin, Request, Socket, SocketEvent, SocketLimits, Sockets, Tls, TransportError,
};
use unbroken_core::connector::Class;
use unbroken_core::ids::ConnId;

const DEADLINE: Duration = Duration::from_secs(10);

/// A server certificate for `localhost` by an authority whose certificate is written to `ca_file`.
fn acceptor(ca_file: &Path) -> TlsAcceptor {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    std::fs::write(ca_file, ca.pem()).unwrap();
    let issuer = Issuer::from_params(&params, &ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf: CertificateDer<'static> = leaf.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn request() -> Request {
    let path_and_query = "/".to_owned();
    Request { method: Method::Get, path_and_query, headers: Vec::new(), body: None }
}

async fn open(tls: &Tls, origin: &Origin) -> Result<Socket, TransportError> {
    let limits = SocketLimits { connect: DEADLINE, write: DEADLINE, frame_bytes_max: 64 * 1024 };
    Socket::open(tls, origin, &request(), &[], limits).await
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (dir.path().join("ours.pem"), dir.path().join("other.pem"));
    let acceptor = acceptor(&ours);
    self::acceptor(&other);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let Ok(mut ws) = tokio_tungstenite::accept_async(stream).await else { continue };
            ws.send("hello".into()).await.ok();
        }
    });
    let origin = Origin::stream(&format!("wss://localhost:{port}"), false).unwrap();

    let socket = open(&Tls::new(Some(&ours)).unwrap(), &origin).await.unwrap();
    let mut sockets = Sockets::default();
    sockets.insert(ConnId(1), socket);
    let mut batch = Vec::new();
    tokio::time::timeout(DEADLINE, sockets.next_batch(&mut batch)).await.unwrap();
    assert_eq!(batch[0], (ConnId(1), SocketEvent::Frame("hello".into())));

    let wrong = Tls::new(Some(&other)).unwrap();
    let error = open(&wrong, &origin).await.err().unwrap();
    assert!(matches!(&error, TransportError::Certificate { host, .. } if host == "localhost"));
    assert_eq!(error.failure().class, Class::Fatal);
    assert!(error.hint().unwrap().contains("ca_file"));

    let api = Origin::api(&format!("https://localhost:{port}"), false).unwrap();
    let http = Http::new(&wrong, 1024).unwrap();
    let error = http.send(&api, &request(), DEADLINE).await.unwrap_err();
    assert!(matches!(error, TransportError::Certificate { .. }), "{error:?}");
}

#[test]
fn a_ca_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "not a certificate").unwrap();
    let error = Tls::new(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
}
