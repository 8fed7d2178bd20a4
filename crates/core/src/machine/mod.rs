//! The recovery machine of one source.
//!
//! **Every input goes through [`Machine::handle_input`] with the moment it happened; after each,
//! [`Machine::poll_output`] is called until it says [`Output::Wait`].** Nothing else goes in or
//! out. The run loop of any driver is:
//!
//! 1. give [`Input::Restored`] with what the log holds;
//! 2. carry out outputs until `Wait`;
//! 3. wait for whichever comes first: the deadline (give [`Input::Tick`]), a socket's news, a
//!    page, a token, the journal's `Appended`;
//! 4. give it as an input; go to 2, until [`Output::Halt`].
//!
//! Two positions, never one: a resume asks from what is *durable*, dedup compares with what is
//! *seen*, and durable moves only on `Appended`.

mod absence;
mod attempt;
mod audit;
mod beginning;
mod budget;
mod context;
mod drift;
mod effect;
mod ended;
mod handover;
mod history;
mod input;
mod install;
mod intake;
mod keyed;
mod late;
mod link;
mod mutant;
mod number;
mod outage;
mod output;
mod partial;
mod pause;
mod plan;
mod poison;
#[cfg(feature = "proof")]
mod proof;
mod prove;
mod reconcile;
mod schema;
mod stash;
mod stream;
mod timer;
mod timing;
mod token;
mod tombstone;
mod wake;
mod witness;

pub use beginning::{Start, Unsuited};
pub use budget::{Allowance, Budget, Pace};
pub use input::{Input, Now};
#[cfg(feature = "proof")]
pub use mutant::Mutant;
pub use output::{
    Blocked, CloseHow, Fetch, Halt, Message, Output, Past, Phase, Proof, Report, Rung,
};
#[cfg(feature = "proof")]
pub use proof::{FAR_MS, ahead_ms};
pub use timer::{Timer, TimerTable};
pub use timing::Timing;

use std::collections::{BTreeMap, VecDeque};

use crate::connector::{Capabilities, Failure};
use crate::fold::StreamFold;
use crate::ids::{AppendId, StreamId};
use crate::position::Position;
use context::{Cx, Shared};
use stream::Stream;
use token::Token;

/// What a machine is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The source's streams.
    pub streams: Vec<StreamId>,
    /// What the source can do.
    pub capabilities: Capabilities,
    /// What single streams of it can do, where that is something else: one source may have streams
    /// of several kinds.
    pub special: BTreeMap<StreamId, Capabilities>,
    /// Delays and bounds.
    pub timing: Timing,
    /// How its streams begin.
    pub start: Start,
    /// How often the vendor may be asked.
    pub budget: Budget,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Config {
    /// What a stream can do.
    pub fn capabilities_of(&self, stream: &StreamId) -> &Capabilities {
        self.special.get(stream).unwrap_or(&self.capabilities)
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    config: Config,
    shared: Shared,
    streams: Vec<Stream>,
    outputs: VecDeque<Output>,
    life: Life,
}

/// What the machine as a whole is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Running,
    /// Waits for the journal, then halts.
    Draining,
    Halted,
}

