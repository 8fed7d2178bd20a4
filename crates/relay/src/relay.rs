//! A running relay.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};
use unbroken_journal::Reader;
use unbroken_journal::courtesy::{self, give_way};

use crate::RelayError;
use crate::access::{Gate, Sessions, ensure_admin_token};
use crate::app::{App, Figures, STORE_READS_MAX};
use crate::dialect::{DialectSettings, Dialects};
use crate::feed::{Feed, FeedLimits, Newest};
use crate::host::Host;
use crate::http::{Names, dispatch};
use crate::place::{ledger_file, token_file};
use crate::server::{Doors, Listeners, accept, acceptor, bind, raise_descriptors};
use crate::settings::RelayConfig;

/// Threads that may block: for reads of the store and of old records.
const BLOCKING_THREADS_MAX: usize = 16;

/// How long clients may take to hear that the service stops.
const STOP_MAX: Duration = Duration::from_millis(700);

/// A relay whose tokens, certificate and listeners are there, and which answers nobody yet.
pub struct PreparedRelay {
    config: RelayConfig,
    dialects: DialectSettings,
    data_dir: PathBuf,
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
}

impl PreparedRelay {
    /// Makes ready what can fail. The caller holds the lock of the data directory.
    ///
    /// # Errors
    /// See [`RelayError`].
    pub fn new(config: RelayConfig, data_dir: &Path) -> Result<Self, RelayError> {
        ensure_admin_token(&token_file(data_dir)).map_err(RelayError::Access)?;
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(cert), Some(key)) => Some(acceptor(cert, key)?),
            _ => None,
        };
        let listeners = bind(&config, data_dir)?;
        raise_descriptors(config.connections_max);
        let dialects = DialectSettings::default();
        Ok(Self { config, dialects, data_dir: data_dir.to_owned(), listeners, tls })
    }

    /// Speaks these dialects as well.
    #[must_use]
    pub fn with_dialects(self, dialects: DialectSettings) -> Self {
        Self { dialects, ..self }
    }

    /// Starts it. It has threads of its own: the sources never wait behind clients.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        self,
        store: PathBuf,
        reader: Reader,
        host: Arc<dyn Host>,
    ) -> Result<Relay, RelayError> {
        let Self { config, dialects, data_dir, listeners, tls } = self;
        let (address, is_tls) = (listeners.address, tls.is_some());
        let limits = FeedLimits { ring_bytes_max: config.ring_bytes_max, ..FeedLimits::default() };
        let feed = Feed::new(reader, limits);
        let newest = Newest::start(feed.clone()).map_err(RelayError::Thread)?;
        let app = Arc::new(App {
            dialects: Dialects::new(&dialects),
            ..app(config, &data_dir, address, store, feed, host)
        });
        let (stop, stopping) = watch::channel(false);
        let runtime = runtime().map_err(RelayError::Thread)?;
        let thread = thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || serve(runtime, app, listeners, tls, stopping))
            .map_err(RelayError::Thread)?;
        let relay = Relay { address, is_tls, stop, newest, thread };
        info!(url = relay.url(), "relay listens");
        Ok(relay)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    is_tls: bool,
    stop: watch::Sender<bool>,
    newest: Newest,
    thread: JoinHandle<()>,
}

impl Relay {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its page.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Tells every client that the service stops, and stops.
    pub fn stop(self) {
        // The error says that it has stopped already.
        let _ = self.stop.send(true);
        self.newest.stop();
        if self.thread.join().is_err() {
            error!("relay has failed, which is a defect of this program");
        }
    }
}

/// Half of the machine at most, and of that what the sources and the log leave.
fn runtime() -> std::io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("relay-worker")
        .on_thread_start(|| give_way(courtesy::CLIENTS))
        .enable_all()
        .build()
}

fn app(
    settings: RelayConfig,
    data_dir: &Path,
    address: SocketAddr,
    store: PathBuf,
    feed: Feed,
    host: Arc<dyn Host>,
) -> App {
    let names = Names::new(&settings.allowed_hosts, address, settings.behind_proxy);
    let per_token_max = settings.connections_per_token_max;
    App {
        gate: Gate::new(token_file(data_dir), ledger_file(data_dir), per_token_max),
        store_reads: Semaphore::new(STORE_READS_MAX),
        sessions: Sessions::default(),
        figures: Figures::default(),
        dialects: Dialects::default(),
        feed,
        host,
        store,
        settings,
        names,
    }
}

fn serve(
    runtime: Runtime,
    app: Arc<App>,
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<bool>,
) {
    let Listeners { tcp, unix, address, files } = listeners;
    let ended = runtime.block_on(async {
        let doors = Doors {
            tcp: TcpListener::from_std(tcp)?,
            unix: UnixListener::from_std(unix)?,
            port: address.port(),
            tls,
        };
        let answering = Arc::clone(&app);
        let router =
            Router::new().fallback(move |request| dispatch(Arc::clone(&answering), request));
        accept(Arc::clone(&app), router, doors, stopping).await;
        last_words(&app).await;
        Ok::<(), std::io::Error>(())
    });
    if let Err(error) = ended {
        error!(%error, "relay cannot listen");
    }
    drop(files);
    runtime.shutdown_timeout(Duration::from_millis(100));
}

/// Waits for the clients to have heard it.
async fn last_words(app: &App) {
    let all_gone = async {
        while app.figures.connections.count() + app.figures.streams.count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Whoever has not heard it by then finds the connection closed.
    let _ = tokio::time::timeout(STOP_MAX, all_gone).await;
}
