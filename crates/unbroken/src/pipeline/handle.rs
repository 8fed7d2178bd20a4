//! What can be asked of a running pipeline from outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use unbroken_connect::{SourceHandle, Tally};
use unbroken_core::ids::{Key, Label, StreamId};
use unbroken_core::machine::Input;
use unbroken_journal::JournalId;

use super::sink::Notes;
use super::sinks::SinkLines;
use crate::board::{Board, SourceCounts, SourceStatus, render_metrics};
use crate::control::{Request, Response, Status};
use crate::hooks::Hooks;
use crate::place;
use crate::render::wall_now;

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    pub(super) journal: JournalId,
    pub(super) data_dir: PathBuf,
    pub(super) hooks: Arc<Hooks>,
    pub(super) started: Instant,
    pub(super) sources: Vec<SourceLine>,
    pub(super) sinks: SinkLines,
    pub(super) stop: watch::Sender<bool>,
}

/// One source's ear.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) name: String,
    pub(super) streams: Vec<StreamId>,
    pub(super) keys: SourceHandle,
    /// Streams that have a snapshot of their keys' state.
    pub(super) snapshots: Vec<StreamId>,
    pub(super) tally: Arc<Tally>,
    pub(super) notes: Arc<Notes>,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Handle {
    /// How the sources are doing.
    pub fn board(&self) -> &Board {
        &self.shared.board
    }

    /// Everything that `status` tells.
    pub fn status(&self) -> Status {
        let (store_offset, next_offset) = self.shared.board.offsets();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            journal_id: self.shared.journal.to_string(),
            next_offset,
            store_offset,
            store_failures: self.shared.board.store_failures(),
            journal_bytes: place::journal_bytes(&self.shared.data_dir),
            hooks: self.shared.hooks.counts(),
            sources: self.sources(),
            sinks: self.shared.sinks.statuses(next_offset),
        }
    }

    fn sources(&self) -> Vec<SourceStatus> {
        let mut sources = self.shared.board.sources();
        for source in &mut sources {
            let mut lines = self.shared.sources.iter();
            if let Some(line) = lines.find(|line| line.name == source.name) {
                source.counts = line.counts();
                for stream in &mut source.streams {
                    stream.frame_at = line.tally.heard_at(&stream.stream);
                }
            }
        }
        sources
    }

    /// Unsubscribe, commit, stop.
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
    }

    /// Asks for a fresh snapshot, of all keys or of some. Returns of which streams.
    ///
    /// # Errors
    /// Why a source that is meant cannot do it; then none is asked.
    pub fn resync(
        &self,
        only: Option<&str>,
        keys: Option<&[String]>,
    ) -> Result<Vec<String>, String> {
        for source in self.shared.sources.iter().filter(|source| source.is_meant(only)) {
            source.can_resync(keys)?;
        }
        let keys = keys.map(|keys| keys.iter().map(|key| Key::from(key.as_str())).collect());
        let asked = |source: &SourceLine, stream: &StreamId| {
            let has_snapshot = source.snapshots.contains(stream);
            let keys = Option::clone(&keys);
            has_snapshot.then(|| Input::Resync { stream: stream.clone(), keys })
        };
        Ok(self.tell(only, asked))
    }

    /// Unsubscribes, and asks the vendor for nothing until resumed. Returns which sources were
    /// told.
    pub fn pause(&self, only: Option<&str>, by: &str, why: &str) -> Vec<String> {
        let (by, why) = (Label::from(by), Label::from(why));
        self.tell(only, |_, stream| {
            Some(Input::Pause { stream: stream.clone(), by: by.clone(), why: why.clone() })
        })
    }

    /// Goes on from what is durable. Returns which sources were told.
    pub fn resume(&self, only: Option<&str>, by: &str, why: &str) -> Vec<String> {
        let (by, why) = (Label::from(by), Label::from(why));
        self.tell(only, |_, stream| {
            Some(Input::Resume { stream: stream.clone(), by: by.clone(), why: why.clone() })
        })
    }

    /// Reads agents again and subscribes anew, make-before-break; secrets are read again with the
    /// next token request. A file that cannot be read leaves the agents as they were. Returns which
    /// sources were told.
    pub fn reload(&self, only: Option<&str>) -> Vec<String> {
        for source in self.shared.sources.iter().filter(|source| source.is_meant(only)) {
            match source.keys.reload_keys() {
                Ok(changed) => info!(source = source.name, changed, "agents read again"),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(source = source.name, %error, cause, "agents stay as they were");
                }
            }
        }
        self.tell(only, |_, stream| Some(Input::KeysChanged { stream: stream.clone() }))
    }

    /// The answer to a request on the control socket.
    pub fn answer(&self, request: Request) -> Response {
        let told = |only: Option<String>, of: Vec<String>| match (of.is_empty(), only) {
            (false, _) => Response::Accepted { of },
            (true, Some(only)) => {
                Response::Refused { why: format!("there is no source called `{only}`") }
            }
            (true, None) => Response::Refused { why: "no source is running".to_owned() },
        };
        match request {
            Request::Status {} => Response::Status(self.status()),
            Request::Metrics {} => {
                Response::Metrics { text: render_metrics(&self.status(), wall_now()) }
            }
            Request::Resync { source, keys } => {
                match self.resync(source.as_deref(), keys.as_deref()) {
                    Ok(of) => told(source, of),
                    Err(why) => Response::Refused { why },
                }
            }
            Request::Pause { source, by, why } => {
                let of = self.pause(source.as_deref(), &by, &why);
                told(source, of)
            }
            Request::Resume { source, by, why } => {
                let of = self.resume(source.as_deref(), &by, &why);
                told(source, of)
            }
            Request::Reload { source } => {
                let of = self.reload(source.as_deref());
                told(source, of)
            }
            Request::Stop {} => {
                self.stop();
                Response::Accepted { of: vec!["stop".to_owned()] }
            }
        }
    }

    /// A queue that is full has a person's word in it already; a source that is gone needs none.
    fn tell(
        &self,
        only: Option<&str>,
        input: impl Fn(&SourceLine, &StreamId) -> Option<Input>,
    ) -> Vec<String> {
        let is_told = |source: &&SourceLine| {
            let inputs = source.meant(only).filter_map(|stream| input(source, stream));
            let told = inputs.map(|input| source.inputs.try_send(input).is_ok());
            told.fold(false, |before, told| before | told)
        };
        let meant = self.shared.sources.iter().filter(|source| source.is_meant(only));
        meant.filter(is_told).map(|source| source.name.clone()).collect()
    }
}

