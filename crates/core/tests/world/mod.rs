//! A small vendor, network and journal round the real machine, in virtual time.
//!
//! The behaviour tests script it; the model checker lets it do everything that it may.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "a test's world: each test file uses its part of it"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod mischief;
mod places;
mod vendor;

use bytes::Bytes;
use unbroken_core::connector::{
    Ack, Capabilities, Connections, Decoded, Floor, Numbering, Replay, SnapshotKind,
};
use unbroken_core::fold::{Fold, StreamFold};
use unbroken_core::ids::{AppendId, ConnId, Key, RequestId, StreamId, TokenVersion};
use unbroken_core::machine::{
    Budget, Config, Fetch, Input, Machine, Message, Now, Output, Past, Phase, Report, Rung, Start,
    Timing,
};
use unbroken_core::position::Position;
use unbroken_core::record::{Append, Body, Change, GapClosed, Origin, Record, digest};
use unbroken_core::time::{Millis, UnixMicros};

pub use places::bookmark;
use places::place_of;

/// What the vendor does with a position below its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnOld {
    Refuse,
    RefuseWithFloor,
    Clamp,
}

/// The vendor's rules; they do not change in a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    pub caps: Capabilities,
    pub timing: Timing,
    pub start: Start,
    pub budget: Budget,
    pub on_old: OnOld,
    /// Rows come on two pages.
    pub two_pages: bool,
    /// The vendor says when each event happened, by a clock that counts its events.
    pub times: bool,
    /// A key's value is one of two, so that one comes again: A, B, A.
    pub flaps: bool,
    /// A numbering begins again without a socket breaking.
    pub keeps_socks: bool,
    /// The log takes what a process hands over that has lost it.
    pub unfenced: bool,
}

/// One of the vendor's events. Its index is its place in the vendor's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    pub key: u8,
    pub deleted: bool,
    pub epoch: u8,
    pub sequence: u64,
    /// What the key is from here on.
    pub value: u64,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sock {
    pub opened: bool,
    /// `Some(after)` once Subscribe was sent and not yet answered.
    pub asked: Option<Option<u64>>,
    pub subscribed: bool,
    pub mute: bool,
    /// When the vendor will close it, if it has said so.
    pub closes_at: Option<Millis>,
    /// Index of the first event that its subscription covers.
    pub start: usize,
    pub queue: VecDeque<Decoded>,
}

