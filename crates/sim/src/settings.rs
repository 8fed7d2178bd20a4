//! What kind of vendor to be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::vendor::Credentials;

/// What the vendor's positions are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Numbering {
    /// The stream's own numbers: each is the one before plus 1.
    Contiguous,
    /// A tenant-wide numbering of which the stream shows a part: numbers increase, with holes made
    /// by events that are none of the subscriber's business. They move the REST head too.
    Increasing,
    /// No numbers and no epoch anywhere.
    None,
}

impl Numbering {
    /// The name used on command lines and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::Increasing => "increasing",
            Self::None => "none",
        }
    }

    /// Whether events carry a position.
    pub fn is_positioned(self) -> bool {
        self != Self::None
    }
}

impl std::str::FromStr for Numbering {
    type Err = crate::SimError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "contiguous" => Ok(Self::Contiguous),
            "increasing" => Ok(Self::Increasing),
            "none" => Ok(Self::None),
            _ => Err(crate::SimError::UnknownName {
                kind: "numbering",
                name: text.to_owned(),
                known: "contiguous, increasing, none".to_owned(),
            }),
        }
    }
}

/// What a row of the REST baseline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// The agent's shift and, under `adherence`, the same object that the agent's last event
    /// carried, byte for byte.
    State,
    /// The agent's shift alone; the baseline gives a position and says nothing of state.
    Schedules,
}

/// What kind of vendor to be. The defaults make a small, lively tenant on a free port.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides everything that is not real time.
    pub seed: u64,
    /// Agents at the start.
    pub agents: u32,
    /// Whose ids are known before they join, so that a client which names agents can name them too:
    /// who joins for the first time is one of these while there are any.
    pub agents_to_come: u32,
    /// Events per second over all agents.
    pub rate: f64,
    /// What positions are worth.
    pub numbering: Numbering,
    /// What a row of the REST baseline is.
    pub body: Body,
    /// The acknowledgement names the position after which events begin.
    pub ack_position: bool,
    /// A refusal of an old position names the oldest one that is served.
    pub announce_floor: bool,
    /// Serve HTTPS and WSS with a certificate of our own making.
    pub tls: bool,
    /// Delay added to every byte, each way, in milliseconds.
    pub latency_ms: u64,
    /// Between two heartbeats on a stream, in milliseconds.
    pub heartbeat_ms: u64,
    /// Life of an access token, in milliseconds; `expires_in` is rounded down to seconds (at least
    /// 1).
    pub token_life_ms: u64,
    /// Scopes that a token can have.
    pub scopes: Vec<String>,
    /// How old an answer of the baseline may be while it comes from the cache, in milliseconds.
    pub staleness_ms: u64,
    /// Most rows of a page.
    pub page_limit: u32,
    /// Events of the present numbering that are kept for replay.
    pub retention_events: u64,
    /// Between an agent's leaving and another's joining, in milliseconds; 0: nobody comes or goes.
    pub churn_ms: u64,
    /// How long before a planned close it is announced, in milliseconds.
    pub closing_notice_ms: u64,
    /// A fault's scenario ends after so long, whatever has happened, in milliseconds. Must be above
    /// a client's longest silence and backoff, or faults are missed.
    pub scenario_ms_max: u64,
    /// How often sockets are cut while they flap …
    pub flapping_cuts: u32,
    /// … within so many milliseconds.
    pub flapping_ms: u64,
    /// Events made in one moment for a client whose road is narrow; it is cut off when more than
    /// half of them wait.
    pub narrow_events: u64,
    /// Size of an oversized frame: more than clients are told to expect.
    pub oversized_bytes: usize,
    /// What clients must show; `None`: made up, and told by [`crate::Vendor::credentials`].
    pub credentials: Option<Credentials>,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Write the truth ledger here as it grows.
    pub truth_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            agents: 250,
            agents_to_come: 0,
            rate: 500.0,
            numbering: Numbering::Contiguous,
            body: Body::State,
            ack_position: false,
            announce_floor: false,
            tls: false,
            latency_ms: 0,
            heartbeat_ms: 250,
            token_life_ms: 3_600_000,
            scopes: vec!["wfm:schedule:read".to_owned(), "wfm:adherence:read".to_owned()],
            staleness_ms: 400,
            page_limit: 100,
            retention_events: 1_000_000,
            churn_ms: 2_000,
            closing_notice_ms: 1_000,
            scenario_ms_max: 8_000,
            flapping_cuts: 20,
            flapping_ms: 10_000,
            narrow_events: 2_000,
            oversized_bytes: 2 << 20,
            credentials: None,
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            truth_file: None,
        }
    }
}
