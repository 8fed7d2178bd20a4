//! A small vendor, network and journal round the real machine, in virtual time.
//!
//! The behaviour tests script it; the model checker lets it do everything that it may.
#![expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's world: each test file uses its part of it, and a broken script may panic"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod places;

use bytes::Bytes;
use unbroken_core::connector::{
    Ack, Capabilities, Class, Connections, Decoded, Event, Failure, Floor, Item, Numbering, Page,
    Replay, Row, SnapshotKind,
};
use unbroken_core::fold::{Fold, StreamFold};
use unbroken_core::ids::{AppendId, ConnId, Key, Label, RequestId, StreamId, TokenVersion};
use unbroken_core::machine::{
    Budget, Config, Fetch, Input, Machine, Message, Now, Output, Past, Phase, Report, Rung, Start,
    Timing,
};
use unbroken_core::position::Position;
use unbroken_core::record::{Append, Body, Change, Closer, GapClosed, Origin, Record, digest};
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
}

/// One of the vendor's events. Its index is its place in the vendor's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    pub key: u8,
    pub deleted: bool,
    pub epoch: u8,
    pub sequence: u64,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sock {
    pub opened: bool,
    /// `Some(after)` once Subscribe was sent and not yet answered.
    pub asked: Option<Option<u64>>,
    pub subscribed: bool,
    pub mute: bool,
    pub queue: VecDeque<Decoded>,
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
}

pub fn stream() -> StreamId {
    StreamId::from("sim/adherence")
}

pub fn key(index: u8) -> Key {
    Key::new(format!("k{index}"))
}