impl Machine {
    /// A machine that waits for [`Input::Restored`].
    pub fn new(mut config: Config) -> Self {
        for capabilities in
            [&mut config.capabilities].into_iter().chain(config.special.values_mut())
        {
            config.start.restrict(capabilities);
        }
        let shared = Shared::new(config.seed);
        let streams = config.streams.iter().cloned().map(Stream::new).collect();
        Self { config, shared, streams, outputs: VecDeque::new(), life: Life::Running }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if self.life == Life::Halted {
            return;
        }
        let cx = &mut Cx::new(&self.config, now, &mut self.shared, &mut self.outputs);
        match (self.life, input) {
            (_, Input::Appended { append }) => {
                cx.shared.appended = cx.shared.appended.max(append);
                self.streams.iter_mut().for_each(|s| s.handle_appended(append));
                if self.life == Life::Running {
                    each(cx, &mut self.streams, |cx, stream| {
                        stream.begin_if_durable(cx);
                        stream.hand_over_if_durable(cx);
                        stream.rest_if_durable(cx);
                    });
                }
            }
            (_, Input::AppendFailed { what }) => {
                self.life = Life::Halted;
                cx.emit(Output::Halt(Halt::Journal { what }));
            }
            (Life::Running, Input::Shutdown) => {
                self.life = Life::Draining;
                each(cx, &mut self.streams, |cx, stream| stream.handle_shutdown(cx));
            }
            (Life::Running, Input::Restored { streams, next_offset }) => {
                restore(cx, &mut self.streams, streams, next_offset);
            }
            (Life::Running, Input::Tick) => {
                wake_token(cx, &mut self.streams);
                each(cx, &mut self.streams, |cx, stream| stream.handle_tick(cx));
            }
            (Life::Running, Input::TokenReady { version, expires_at }) => {
                if Token::handle_ready(cx, version, expires_at) {
                    each(cx, &mut self.streams, |cx, stream| stream.handle_token(cx));
                }
            }
            (Life::Running, Input::TokenRefused { version, failure }) => {
                if Token::handle_refused(cx, version, &failure) {
                    refuse_token(cx, &mut self.streams, &failure);
                }
            }
            (Life::Running, input) => {
                if let Some(stream) = self.streams.iter_mut().find(|s| s.claims(&input)) {
                    cx.turn_to(&stream.id);
                    stream.handle_news(cx, input);
                }
            }
            (Life::Draining | Life::Halted, _) => {}
        }
        self.streams.iter_mut().for_each(|s| s.flush(cx));
        if self.life == Life::Draining && self.shared.appended >= self.shared.last_append {
            self.life = Life::Halted;
            self.outputs.push_back(Output::Halt(Halt::Stopped));
        }
    }

    /// What to do next; call until it says [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            let tables = self.streams.iter().map(|s| &s.timers).chain([&self.shared.token.timers]);
            // Whoever drains waits for the journal alone: a deadline that has passed would wake the
            // driver again and again.
            let runs = self.life == Life::Running;
            let next = tables.filter(|_| runs).filter_map(TimerTable::next).min();
            Output::Wait { deadline: next.map(|(at, _)| at), timer: next.map(|(_, timer)| timer) }
        })
    }

    /// What a stream is waiting for.
    pub fn phase(&self, stream: &StreamId) -> Option<&Phase> {
        self.stream(stream).map(|s| &s.phase)
    }

    /// What has been handed to the journal, folded.
    pub fn seen(&self, stream: &StreamId) -> Option<&StreamFold> {
        self.stream(stream).map(|s| &s.seen)
    }

    /// Where a resume would ask from.
    pub fn durable(&self, stream: &StreamId) -> Option<Position> {
        self.stream(stream).and_then(|s| s.durable)
    }

    /// The last unit handed to the journal.
    pub fn last_append(&self) -> AppendId {
        self.shared.last_append
    }

    fn stream(&self, id: &StreamId) -> Option<&Stream> {
        self.streams.iter().find(|s| s.id == *id)
    }
}

fn restore(
    cx: &mut Cx<'_>,
    streams: &mut [Stream],
    folds: Vec<(StreamId, StreamFold)>,
    next_offset: u64,
) {
    cx.shared.clock = next_offset;
    for (id, fold) in folds {
        cx.shared.last_conn = cx.shared.last_conn.max(fold.last_conn);
        if let Some(stream) = streams.iter_mut().find(|s| s.id == id) {
            cx.turn_to(&stream.id);
            stream.restore(cx, fold);
        }
    }
    each(cx, streams, |cx, stream| {
        stream.begin(cx);
        stream.begin_attempt(cx);
    });
}

/// Gives every stream its turn.
fn each(cx: &mut Cx<'_>, streams: &mut [Stream], mut turn: impl FnMut(&mut Cx<'_>, &mut Stream)) {
    for stream in streams {
        cx.turn_to(&stream.id);
        turn(cx, stream);
    }
}

fn refuse_token(cx: &mut Cx<'_>, streams: &mut [Stream], failure: &Failure) {
    each(cx, streams, |cx, stream| stream.handle_token_refused(cx, failure));
}

fn wake_token(cx: &mut Cx<'_>, streams: &mut [Stream]) {
    while let Some(timer) = cx.shared.token.timers.take_due(cx.now.at) {
        let lapsed = cx.shared.token.asking().filter(|_| timer == Timer::Token);
        match lapsed {
            Some(version) => {
                let failure = wake::late("the token request took too long");
                if Token::handle_refused(cx, version, &failure) {
                    refuse_token(cx, streams, &failure);
                }
            }
            // Nothing will be asked of the vendor before somebody resumes it.
            None if streams.iter().all(Stream::is_paused) => {}
            None => Token::ask(cx),
        }
    }
}