impl Sock {
    fn new() -> Self {
        Self {
            opened: false,
            asked: None,
            subscribed: false,
            mute: false,
            closes_at: None,
            start: 0,
            queue: VecDeque::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub rules: Rules,
    pub machine: Machine,
    pub events: Vec<Made>,
    pub epoch: u8,
    /// Index of the first event that is still replayed.
    pub floor: usize,
    pub socks: BTreeMap<ConnId, Sock>,
    pub pages: Vec<(RequestId, Fetch)>,
    /// Questions about history that nobody has answered.
    pub past: Vec<(RequestId, Past)>,
    pub log: Vec<Append>,
    /// How many units are durable.
    pub durable: usize,
    pub now: Millis,
    pub deadline: Option<Millis>,
    pub reports: Vec<Report>,
    pub asked: Vec<Option<u64>>,
    pub keep_reports: bool,
    /// The model keeps the wall clock still and leaves out what only tells histories apart, so that
    /// states compare.
    pub still: bool,
    /// A subscription asked from above what is durable.
    pub asked_above_durable: bool,
    /// A snapshot's tag and a floor are the vendor's word of this moment, not ours: only a resume
    /// has to ask from what is durable.
    pub rung: Option<Rung>,
    pub authorizing: Vec<TokenVersion>,
    /// Events that were given to the machine of this process.
    pub received: BTreeSet<(u8, u64)>,
    /// How many events the oldest page of the present snapshot shows at least.
    pub shown: Option<usize>,
    /// A snapshot was installed from before the place where the subscription begins.
    pub overlap_unproved: bool,
    /// Events that a mute subscription has not brought, by index.
    pub withheld: BTreeSet<usize>,
    /// Frames that this process could not understand.
    pub garbled: u64,
}

pub fn stream() -> StreamId {
    StreamId::from("sim/adherence")
}

pub fn key(index: u8) -> Key {
    Key::new(format!("k{index}"))
}

pub fn body(made: &Made) -> Bytes {
    Bytes::from(format!("k{}@{}:{}", made.key, made.epoch, made.value))
}

/// Key, epoch and value that [`body`] has written.
pub fn written(payload: &[u8]) -> Option<(u8, u8, u64)> {
    let (key, rest) = std::str::from_utf8(payload).ok()?.strip_prefix('k')?.split_once('@')?;
    let (epoch, value) = rest.split_once(':')?;
    Some((key.parse().ok()?, epoch.parse().ok()?, value.parse().ok()?))
}

/// Contiguous numbers, replay, plain confirmation, named epochs, an exact positioned snapshot.
pub fn contiguous() -> Rules {
    Rules {
        caps: Capabilities {
            position: Numbering::Contiguous,
            replay: Replay::FromPosition,
            floor: Floor::Unknown,
            ack: Ack::Plain,
            connections: Connections::Many,
            epoch_named: true,
            snapshot: SnapshotKind::Positioned,
            token_needed: false,
            ..Capabilities::default()
        },
        timing: Timing { idle_ms: 3_600_000, ping_ms: 3_600_000, ..Timing::default() },
        start: Start::Initial,
        on_old: OnOld::Refuse,
        budget: Budget::default(),
        two_pages: false,
        times: false,
        flaps: false,
        keeps_socks: false,
        unfenced: false,
    }
}

impl World {
    pub fn new(rules: Rules) -> Self {
        let machine = machine(&rules);
        let mut world = Self {
            rules,
            machine,
            events: Vec::new(),
            epoch: 0,
            floor: 0,
            socks: BTreeMap::new(),
            pages: Vec::new(),
            past: Vec::new(),
            log: Vec::new(),
            durable: 0,
            now: Millis(0),
            deadline: None,
            reports: Vec::new(),
            asked: Vec::new(),
            keep_reports: true,
            still: false,
            asked_above_durable: false,
            rung: None,
            authorizing: Vec::new(),
            received: BTreeSet::new(),
            shown: None,
            overlap_unproved: false,
            withheld: BTreeSet::new(),
            garbled: 0,
        };
        world.restore();
        world
    }

    pub fn moment(&self) -> Now {
        let wall = match self.still {
            true if self.rules.times => self.events.len() as i64,
            true => 0,
            false => self.now.0 as i64 * 1_000,
        };
        Now { at: self.now, wall: UnixMicros(wall) }
    }

    pub fn give(&mut self, input: Input) {
        self.machine.handle_input(self.moment(), input);
        self.pump();
    }

    fn pump(&mut self) {
        loop {
            match self.machine.poll_output() {
                Output::Wait { deadline, .. } => {
                    self.deadline = deadline;
                    return;
                }
                Output::Open { conn, .. } => {
                    self.socks.insert(conn, Sock::new());
                }
                Output::Close { conn, .. } => {
                    self.socks.remove(&conn);
                }
                Output::Send { conn, message: Message::Subscribe { after } } => {
                    let after = after.map(|after| place_of(&after));
                    if !self.still {
                        self.asked.push(after);
                    }
                    let durable = self.durable_position().map(|p| self.place(p));
                    let resumes = self.rung == Some(Rung::Resume);
                    self.asked_above_durable |= resumes && after > durable;
                    self.socks.get_mut(&conn).unwrap().asked = Some(after);
                }
                Output::Send { conn, message: Message::Ping } => self.answer_ping(conn),
                Output::Send { message: Message::Unsubscribe, .. } => {}
                Output::FetchPage { request, what, .. } => {
                    if what == Fetch::First {
                        self.shown = None;
                    }
                    self.pages.push((request, what));
                }
                Output::FetchHistory { request, what, .. } => self.past.push((request, what)),
                Output::Append(mut append) => {
                    if self.still {
                        append.records.retain(|r| !matches!(r.body, Body::Connection(_)));
                        self.look_at_install(&append);
                    }
                    self.log.push(append);
                }
                Output::Report(report) => {
                    if let Report::Rung { rung, .. } = report {
                        self.rung = Some(rung);
                    }
                    if self.keep_reports {
                        self.reports.push(report);
                    }
                }
                Output::Authorize { version } => self.authorizing.push(version),
                Output::Halt(_) => {}
            }
        }
    }

    pub fn durable_position(&self) -> Option<Position> {
        self.fold(self.durable).streams.remove(&stream()).and_then(|fold| fold.position)
    }

    /// The process dies and a new one starts on what is durable, plus `survivors` units that were
    /// on their way to the disk.
    pub fn crash(&mut self, survivors: usize) {
        self.durable += survivors;
        self.log.truncate(self.durable);
        self.socks.clear();
        self.pages.clear();
        self.past.clear();
        self.received.clear();
        self.garbled = 0;
        let machine = machine(&self.rules);
        #[cfg(feature = "proof")]
        let machine = machine.with_mutant(self.machine.mutant());
        self.machine = machine;
        self.restore();
    }

    /// A snapshot must show at least what happened before its subscription begins.
    fn look_at_install(&mut self, append: &Append) {
        let ends = |record: &Record| matches!(&record.body, Body::SnapshotEnd(end) if !end.keyed);
        if append.records.iter().any(ends)
            && let Some(shown) = self.shown
            && let Some(sock) = self.socks.values().find(|sock| sock.subscribed)
        {
            self.overlap_unproved |= shown < sock.start;
        }
    }

    fn restore(&mut self) {
        let next_offset = self.records().len() as u64;
        let streams = self.fold(self.durable).streams.into_iter().collect();
        self.give(Input::Restored { streams, next_offset });
    }

    /// What the first `units` units add up to.
    pub fn fold(&self, units: usize) -> Fold {
        let mut fold = Fold::new(true);
        let mut offset = 0;
        for append in &self.log[..units] {
            for record in &append.records {
                fold.apply(offset, record);
                offset += 1;
            }
            if let Some(mark) = &append.mark {
                fold.mark(mark);
            }
        }
        fold
    }

    pub fn stream_fold(&self) -> StreamFold {
        self.fold(self.log.len()).streams.remove(&stream()).unwrap_or_default()
    }

    pub fn records(&self) -> Vec<&Record> {
        self.log.iter().flat_map(|append| &append.records).collect()
    }

    /// Everything on its way to the disk arrives there.
    pub fn commit(&mut self) {
        self.durable = self.log.len();
        let append = self.log.last().map_or(AppendId(0), |append| append.id);
        self.give(Input::Appended { append });
    }

    pub fn tick(&mut self) {
        if let Some(deadline) = self.deadline {
            self.now = self.now.max(deadline);
        }
        self.give(Input::Tick);
    }

    pub fn is_live(&self) -> bool {
        matches!(self.machine.phase(&stream()), Some(Phase::Live { .. }))
    }

    pub fn sole_conn(&self) -> ConnId {
        *self.socks.keys().next_back().expect("a socket")
    }

    /// Lets vendor, network and journal do what they owe, without timers, until nothing is owed.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    pub fn step(&mut self) -> bool {
        if self.step_but_pages() {
            return true;
        }
        if !self.pages.is_empty() {
            self.page(self.events.len());
            return true;
        }
        if self.durable < self.log.len() {
            self.commit();
            return true;
        }
        false
    }

    pub fn step_but_pages(&mut self) -> bool {
        let conns: Vec<ConnId> = self.socks.keys().copied().collect();
        for conn in conns {
            let sock = &self.socks[&conn];
            if !sock.opened {
                self.accept(conn);
                return true;
            }
            if sock.asked.is_some() {
                self.answer(conn);
                return true;
            }
            if !sock.queue.is_empty() {
                self.deliver(conn);
                return true;
            }
        }
        false
    }

    /// Settles, firing timers, until the stream is Live.
    pub fn run_to_live(&mut self) {
        for _ in 0..200 {
            self.settle();
            if self.is_live() {
                return;
            }
            self.tick();
        }
        panic!("not live: {:?}\n{:#?}", self.machine.phase(&stream()), self.reports);
    }

    pub fn changes(&self) -> Vec<&Change> {
        let live = |c: &&Change| matches!(c.origin, Origin::Live | Origin::Replay);
        self.records()
            .into_iter()
            .filter_map(|r| match &r.body {
                Body::Change(change) => Some(change),
                _ => None,
            })
            .filter(live)
            .collect()
    }

    pub fn sequences(&self) -> Vec<u64> {
        self.changes().iter().filter_map(|c| c.position.map(|p| p.sequence)).collect()
    }

    /// The last row of each gap.
    pub fn ledger(&self) -> Vec<GapClosed> {
        let mut rows = BTreeMap::new();
        for record in self.records() {
            if let Body::GapClosed(gap) = &record.body {
                rows.insert(gap.gap, gap.clone());
            }
        }
        rows.into_values().collect()
    }

    /// State as the log says equals the vendor's.
    pub fn assert_state_is_the_vendors(&self) {
        let fold = self.stream_fold();
        for (k, made) in self.truth(self.events.len()) {
            let held = fold.keys.get(&key(k)).filter(|held| held.present);
            let expected = made.map(|made| digest(&body(&made)));
            assert_eq!(held.map(|held| held.digest), expected, "key {k}");
        }
    }
}

fn machine(rules: &Rules) -> Machine {
    Machine::new(Config {
        streams: vec![stream()],
        capabilities: rules.caps.clone(),
        special: std::collections::BTreeMap::new(),
        timing: rules.timing.clone(),
        start: rules.start.clone(),
        budget: rules.budget,
        seed: 1,
    })
}
