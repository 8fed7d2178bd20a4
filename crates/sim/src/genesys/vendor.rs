//! The vendor as its user sees it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Settings;
use super::hub::Hub;
use crate::fault::{Fault, FaultCounts, News, Script, script};
use crate::server::{listener, tls};
use crate::truth::Truth;
use crate::{Credentials, Load, SimError};

/// Between two ticks of the world: short against any heartbeat, long against a batch of events.
const TICK_MS: u64 = 2;
/// Between two writes of the ledger's buffer, and of the state of the open subscriptions.
const FLUSH_TICKS: u64 = 25;
const SAVE_TICKS: u64 = 500;

/// Who is there: what a client would be configured with or look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// All users, rising.
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
    /// Both the login host and the API host, without a trailing slash.
    pub http_url: String,
    /// Where the sockets are.
    pub ws_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// For `POST /oauth/token`; user and password are not used.
    pub credentials: Credentials,
    /// Certificate of the authority to trust, as PEM; `None` without TLS.
    pub ca_pem: Option<String>,
    hub: Arc<Hub>,
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
    pub async fn start(mut settings: Settings) -> Result<Self, SimError> {
        settings.vendor.numbering = crate::Numbering::None;
        settings.vendor.body = crate::Body::State;
        let common = &settings.vendor;
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
        let (http_url, ws_url) =
            (format!("http{secure}://{address}"), format!("ws{secure}://{address}"));
        let hub = Hub::new(settings, credentials.clone(), http_url.clone(), ws_url.clone())?;
        let hub = Arc::new(hub);
        let tasks = vec![
            tokio::spawn(listener::accept(Arc::clone(&hub), listener, acceptor)),
            tokio::spawn(live(Arc::clone(&hub))),
        ];
        let script_over = watch::channel(false).0;
        Ok(Self {
            http_url,
            ws_url,
            address,
            credentials,
            ca_pem,
            hub,
            tasks,
            script: None,
            script_over,
        })
    }

    /// Who is there.
    pub fn account(&self) -> Account {
        let state = self.hub.lock();
        let roster = &state.world.roster;
        let users = |agents: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            agents.map(|agent| roster.agents[agent].id.clone()).collect()
        };
        let units = roster.units.iter().enumerate();
        let teams = roster.teams.iter().enumerate();
        Account {
            users: users(&mut (0..roster.agents.len())),
            units: units
                .map(|(at, unit)| (unit.id.clone(), users(&mut roster.in_unit(at))))
                .collect(),
            teams: teams
                .map(|(at, team)| (team.id.clone(), users(&mut roster.in_team(at))))
                .collect(),
            queues: roster.queues.clone(),
        }
    }

    /// Puts a fault in line; it begins when no other is in force and a socket is served.
    ///
    /// # Errors
    /// The fault does not apply to this vendor.
    pub fn inject(&self, fault: Fault) -> Result<u64, SimError> {
        Ok(self.inject_together(&[fault])?.first().copied().unwrap_or(0))
    }

    /// Puts faults in line that are to be in force together, as [`crate::Vendor::inject_together`].
    ///
    /// # Errors
    /// One of them does not apply to this vendor.
    pub fn inject_together(&self, faults: &[Fault]) -> Result<Vec<u64>, SimError> {
        if let Some(fault) = faults.iter().find(|fault| !Fault::GENESYS.contains(fault)) {
            return Err(SimError::NotApplicable { fault: fault.name() });
        }
        Ok(self.hub.lock().faults.enqueue(faults))
    }

    /// Plays a script in the background, in place of one that may be playing. Faults that do not
    /// apply are left out.
    pub fn play(&mut self, mut script: Script) {
        script.faults.retain(|fault| Fault::GENESYS.contains(fault));
        if let Some(playing) = self.script.take() {
            playing.abort();
        }
        self.script_over.send_replace(false);
        let play = script::play(Arc::clone(&self.hub), script, self.script_over.clone());
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
        News(self.hub.lock().faults.listen())
    }

    /// How often each fault came to what so far.
    pub fn fault_counts(&self) -> BTreeMap<Fault, FaultCounts> {
        self.hub.lock().faults.counts()
    }

    /// Ends the script, the faults in force, and those in line: the published rules are in force.
    pub fn stop_faults(&mut self) {
        if let Some(playing) = self.script.take() {
            playing.abort();
        }
        self.script_over.send_replace(true);
        let mut state = self.hub.lock();
        state.faults.clear();
        state.end_scenarios();
        drop(state);
        self.hub.wake();
    }

    /// No event is made any more; what was made is still served.
    pub fn stop_emission(&self) {
        self.hub.lock().world.stop();
    }

    /// The truth ledger as of now. It is a copy, made while everything stands still: ask rarely.
    pub fn truth(&self) -> Truth {
        self.hub.lock().world.truth()
    }

    /// Events made so far.
    pub fn events_emitted(&self) -> u64 {
        self.hub.lock().world.len()
    }

    /// When the newest event was made, in microseconds since 1970.
    pub fn newest_event_us(&self) -> Option<i64> {
        self.hub.lock().world.events.last().map(|event| event.wall_us)
    }

    /// Events that are due and not made yet: more than a tick's worth means that the machine is too
    /// slow for the rate.
    pub fn events_behind(&self) -> u64 {
        self.hub.lock().world.backlog()
    }

    /// What was asked of it, one entry for each second since it began.
    pub fn load(&self) -> Vec<Load> {
        self.hub.lock().load.series(self.hub.clock.now_ms())
    }

    /// Sockets on which events are being served.
    pub fn streams_live(&self) -> usize {
        self.hub.lock().live().count()
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
        let mut state = self.hub.lock();
        state.flush();
        match state.world.recorder.take_failure() {
            Some(failure) => Err(failure),
            None => Ok(state.world.truth()),
        }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        for task in self.tasks.iter().chain(&self.script) {
            task.abort();
        }
        self.hub.lock().flush();
    }
}

impl std::fmt::Debug for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vendor").field("http_url", &self.http_url).finish_non_exhaustive()
    }
}

/// The world's only task.
async fn live(hub: Arc<Hub>) {
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        {
            let mut state = hub.lock();
            state.world.tick();
            state.cover_new_conversations();
            state.tick_channels();
            state.tick_faults();
            if tick % FLUSH_TICKS == 0 {
                state.world.recorder.flush();
            }
            if tick % SAVE_TICKS == 0 {
                state.flush();
            }
        }
        hub.wake();
    }
}
