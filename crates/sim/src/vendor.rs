//! The vendor as its user sees it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::dialect::Dialect;
use crate::estate::Share;
use crate::fault::{Fault, FaultCounts, News, Script, script};
use crate::server::tls;
use crate::truth::Truth;
use crate::{Load, Numbering, SimError};

/// Between two ticks of the world: short against any heartbeat, long against a batch of events.
const TICK_MS: u64 = 2;
/// Between two writes of the ledger's buffer, and of the state of the open subscriptions.
const FLUSH_TICKS: u64 = 25;
const SAVE_TICKS: u64 = 500;

/// What a client needs to get a token. Shown by `Debug` without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// For Basic, or in the body.
    pub client_id: String,
    /// For Basic, or in the body.
    pub client_secret: String,
    /// For the password grant.
    pub username: String,
    /// For the password grant.
    pub password: String,
}

impl Credentials {
    pub(crate) fn make() -> Self {
        // Not from the seed: a secret must not be guessable from a log.
        let mut rng = fastrand::Rng::new();
        Self {
            client_id: "sim-client".to_owned(),
            client_secret: format!("{:032x}", rng.u128(..)),
            username: "sim-access-key".to_owned(),
            password: format!("{:032x}", rng.u128(..)),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Who is there: what a client would be configured with or look up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// All users, rising, with those who are known to join later. A CXone-shaped vendor serves all
    /// of them to whoever names none, and has none of the rest.
    pub users: Vec<String>,
    /// Management units, each with its users.
    pub units: Vec<(String, Vec<String>)>,
    /// Teams, each with its users.
    pub teams: Vec<(String, Vec<String>)>,
    /// Queues.
    pub queues: Vec<String>,
}

/// A running vendor. Dropping it stops it at once; [`Vendor::shutdown`] also completes its ledger.
pub struct Vendor {
    /// Where the HTTP paths are, without a trailing slash.
    pub http_url: String,
    /// Where the stream's path is, without a trailing slash.
    pub ws_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// For the token; what counts of it is the dialect's business.
    pub credentials: Credentials,
    /// Certificate of the authority to trust, as PEM; `None` without TLS.
    pub ca_pem: Option<String>,
    numbering: Numbering,
    share: Share,
    tasks: Vec<JoinHandle<()>>,
    script: Option<JoinHandle<()>>,
    script_over: watch::Sender<bool>,
}

impl Vendor {
    /// Opens the listener and lets the world begin. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, the certificate not be made, or the ledger's file not be
    /// created.
    pub async fn start(dialect: impl Into<Dialect>) -> Result<Self, SimError> {
        let dialect = dialect.into();
        let (common, numbering) = (dialect.common(), dialect.numbering());
        let (acceptor, ca_pem) = if common.tls {
            let (acceptor, pem) = tls::make()?;
            (Some(acceptor), Some(pem))
        } else {
            (None, None)
        };
        let listen = |source| SimError::Listen { address: common.bind.to_string(), source };
        let listener = TcpListener::bind(common.bind).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let credentials = common.credentials.clone().unwrap_or_else(Credentials::make);
        let secure = if common.tls { "s" } else { "" };
        let urls = (format!("http{secure}://{address}"), format!("ws{secure}://{address}"));
        let (share, accepting) =
            dialect.open(credentials.clone(), urls.clone(), listener, acceptor)?;
        let tasks = vec![accepting, tokio::spawn(live(share.clone()))];
        let (http_url, ws_url) = urls;
        let script_over = watch::channel(false).0;
        Ok(Self {
            http_url,
            ws_url,
            address,
            credentials,
            ca_pem,
            numbering,
            share,
            tasks,
            script: None,
            script_over,
        })
    }

    /// Who is there.
    pub fn account(&self) -> Account {
        self.share.lock().account()
    }

    /// Puts a fault in line; it begins when no other is in force and a stream is up.
    ///
    /// # Errors
    /// The fault does not apply to this vendor.
    pub fn inject(&self, fault: Fault) -> Result<u64, SimError> {
        Ok(self.inject_together(&[fault])?.first().copied().unwrap_or(0))
    }

    /// Puts faults in line that are to be in force together: the first begins as with
    /// [`Vendor::inject`], the others at that moment or a little later, while the first is in force
    /// or what it did is being recovered from. What needs a stream that is up waits for one.
    /// Returns their numbers.
    ///
    /// # Errors
    /// One of them does not apply to this vendor.
    pub fn inject_together(&self, faults: &[Fault]) -> Result<Vec<u64>, SimError> {
        let mut estate = self.share.lock();
        match faults.iter().find(|fault| !estate.knows(**fault)) {
            Some(fault) => Err(SimError::NotApplicable { fault: fault.name() }),
            None => Ok(estate.faults().enqueue(faults)),
        }
    }

    /// Plays a script in the background, in place of one that may be playing. Faults that do not
    /// apply are left out.
    pub fn play(&mut self, mut script: Script) {
        script.faults.retain(|fault| self.share.lock().knows(*fault));
        if let Some(playing) = self.script.take() {
            playing.abort();
        }
        self.script_over.send_replace(false);
        let play = script::play(self.share.clone(), script, self.script_over.clone());
        self.script = Some(tokio::spawn(play));
    }

    /// Waits until the script that plays is over.
    pub async fn script_over(&self) {
        let mut over = self.script_over.subscribe();
        // The sender lives as long as we do.
        let _ = over.wait_for(|over| *over).await;
    }

    /// What happens to the faults from now on.
    pub fn told(&self) -> News {
        News(self.share.lock().faults().listen())
    }

    /// How often each fault came to what so far.
    pub fn fault_counts(&self) -> BTreeMap<Fault, FaultCounts> {
        self.share.lock().faults().counts()
    }

    /// Ends the script, the faults in force, and those in line: the published rules are in force.
    pub fn stop_faults(&mut self) {
        if let Some(playing) = self.script.take() {
            playing.abort();
        }
        self.script_over.send_replace(true);
        let mut estate = self.share.lock();
        estate.faults().clear();
        estate.end_scenarios();
        drop(estate);
        self.share.wake();
    }

    /// No event is made any more; what was made is still served.
    pub fn stop_emission(&self) {
        self.share.lock().stop_emission();
    }

    /// The truth ledger as of now. It is a copy, made while everything stands still: ask rarely.
    pub fn truth(&self) -> Truth {
        self.share.lock().truth()
    }

    /// Events made so far.
    pub fn events_emitted(&self) -> u64 {
        self.share.lock().event_count()
    }

    /// When the newest event was made, in microseconds since 1970.
    pub fn newest_event_us(&self) -> Option<i64> {
        self.share.lock().newest_event_us()
    }

    /// Events that are due and not made yet: more than a tick's worth means that the machine is too
    /// slow for the rate.
    pub fn events_behind(&self) -> u64 {
        self.share.lock().backlog()
    }

    /// What was asked of it, one entry for each second since it began.
    pub fn load(&self) -> Vec<Load> {
        self.share.lock().load()
    }

    /// Streams on which events are being served.
    pub fn streams_live(&self) -> usize {
        self.share.lock().live_count()
    }

    /// What its positions are worth.
    pub fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// Stops everything and completes the ledger's file.
    ///
    /// # Errors
    /// The file could not be written at some moment: it must not be judged by.
    pub async fn shutdown(mut self) -> Result<Truth, SimError> {
        self.stop_faults();
        for task in self.tasks.drain(..) {
            task.abort();
            // An aborted task says so; there is nothing else to learn.
            let _ = task.await;
        }
        let mut estate = self.share.lock();
        estate.flush();
        match estate.recorder().take_failure() {
            Some(failure) => Err(failure),
            None => Ok(estate.truth()),
        }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        for task in self.tasks.iter().chain(&self.script) {
            task.abort();
        }
        self.share.lock().flush();
    }
}

impl std::fmt::Debug for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vendor").field("http_url", &self.http_url).finish_non_exhaustive()
    }
}

/// The world's only task.
async fn live(share: Share) {
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        {
            let mut estate = share.lock();
            estate.tick();
            if tick % FLUSH_TICKS == 0 {
                estate.recorder().flush();
            }
            if tick % SAVE_TICKS == 0 {
                estate.flush();
            }
        }
        share.wake();
    }
}
