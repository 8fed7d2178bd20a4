//! The polled vendor as its user sees it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::fault::PollFault;
use super::hosts::{serve_api, serve_discovery};
use super::ledger::PollTruth;
use super::play::Play;
use super::serve::{Shared, lock};
use super::states::States;
use crate::SimError;
use crate::settings::Settings;
use crate::vendor::Credentials;

/// Between two ticks of the world.
const TICK_MS: u64 = 5;

/// A running vendor. Dropping it stops it at once.
pub struct PollVendor {
    /// Where the paths are as long as the tenant has not been moved, without a trailing slash.
    pub http_url: String,
    /// Where the service is that says where they are, without a trailing slash.
    pub discovery_url: String,
    /// Whom to ask it for.
    pub tenant_id: String,
    /// Where the API listens as long as the tenant has not been moved.
    pub address: SocketAddr,
    /// Id and secret of the access key.
    pub access_key: (String, String),
    states: Shared,
    tasks: Vec<JoinHandle<()>>,
}

impl PollVendor {
    /// Opens the listener and lets the world begin. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(settings: Settings) -> Result<Self, SimError> {
        let listen = |source| SimError::Listen { address: settings.bind.to_string(), source };
        let listener = TcpListener::bind(settings.bind).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let service = TcpListener::bind((address.ip(), 0)).await.map_err(listen)?;
        let discovery_url = format!("http://{}", service.local_addr().map_err(listen)?);
        let credentials = settings.credentials.clone().unwrap_or_else(Credentials::make);
        let access_key = (credentials.username.clone(), credentials.password.clone());
        let mut states = States::new(settings, credentials)?;
        states.api = Some(address);
        let tenant_id = states.tenant_id.clone();
        let states = Arc::new(Mutex::new(states));
        let tasks = vec![
            tokio::spawn(serve_api(Arc::clone(&states), listener, address)),
            tokio::spawn(serve_discovery(Arc::clone(&states), service)),
            tokio::spawn(live(Arc::clone(&states))),
        ];
        let http_url = format!("http://{address}");
        Ok(Self { http_url, discovery_url, tenant_id, address, access_key, states, tasks })
    }

    /// Puts a fault in force in place of any other, until it was seen and its time is over.
    pub fn inject(&self, fault: PollFault) {
        lock(&self.states).begin(fault);
    }

    /// Puts one fault after the other in force, in seeded order, until they are stopped.
    pub fn play(&self, seed: u64, faults: Vec<PollFault>) {
        lock(&self.states).play = Some(Play::new(seed, faults));
    }

    /// Whether the published rules are in force, and a poll was answered by them since.
    pub fn is_calm(&self) -> bool {
        lock(&self.states).is_calm()
    }

    /// How often each fault was seen on the wire.
    pub fn fired(&self) -> BTreeMap<PollFault, u64> {
        lock(&self.states).fired.clone()
    }

    /// The published rules are in force.
    pub fn stop_faults(&self) {
        let mut states = lock(&self.states);
        (states.active, states.play) = (None, None);
    }

    /// Nothing changes any more.
    pub fn stop_emission(&self) {
        lock(&self.states).world.stop();
    }

    /// Changes so far.
    pub fn events_emitted(&self) -> u64 {
        lock(&self.states).world.len()
    }

    /// The truth as of now: a copy, ask rarely.
    pub fn truth(&self) -> PollTruth {
        let states = lock(&self.states);
        PollTruth::of(states.all(), &states.read)
    }
}

impl Drop for PollVendor {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl std::fmt::Debug for PollVendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollVendor").field("http_url", &self.http_url).finish_non_exhaustive()
    }
}

async fn live(states: Shared) {
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        lock(&states).tick();
    }
}
