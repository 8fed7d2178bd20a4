//! The process under test: a log that is written, and a server that tells clients of it.

use std::fs;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::{Sender, channel};
use unbroken_core::record::Append;
use unbroken_journal::{JournalId, Options, Reader, Writer};
use unbroken_relay::{
    Host, PreparedRelay, Readiness, Relay, RelayConfig, ResyncError, StoreDoubt, place,
};

use super::frame::{message, unit};
use super::{bare, outcome};
use crate::Failure;
use crate::process::{say, wall_us};

/// What tells the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Relay,
    Bare,
}

impl Kind {
    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "relay" => Ok(Self::Relay),
            "bare" => Ok(Self::Bare),
            other => Err(format!("--kind is relay or bare, not `{other}`").into()),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Bare => "bare",
        }
    }
}

/// What is to be written, and how it is told.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) kind: Kind,
    /// An empty folder.
    pub(crate) dir: PathBuf,
    /// Events in all, and in each unit of the log.
    pub(crate) events: usize,
    pub(crate) batch: usize,
    /// Units per second; 0: as fast as the disk takes them.
    pub(crate) rate: usize,
}

/// Says where it listens, writes when it is told to, and serves until its input ends.
pub(crate) fn run(house: &House) -> Result<(), Failure> {
    let (batch, events) = (house.batch as u64, house.events as u64);
    let opened = unbroken_journal::open(Options::new(house.dir.join("journal")))?;
    let units: Vec<Append> =
        (0..events).step_by(house.batch).map(|at| unit(at, batch.min(events - at))).collect();
    let server = match house.kind {
        Kind::Relay => Server::Relay(Server::relay(house, opened.reader.clone())?),
        Kind::Bare => Server::bare(opened.reader.journal(), &units)?,
    };
    say(&format!("listening {}", server.address()))?;
    let mut lines = io::stdin().lock().lines();
    lines.next().ok_or("its input ended")??;
    let mut writer = opened.writer;
    say(&format!("started {}", wall_us()))?;
    let commits = write(&mut writer, units, house.rate, &server)?;
    fs::write(house.dir.join("commits"), outcome::to_bytes(&commits))?;
    say("written")?;
    for line in lines {
        line?;
    }
    if let Server::Relay(relay) = server {
        relay.stop();
    }
    Ok(())
}

/// Returns when each event became durable.
fn write(
    writer: &mut Writer,
    units: Vec<Append>,
    rate: usize,
    server: &Server,
) -> Result<Vec<u64>, Failure> {
    let began = Instant::now();
    let mut commits = Vec::new();
    for (turn, unit) in units.into_iter().enumerate() {
        if let Some(due) = (turn * 1_000_000).checked_div(rate) {
            thread::sleep(Duration::from_micros(due as u64).saturating_sub(began.elapsed()));
        }
        let count = unit.records.len();
        writer.commit(&[unit])?;
        commits.extend(std::iter::repeat_n(wall_us(), count));
        server.tell(turn);
    }
    Ok(commits)
}

enum Server {
    Relay(Relay),
    Bare { address: SocketAddr, events: Sender<Utf8Bytes>, messages: Vec<Utf8Bytes> },
}

impl Server {
    fn relay(house: &House, reader: Reader) -> Result<Relay, Failure> {
        let config = RelayConfig { listen: "127.0.0.1:0".parse()?, ..RelayConfig::default() };
        let prepared = PreparedRelay::new(config, &house.dir)?;
        say(&format!("token {}", fs::read_to_string(place::token_file(&house.dir))?.trim()))?;
        // State is asked for by nobody.
        Ok(prepared.start(house.dir.join("store.sqlite"), reader, Arc::new(NoSources))?)
    }

    /// Its messages are made beforehand: it only sends.
    fn bare(journal: JournalId, units: &[Append]) -> Result<Self, Failure> {
        say("token none")?;
        let mut messages = Vec::with_capacity(units.len());
        let mut offset = 0;
        for unit in units {
            messages.push(Utf8Bytes::try_from(message(journal, offset, unit))?);
            offset += unit.records.len() as u64;
        }
        let (events, _) = channel(units.len().max(1));
        Ok(Self::Bare { address: bare::start(events.clone())?, events, messages })
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Relay(relay) => relay.address(),
            Self::Bare { address, .. } => *address,
        }
    }

    /// The relay sees for itself what is durable.
    fn tell(&self, turn: usize) {
        if let Self::Bare { events, messages, .. } = self {
            // Without clients there is nobody to tell.
            let _ = events.send(messages[turn].clone());
        }
    }
}

struct NoSources;

impl Host for NoSources {
    fn sources(&self) -> Value {
        json!([])
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn readiness(&self) -> Vec<Readiness> {
        Vec::new()
    }

    fn store_doubt(&self) -> Option<StoreDoubt> {
        None
    }

    fn resync(&self, source: &str, _keys: Option<&[String]>) -> Result<Vec<String>, ResyncError> {
        Err(ResyncError::Unknown(source.to_owned()))
    }
}
