//! A private authority is trusted only where the user names it.

use unbroken_connect::transport::{Dialer, Tls, TransportError};
use unbroken_core::connector::Class;

use crate::pki::Authority;
use crate::vendor::{DEADLINE, Vendor, ask, greeted, open};

#[tokio::test]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let (ours, other) = (Authority::new(), Authority::new());
    let stream = Vendor::sockets(ours.acceptor(None)).await;
    let api = Vendor::http(ours.acceptor(None)).await;

    let right = Dialer::direct(Tls::new(Some(&ours.ca_file)).unwrap());
    greeted(open(&right, "localhost", stream.port, DEADLINE).await.unwrap()).await;
    assert_eq!(ask(&right, "localhost", api.port, DEADLINE).await.unwrap().body, "{}");

    let wrong = Dialer::direct(Tls::new(Some(&other.ca_file)).unwrap());
    let error = open(&wrong, "localhost", stream.port, DEADLINE).await.err().unwrap();
    assert!(matches!(&error, TransportError::Certificate { host, .. } if host == "localhost"));
    assert_eq!(error.failure().class, Class::Fatal);
    assert!(error.hint().unwrap().contains("ca_file"));
    let error = ask(&wrong, "localhost", api.port, DEADLINE).await.unwrap_err();
    assert!(matches!(error, TransportError::Certificate { .. }), "{error:?}");
    assert_eq!(api.saw().len(), 1, "whoever is not trusted is not spoken to");
}

#[test]
fn a_ca_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "not a certificate").unwrap();
    let error = Tls::new(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
}
