//! Ways to a PostgreSQL server: in TLS, and through a pooler.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use unbroken_sink::{
    AskPassword, Ended, Postgres, PostgresConfig, Sink, SinkError, postgres_server,
};

use crate::house::{House, quick};
use crate::postgres::Database;
use crate::server::{Server, as_server, own};
use crate::shelf::Target;

/// What trusts these alone.
pub(crate) fn trust(roots: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.expect("versions").with_root_certificates(store).with_no_client_auth())
}

fn sink(url: &str, schema: &str, tls: Arc<ClientConfig>) -> Postgres {
    Postgres::new(PostgresConfig {
        name: "test".to_owned(),
        server: postgres_server(url).expect("a URL"),
        schema: schema.to_owned(),
        by_day: false,
        tls,
        password: None,
    })
}

/// All causes, in one line.
pub(crate) fn told(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_server_is_spoken_to_in_tls_and_only_if_it_is_who_it_says() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let server = Server::in_tls(&certificate.pem(), &key.serialize_pem());
    let url = |host: &str| {
        format!("postgresql://unbroken@{host}:{}/postgres?sslmode=require", server.port())
    };
    let house = House::new();
    let claim = house.claim();
    let trusted = trust(&[certificate.der().clone()]);
    let mut sink_in_tls = sink(&url("localhost"), "one", Arc::clone(&trusted));
    sink_in_tls.open(&claim).await.expect("it is who it says");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'unbroken' AND ssl";
    assert_eq!(server.query(encrypted), ["1"]);
    let mut stranger = sink(&url("localhost"), "two", trust(&[]));
    let refused = stranger.open(&claim).await.expect_err("nobody vouches for it");
    assert!(matches!(refused, SinkError::Blocked(_)) && !refused.todo().is_empty());
    assert!(told(&refused).contains("UnknownIssuer"), "{}", told(&refused));
    let mut other = sink(&url("127.0.0.1"), "two", trusted);
    let refused = other.open(&claim).await.expect_err("it has another name");
    assert!(told(&refused).contains("not valid for name"), "{}", told(&refused));
    assert_eq!(server.query("SELECT to_regnamespace('two') IS NULL"), ["t"]);
}

/// Of a user who may do no more than the guide says.
#[tokio::test]
async fn a_user_with_a_password_needs_no_more_rights_than_the_guide_says() {
    let (database, mut house) = (Database::new(), House::new());
    database.0.query(
        "CREATE ROLE guest LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO guest; \
         REVOKE ALL ON SCHEMA public FROM PUBLIC",
    );
    let rules = database.0.host().join("data/pg_hba.conf");
    let before = fs::read_to_string(&rules).expect("it is there");
    fs::write(&rules, format!("local all guest scram-sha-256\n{before}")).expect("room");
    database.0.query("SELECT pg_reload_conf()");
    let url = database.0.url().replace("user=unbroken", "user=guest");
    let guest = |password: Option<&'static str>| {
        let ask = |password: &'static str| -> AskPassword {
            Arc::new(move || Box::pin(async move { Ok(password.to_owned()) }))
        };
        database.asking(&url, password.map(ask))
    };
    for (password, what) in
        [(None, "asks for a password, and none is configured"), (Some("hunter3"), "password")]
    {
        let refused = guest(password).open(&house.claim()).await.expect_err(what);
        assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
        let told = told(&refused);
        assert!(told.contains(what) && !told.contains("hunter3"), "{told}");
        assert!(!refused.todo().is_empty());
    }
    house.events(300);
    house.drain(guest(Some("hunter2")), quick()).await.stop().await;
    assert_eq!(database.ids(), house.ids_from(0));
    let owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname LIKE 'Un%'";
    assert_eq!(database.0.query(owner), ["guest"]);
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_asked_for() {
    let database = Database::new();
    let server = postgres_server(&format!("{}&sslmode=require", database.0.url()));
    let config = PostgresConfig {
        name: "test".to_owned(),
        server: server.expect("a URL"),
        schema: "one".to_owned(),
        by_day: false,
        tls: trust(&[]),
        password: None,
    };
    let refused = Postgres::new(config).open(&House::new().claim()).await.expect_err("no TLS");
    assert!(matches!(refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("does not speak TLS"), "{refused}");
}

/// It will ask for the same whenever it is asked.
#[tokio::test]
async fn a_server_that_asks_for_what_is_not_configured_needs_a_person() {
    // "The password in clear text", and an authentication that nobody knows (PostgreSQL's
    // documentation, "Message Formats").
    for (asked, told) in [(3_u8, "asks for a password"), (7, "asks for a login")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("somebody comes");
            let mut startup = [0; 512];
            assert!(stream.read(&mut startup).await.expect("it speaks") > 0);
            let answer = [b'R', 0, 0, 0, 8, 0, 0, 0, asked];
            stream.write_all(&answer).await.expect("it hears");
            let _ = stream.read(&mut startup).await;
        });
        let mut sink = sink(&format!("postgresql://u@127.0.0.1:{port}/wfm"), "one", trust(&[]));
        let refused = sink.open(&House::new().claim()).await.expect_err("it is not let in");
        assert!(matches!(refused, SinkError::Blocked(_)), "{refused:?}");
        assert!(refused.to_string().contains(told) && !refused.todo().is_empty(), "{refused}");
        drop(sink);
        server.await.expect("it ends");
    }
}

/// A pooler that gives each transaction to whichever connection is free: here there is one.
struct Pooler {
    dir: TempDir,
    process: Child,
}

impl Pooler {
    fn of(server: &Server) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().display();
        let settings = format!(
            "[databases]\npostgres = host={} port={}\n[pgbouncer]\nlisten_addr =\n\
             unix_socket_dir = {path}\nlisten_port = 6432\npool_mode = transaction\n\
             default_pool_size = 1\nauth_type = trust\nauth_file = {path}/users\n",
            server.host().display(),
            server.port()
        );
        let file = dir.path().join("settings");
        fs::write(&file, settings).expect("room");
        fs::write(dir.path().join("users"), "\"unbroken\" \"\"\n").expect("room");
        own(dir.path(), 0o755);
        let process = as_server(Command::new("/usr/sbin/pgbouncer"))
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`make setup` installs it");
        Self { dir, process }
    }

    fn url(&self) -> String {
        let host = self.dir.path().display();
        format!("postgresql://unbroken@localhost:6432/postgres?host={host}")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two sinks on one connection, transaction by transaction, each the one's and then the other's.
#[tokio::test]
async fn sinks_share_the_connection_of_a_pooler() {
    let (database, mut house) = (Database::new(), House::new());
    let pooler = Pooler::of(&database.0);
    house.events(500);
    let of = |schema: &str| sink(&pooler.url(), schema, trust(&[]));
    let [one, two] = [of("Un \"broken\""), of("two")].map(|sink| house.pump(sink, quick()));
    for _ in 0..5 {
        house.events(500);
    }
    for running in [one, two] {
        running.until("it has everything", |it| it.counts().next_offset == 3_000).await;
        assert_eq!(running.stop().await, Ended::Stopped);
    }
    assert_eq!(database.ids(), house.ids_from(0));
    assert_eq!(database.query("SELECT count(*) FROM two.events"), ["3000"]);
}