impl SourceLine {
    /// Whether a fresh snapshot can be asked for, of these keys.
    fn can_resync(&self, keys: Option<&[String]>) -> Result<(), String> {
        let name = &self.name;
        if self.snapshots.is_empty() {
            return Err(format!("source {name} takes no snapshot of its keys"));
        }
        let subscribed = self.keys.keys();
        let is_known = |key: &&String| {
            subscribed.is_empty() || subscribed.binary_search(&Key::from(key.as_str())).is_ok()
        };
        match keys.into_iter().flatten().find(|key| !is_known(key)) {
            Some(key) => Err(format!("source {name} is not subscribed to the key `{key}`")),
            None => Ok(()),
        }
    }

    fn counts(&self) -> SourceCounts {
        let (asked, in_flight) = (self.tally.counts(), self.notes.in_flight());
        SourceCounts {
            handshakes: asked.handshakes,
            requests: asked.requests,
            tokens: asked.tokens,
            frames: asked.frames,
            unknown: asked.unknown,
            in_flight_bytes: in_flight.0,
            in_flight_events: in_flight.1,
            frame_at: asked.frame_at,
            token_expires_at: asked.token_expires_at,
        }
    }

    fn is_meant(&self, only: Option<&str>) -> bool {
        self.meant(only).next().is_some()
    }

    /// All of its streams, if it is named itself.
    fn meant<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a StreamId> {
        let is_named = only.is_none_or(|only| only == self.name);
        let streams = self.streams.iter();
        streams.filter(move |stream| is_named || only == Some(stream.as_str()))
    }
}
