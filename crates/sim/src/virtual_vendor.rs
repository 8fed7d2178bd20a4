//! The CXone-shaped vendor without sockets and without a clock of its own: whoever holds it moves
//! the time, carries the bytes and says what became of the connections.
//!
//! It is the same vendor: requests, subscriptions, faults and ledger are those of
//! [`crate::Vendor`]. What is left out is HTTP's text, the WebSocket's handshake and masking, and
//! TLS. The same settings and the same calls give the same bytes.

mod line;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;

use crate::cxone::{Answer, State};
use crate::estate::Estate;
use crate::server::http::Request;
use crate::settings::Settings;
use crate::truth::SubscriptionEnd;
use crate::vendor::Credentials;
use crate::world::Clock;
use crate::{Fault, FaultCounts, SimError, Truth};
use line::Line;
pub use line::Turn;

/// What a client must show here: nobody else can ask.
const SECRET: &str = "in-virtual-time";

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Told {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after_s: Option<u64>,
        /// The body: JSON, unless a fault cuts it.
        body: String,
        /// It is held back for so long, in milliseconds; [`VirtualVendor::paced`] is to be called
        /// when it leaves.
        delay_ms: u64,
    },
    /// The handshake is accepted: the stream's number.
    Stream(u64),
    /// The connection is reset.
    Gone,
}

/// What a client says on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Text(String),
    /// A ping, with its payload.
    Ping(Vec<u8>),
    /// The answer to a ping, with its payload.
    Pong(Vec<u8>),
    /// A close frame, with its payload: the code, if it has one.
    Close(Vec<u8>),
}

/// See the module.
pub struct VirtualVendor {
    state: State,
    hand: Arc<AtomicU64>,
    lines: BTreeMap<u64, Line>,
}

impl VirtualVendor {
    /// A vendor that begins at this moment (microseconds since 1970). Settings that are about
    /// sockets and files do not count.
    ///
    /// # Errors
    /// None in practice: there is no file to make.
    pub fn new(settings: Settings, origin_us: i64) -> Result<Self, SimError> {
        let settings = Arc::new(Settings { truth_file: None, latency_ms: 0, ..settings });
        let (clock, hand) = Clock::by_hand(origin_us);
        let rng = fastrand::Rng::with_seed(settings.seed ^ 0x70cc);
        let state = State::new(settings, Self::credentials(), clock, rng)?;
        Ok(Self { state, hand, lines: BTreeMap::new() })
    }

    /// What it wants to be shown.
    pub fn credentials() -> Credentials {
        Credentials {
            client_id: "sim-client".to_owned(),
            client_secret: SECRET.to_owned(),
            username: "sim-access-key".to_owned(),
            password: SECRET.to_owned(),
        }
    }

    /// It is so late: microseconds since the beginning. Never earlier than before.
    pub fn set_time(&mut self, since_us: u64) {
        self.hand.fetch_max(since_us, Ordering::Relaxed);
    }

    /// The time by the ledger, microseconds since 1970.
    pub fn wall_us(&self) -> i64 {
        self.state.clock.wall_us()
    }

    /// Makes what is due: events, what becomes of faults, what ends with time. To be called every
    /// few milliseconds.
    pub fn tick(&mut self) {
        Estate::tick(&mut self.state);
    }

    /// A connection arrives; `false`: it is reset.
    pub fn admit(&mut self) -> bool {
        self.state.admit()
    }

    /// Answers a request. Names of headers are in lower case.
    pub fn answer(
        &mut self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Reply {
        match self.state.route(&Request::new(method, target, headers, body)) {
            Answer::Plain(response, delay_ms) => Reply::Told {
                status: response.status,
                retry_after_s: response.retry_after_s,
                body: response.body,
                delay_ms,
            },
            Answer::Gone => Reply::Gone,
            Answer::Stream(conn, _) => {
                let line = Line::new(self.state.clock.now_ms(), self.state.settings.heartbeat_ms);
                self.lines.insert(conn, line);
                Reply::Stream(conn)
            }
        }
    }

    /// An answer that was held back leaves.
    pub fn paced(&mut self) {
        self.state.fault_on_paced();
    }

    /// Streams that are there.
    pub fn streams(&self) -> Vec<u64> {
        self.lines.keys().copied().collect()
    }

    /// Writes what is due on a stream. After an end nothing more comes of it.
    pub fn turn(&mut self, conn: u64, out: &mut BytesMut) -> Turn {
        let Some(line) = self.lines.get_mut(&conn) else { return Turn::Over };
        let turn = line.turn(&mut self.state, conn, out);
        if turn != Turn::GoesOn {
            self.lines.remove(&conn);
        }
        turn
    }

    /// A client says something on a stream; the answer is written with the next turn.
    pub fn hear(&mut self, conn: u64, heard: Heard) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.hear(&mut self.state, conn, heard);
        }
    }

    /// The client's connection is broken.
    pub fn broken(&mut self, conn: u64) {
        if self.lines.remove(&conn).is_some() {
            self.state.close_session(conn, SubscriptionEnd::Broken);
        }
    }

    /// Whether a client could tell the fault from what this vendor does by its rules.
    pub fn knows(&self, fault: Fault) -> bool {
        self.state.knows(fault)
    }

    /// Puts faults in line that are to be in force together.
    pub fn inject(&mut self, faults: &[Fault]) {
        self.state.faults.enqueue(faults);
    }

    /// Whether no fault is in force or in line.
    pub fn is_calm(&self) -> bool {
        self.state.faults.is_idle()
    }

    /// How often each fault came to what so far.
    pub fn fault_counts(&self) -> BTreeMap<Fault, FaultCounts> {
        self.state.faults.counts()
    }

    /// Ends the faults in force and those in line.
    pub fn stop_faults(&mut self) {
        self.state.faults.clear();
        Estate::end_scenarios(&mut self.state);
    }

    /// No event is made any more.
    pub fn stop_emission(&mut self) {
        Estate::stop_emission(&mut self.state);
    }

    /// Events made so far.
    pub fn events_emitted(&self) -> u64 {
        self.state.world.len()
    }

    /// The truth ledger as of now.
    pub fn truth(&self) -> Truth {
        self.state.world.truth()
    }
}

impl std::fmt::Debug for VirtualVendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualVendor").field("streams", &self.lines.len()).finish_non_exhaustive()
    }
}
