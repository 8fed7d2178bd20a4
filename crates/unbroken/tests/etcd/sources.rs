//! Several sources in one process: what fails, fails alone, is named with what to do, and comes
//! back.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use unbroken_sim::proxy::{Door, Proxy, Route};
use unbroken_sim::{Settings, Vendor};

use crate::server::Etcd;
use crate::service::{Service, position};
use crate::writer::Writer;

const PREFIX: &str = "teams/";

/// Servers that answer whatever they are asked with the same bytes.
const DENIAL: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\
                    connection: close\r\n\r\n<html>hi</html>";
const NOISE: &str = "\u{1}\u{2} this is not HTTP at all\r\n\r\n";

/// A source that watches etcd through a path of its own.
fn etcd_source(name: &str, proxy: &Proxy) -> String {
    let address = proxy.address();
    format!(
        r#"
        [[source]]
        name = "{name}"
        api = "http://{address}"
        stream = "ws://{address}"
        timing = {{ preset = "demo", subscribe_ms = 10_000, page_ms = 10_000, idle_ms = 10_000 }}
        [source.profile]
        extends = "etcd"
        variables = {{ prefix = "{PREFIX}" }}
        "#
    )
}

fn vendor_source(vendor: &Vendor) -> String {
    format!(
        r#"
        [[source]]
        name = "vendor"
        api = "{}"
        stream = "{}"
        timing = "demo"
        [source.profile]
        extends = "cxone"
        [source.profile.capabilities]
        position = "increasing"
        coverage = "filtered"
        ack = "with_position"
        snapshot_staleness_ms_max = 500
        [source.auth]
        grant = "client_credentials"
        client_id = "{}"
        client_secret = "{}"
        "#,
        vendor.http_url,
        vendor.ws_url,
        vendor.credentials.client_id,
        vendor.credentials.client_secret
    )
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Answers with the same bytes for ever.
async fn parrot(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The request first: an answer before it would be a reset.
                let mut request = [0; 4096];
                if socket.read(&mut request).await.is_ok() {
                    socket.write_all(words.as_bytes()).await.ok();
                }
            });
        }
    });
    address
}

/// Two sources that work and four that do not, each in its own way.
struct Scene {
    etcd: Etcd,
    writer: Writer,
    _vendor: Vendor,
    _well: Proxy,
    failing: [(&'static str, Proxy); 4],
    service: Service,
}

impl Scene {
    async fn set() -> Self {
        let etcd = Etcd::start();
        let mut writer = Writer::new(etcd.port);
        writer.put("teams/a", b"1").await;
        let settings =
            Settings { agents: 20, rate: 50.0, ack_position: true, ..Settings::default() };
        let vendor = Vendor::start(settings).await.unwrap();
        let path = |to| Proxy::start(Route::to(to)).unwrap();
        let well = path(local(etcd.port));
        let mut dead = path(local(etcd.port));
        dead.set_door(Door::Refusing).await.unwrap();
        let failing = [
            ("dead", dead),
            ("denied", path(parrot(DENIAL).await)),
            ("page", path(parrot(PAGE).await)),
            ("noise", path(parrot(NOISE).await)),
        ];
        let mut config = "data_dir = \"data\"\n".to_owned();
        config.push_str(&vendor_source(&vendor));
        config.push_str(&etcd_source("well", &well));
        failing.iter().for_each(|(name, proxy)| config.push_str(&etcd_source(name, proxy)));
        let service = Service::start_in(tempfile::tempdir().unwrap(), &config);
        Self { etcd, writer, _vendor: vendor, _well: well, failing, service }
    }

    /// The sources that work are live and go on.
    async fn assert_others_go_on(&mut self) {
        self.writer.put("teams/b", b"more").await;
        let revision = self.writer.revision();
        let holds = |s: &serde_json::Value| s["phase"] == "live" && position(s) >= revision;
        self.service.until_source("well", "going on", holds).await;
        let vendor = self.service.until_source("vendor", "live", |s| s["phase"] == "live").await;
        let events = vendor["events"].as_u64().unwrap();
        let more = |s: &serde_json::Value| s["events"].as_u64().unwrap() > events;
        self.service.until_source("vendor", "going on", more).await;
    }

    async fn assert_named(&mut self) {
        for (name, phase, says) in [
            ("dead", "waiting", "connection refused"),
            ("denied", "blocked", "401"),
            ("page", "waiting", "200"),
            ("noise", "waiting", "broken protocol"),
        ] {
            let stream = self.service.until_source(name, phase, |s| s["phase"] == phase).await;
            let why = stream["why"].as_str().unwrap_or_default();
            assert!(why.contains(says), "{name}: {stream:#}");
            assert_eq!(stream["todo"].is_string(), phase == "blocked", "{name}: {stream:#}");
            assert_eq!(stream["live_count"], 0, "{name}: {stream:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_fail_leave_the_others_alone_and_come_back() {
    let mut scene = Scene::set().await;
    scene.assert_others_go_on().await;
    scene.assert_named().await;
    scene.assert_others_go_on().await;
    // A start into the same misery is no different.
    scene.service.kill_and_restart().await;
    scene.assert_others_go_on().await;
    scene.assert_named().await;

    let told = scene.service.ask(&["status"]).await;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for (name, _) in &scene.failing {
        assert!(told.contains(&format!("{name}/watch")), "{told}");
    }
    assert!(told.contains("to do: denied/watch: check client id"), "{told}");

    // Each server comes back.
    for (_, proxy) in &mut scene.failing {
        proxy.set_target(local(scene.etcd.port));
        proxy.set_door(Door::Open).await.unwrap();
    }
    let reloaded = scene.service.ask(&["control", "reload", "--source", "denied"]).await;
    assert_eq!(reloaded.status.code(), Some(0), "{reloaded:?}");
    let revision = scene.writer.revision();
    for name in scene.failing.each_ref().map(|(name, _)| *name) {
        let holds = |s: &serde_json::Value| s["phase"] == "live" && position(s) >= revision;
        let stream = scene.service.until_source(name, "back", holds).await;
        assert!(stream["why"].is_null() && stream["todo"].is_null(), "{stream:#}");
    }
    scene.assert_others_go_on().await;
    assert_eq!(scene.service.stop().await.code(), Some(0), "{}", scene.service.log());
    let verified = scene.service.ask(&["verify"]).await;
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}
