//! Vendors that want to see a certificate of ours.

use std::path::Path;

use jiff::Timestamp;
use unbroken_connect::transport::{Dialer, Identity, IdentityError, Tls, TlsError, TransportError};
use unbroken_core::connector::Class;

use crate::pki::{Authority, chmod};
use crate::vendor::{DEADLINE, Vendor, ask, greeted, open};

fn read(files: (&Path, &Path)) -> Result<Option<Identity>, IdentityError> {
    Identity::read(Some(files.0), Some(files.1), Timestamp::now())
}

fn dialer(trusted: &Authority, files: Option<(&Path, &Path)>) -> Dialer {
    let identity = files.and_then(|files| read(files).unwrap());
    Dialer::direct(Tls::with_identity(Some(&trusted.ca_file), identity).unwrap())
}

#[tokio::test]
async fn requests_and_sockets_show_our_certificate_to_those_that_ask() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let api = Vendor::http(servers.acceptor(Some(&clients))).await;
    let stream = Vendor::sockets(servers.acceptor(Some(&clients))).await;
    let (certificate, key) = clients.client("us", 2020, 2100);
    let ours = dialer(&servers, Some((&certificate, &key)));
    assert_eq!(ask(&ours, "localhost", api.port, DEADLINE).await.unwrap().body, "{}");
    greeted(open(&ours, "localhost", stream.port, DEADLINE).await.unwrap()).await;
}

#[tokio::test]
async fn a_vendor_that_wants_another_certificate_is_told_apart() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let api = Vendor::http(servers.acceptor(Some(&clients))).await;
    let stream = Vendor::sockets(servers.acceptor(Some(&clients))).await;
    let (certificate, key) = strangers.client("stranger", 2020, 2100);
    let none = dialer(&servers, None);
    let strange = dialer(&servers, Some((&certificate, &key)));
    for (dialer, alert) in [(none, "CertificateRequired"), (strange, "UnknownCA")] {
        for error in [
            ask(&dialer, "localhost", api.port, DEADLINE).await.unwrap_err(),
            open(&dialer, "localhost", stream.port, DEADLINE).await.err().unwrap(),
        ] {
            assert!(matches!(error, TransportError::ClientCertificate { .. }), "{error:?}");
            let words = format!("localhost refused our client certificate ({alert})");
            assert_eq!(error.to_string(), words);
            assert_eq!(error.failure().class, Class::Fatal);
            assert!(error.hint().unwrap().contains("client_certificate_file"));
        }
    }
    assert!(api.saw().is_empty() && stream.saw().is_empty(), "no bearer before trust");
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let authority = Authority::new();
    let (certificate, key) = authority.client("us", 2020, 2100);
    let (_, other_key) = authority.client("other", 2020, 2100);
    let (expired, expired_key) = authority.client("expired", 2020, 2021);
    let (early, early_key) = authority.client("early", 2099, 2100);
    let told = |files: (&Path, &Path)| {
        let error = match read(files) {
            Err(error) => TlsError::from(error),
            Ok(identity) => Tls::with_identity(Some(&authority.ca_file), identity).unwrap_err(),
        };
        let text = error.to_string().replace(&files.0.display().to_string(), "[CERTIFICATE]");
        (text.replace(&files.1.display().to_string(), "[KEY]"), error.hint())
    };
    let nowhere = Path::new("/nowhere/file.pem");
    for ((certificate, key), text, hint) in [
        (
            (certificate.as_path(), other_key.as_path()),
            "client key [KEY] does not belong to client certificate [CERTIFICATE]",
            "name the key that the certificate was made for",
        ),
        (
            (&expired, &expired_key),
            "client certificate [CERTIFICATE] expired on 2021-01-01T00:00:00Z",
            "ask whoever issued it for a new one",
        ),
        (
            (&early, &early_key),
            "client certificate [CERTIFICATE] is not valid before 2099-01-01T00:00:00Z",
            "is this machine's clock right?",
        ),
        (
            (nowhere, &key),
            "client certificate [CERTIFICATE] holds no certificate that can be read",
            "`client_certificate_file` names a PEM file with CERTIFICATE sections, ours first",
        ),
        (
            (&certificate, nowhere),
            "client key [KEY] holds no private key that can be read",
            "`client_key_file` names a PEM file with an unencrypted PRIVATE KEY section",
        ),
        (
            (&key, &certificate),
            "client certificate [CERTIFICATE] holds no certificate that can be read",
            "`client_certificate_file` names a PEM file with CERTIFICATE sections, ours first",
        ),
    ] {
        assert_eq!(told((certificate, key)), (text.to_owned(), hint.to_owned()));
    }
    let half = Identity::read(Some(&certificate), None, Timestamp::now()).err().unwrap();
    assert_eq!(
        half.to_string(),
        "`client_certificate_file` is of no use without `client_key_file`"
    );
}

#[test]
fn a_key_that_everybody_can_read_is_refused() {
    let authority = Authority::new();
    let (certificate, key) = authority.client("us", 2020, 2100);
    chmod(&key, 0o644);
    let error = read((&certificate, &key)).err().unwrap();
    assert!(error.to_string().ends_with("can be read by everybody (mode 0644)"), "{error}");
    assert_eq!(error.hint(), format!("chmod 600 {}", key.display()));
    chmod(&key, 0o640);
    assert!(read((&certificate, &key)).is_ok());
}