pub fn body(made: &Made) -> Bytes {
    Bytes::from(format!("k{}@{}:{}", made.key, made.epoch, made.sequence))
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
        };
        world.restore();
        world
    }

    pub fn moment(&self) -> Now {
        let wall = if self.still { 0 } else { self.now.0 as i64 * 1_000 };
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
                    let sock = Sock {
                        opened: false,
                        asked: None,
                        subscribed: false,
                        mute: false,
                        queue: VecDeque::new(),
                    };
                    self.socks.insert(conn, sock);
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
                Output::Send { .. } => {}
                Output::FetchPage { request, what, .. } => self.pages.push((request, what)),
                Output::FetchHistory { request, what, .. } => self.past.push((request, what)),
                Output::Append(mut append) => {
                    if self.still {
                        append.records.retain(|r| !matches!(r.body, Body::Connection(_)));
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
                Output::Halt(halt) => assert_eq!(halt, unbroken_core::machine::Halt::Stopped),
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
        let machine = machine(&self.rules);
        #[cfg(feature = "proof")]
        let machine = machine.with_mutant(self.machine.mutant());
        self.machine = machine;
        self.restore();
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

    pub fn emit(&mut self, key: u8) {
        self.emit_as(key, false);
    }

    pub fn emit_as(&mut self, key: u8, deleted: bool) {
        let step = match self.rules.caps.position {
            Numbering::Increasing => 2,
            Numbering::None | Numbering::Contiguous | Numbering::Opaque => 1,
        };
        let base = self.events.last().filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence);
        let made = Made { key, deleted, epoch: self.epoch, sequence: base + step, at: self.now };
        self.events.push(made);
        let frame = self.frame(&made);
        for sock in self.socks.values_mut().filter(|s| s.subscribed && !s.mute) {
            sock.queue.push_back(frame.clone());
        }
    }

    pub fn frame(&self, made: &Made) -> Decoded {
        let opaque = self.rules.caps.position == Numbering::Opaque;
        let numbered = self.rules.caps.position != Numbering::None && !opaque;
        let payload = body(made);
        let event = Event {
            key: key(made.key),
            sequence: numbered.then_some(made.sequence),
            bookmark: opaque.then(|| bookmark(made.sequence)),
            event_id: None,
            kind: None,
            deleted: made.deleted,
            occurred_at: None,
            digest: if made.deleted { 0 } else { digest(&payload) },
            identity: if made.deleted { 0 } else { digest(&payload) },
            payload: if made.deleted { Bytes::new() } else { payload },
        };
        let epoch = self.epoch_name(made.epoch);
        Decoded { subscription: None, epoch, items: vec![Item::Event(event)] }
    }

    pub fn epoch_name(&self, epoch: u8) -> Option<Label> {
        self.rules.caps.epoch_named.then(|| Label::new(format!("e{epoch}")))
    }

    /// The vendor's numbering begins again; its sockets break.
    pub fn reset_epoch(&mut self) {
        self.epoch += 1;
        self.floor = self.events.len();
        for conn in self.socks.keys().copied().collect::<Vec<_>>() {
            self.break_sock(conn);
        }
    }

    pub fn purge(&mut self) {
        self.floor = self.events.len();
    }

    pub fn head(&self) -> u64 {
        self.events.last().filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence)
    }

    /// The handshake of a socket is accepted.
    pub fn accept(&mut self, conn: ConnId) {
        self.socks.get_mut(&conn).unwrap().opened = true;
        self.give(Input::Opened { conn });
    }

    /// The vendor answers a subscription.
    pub fn answer(&mut self, conn: ConnId) {
        let asked = self.socks.get_mut(&conn).unwrap().asked.take().unwrap();
        let len = self.events.len();
        let start = match asked.filter(|_| self.rules.caps.replay != Replay::None) {
            None => Ok(len),
            Some(after) => {
                let in_epoch = |e: &Made| e.epoch == self.epoch;
                let found = self.events.iter().position(|e| in_epoch(e) && e.sequence > after);
                let start = found.unwrap_or(len);
                let known = after <= self.head();
                match (start >= self.floor && known, self.rules.on_old) {
                    (true, _) => Ok(start),
                    (false, OnOld::Clamp) => Ok(self.floor),
                    (false, _) => Err(()),
                }
            }
        };
        match start {
            Ok(start) => self.subscribe(conn, start),
            Err(()) => self.refuse(conn),
        }
    }

    fn subscribe(&mut self, conn: ConnId, start: usize) {
        let opaque = self.rules.caps.position == Numbering::Opaque;
        let position =
            (self.rules.caps.ack == Ack::WithPosition).then(|| self.sequence_before(start));
        let said = position.filter(|_| opaque).map(|at| Item::Bookmark { at: bookmark(at) });
        let position = position.filter(|_| !opaque);
        let ack = Decoded {
            subscription: None,
            epoch: self.epoch_name(self.epoch),
            items: said.into_iter().chain([Item::Ack { position }]).collect(),
        };
        let replay: Vec<_> = self.events[start..].iter().map(|made| self.frame(made)).collect();
        let sock = self.socks.get_mut(&conn).unwrap();
        sock.subscribed = true;
        if self.rules.caps.ack != Ack::None {
            sock.queue.push_back(ack);
        }
        if !sock.mute {
            sock.queue.extend(replay);
        }
    }

    fn sequence_before(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).and_then(|i| self.events.get(i));
        before.filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence)
    }

    fn refuse(&mut self, conn: ConnId) {
        let floor =
            (self.rules.on_old == OnOld::RefuseWithFloor).then(|| self.sequence_before(self.floor));
        let what = Label::from("stale");
        let failure = Failure { class: Class::Stale { floor }, code: None, what };
        let refusal = Decoded { items: vec![Item::Refusal(failure)], ..Decoded::default() };
        self.socks.get_mut(&conn).unwrap().queue.push_back(refusal);
    }

    /// The next frame of a socket arrives.
    pub fn deliver(&mut self, conn: ConnId) {
        let decoded = self.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        for item in &decoded.items {
            if let Item::Event(event) = item {
                let made = self.events.iter().find(|made| body(made) == event.payload);
                self.received.extend(made.map(|made| (made.epoch, made.sequence)));
            }
        }
        self.give(Input::Frame { conn, decoded });
    }

    pub fn break_sock(&mut self, conn: ConnId) {
        self.socks.remove(&conn);
        let what = Label::from("reset");
        let failure = Failure { class: Class::Retry { after_ms: None }, code: None, what };
        self.give(Input::Closed { conn, by: Closer::Transport, failure });
    }

    /// The vendor answers the oldest page request as of its log's first `upto` events.
    pub fn page(&mut self, upto: usize) {
        let (request, what) = self.pages.remove(0);
        let page = self.page_at(upto, what != Fetch::Head);
        self.give(Input::Page { request, page });
    }

    pub fn page_at(&self, upto: usize, rows: bool) -> Page {
        let positioned = self.rules.caps.snapshot == SnapshotKind::Positioned;
        let state = self.truth(upto);
        let rows = state.iter().filter(|_| rows).filter_map(|(k, made)| made.map(|m| (k, m)));
        let rows: Vec<Row> = rows
            .map(|(k, made)| Row {
                key: key(*k),
                version: None,
                occurred_at: None,
                digest: digest(&body(&made)),
                payload: body(&made),
            })
            .collect();
        let epoch = upto.checked_sub(1).map_or(self.epoch, |i| self.events[i].epoch);
        let epoch = if upto == self.events.len() { self.epoch } else { epoch };
        let tag = self.events[..upto].last().filter(|e| e.epoch == epoch).map_or(0, |e| e.sequence);
        let opaque = self.rules.caps.position == Numbering::Opaque;
        Page {
            epoch: self.epoch_name(epoch),
            tag: (positioned && !opaque).then_some(tag),
            bookmark: (positioned && opaque).then(|| bookmark(tag)),
            total: Some(rows.len() as u64),
            rows,
            ..Page::default()
        }
    }

    /// How many events any answer of the snapshot shows at least: it is no older than declared.
    pub fn surely_shown(&self) -> usize {
        let staleness_ms = self.rules.caps.snapshot_staleness_ms_max;
        self.events.iter().take_while(|e| e.at + staleness_ms <= self.now).count()
    }

    /// The vendor's state after its first `upto` events.
    pub fn truth(&self, upto: usize) -> BTreeMap<u8, Option<Made>> {
        let mut state = BTreeMap::new();
        for made in &self.events[..upto] {
            state.insert(made.key, (!made.deleted).then_some(*made));
        }
        state
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
