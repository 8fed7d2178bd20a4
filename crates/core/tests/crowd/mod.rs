//! Many machines and one vendor, in virtual time: who asks the vendor for what, and when.

#![expect(unreachable_pub, reason = "a test's tool")]

use std::collections::BTreeMap;
use std::fmt::Write;

use unbroken_core::connector::{
    Ack, Capabilities, Class, Decoded, Failure, Item, Numbering, Page, Replay, SnapshotKind,
};
use unbroken_core::ids::{ConnId, Label, StreamId};
use unbroken_core::machine::{
    Allowance, Budget, Config, Input, Machine, Message, Now, Output, Phase, Start, Timing,
};
use unbroken_core::record::Closer;
use unbroken_core::time::{Millis, UnixMicros};

/// One way, each way.
const ROAD_MS: u64 = 20;
const DISK_MS: u64 = 2;
const TOKEN_LIFE_MS: u64 = 3_600_000;
/// Where the vendor's stream stands; nothing happens on it.
const HEAD: u64 = 100;

/// Something that the vendor was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Handshake,
    Page,
    Token,
}

impl Call {
    pub fn allowance(self) -> Allowance {
        match self {
            Self::Handshake => Allowance::Handshakes,
            Self::Page | Self::Token => Allowance::Requests,
        }
    }
}

/// When somebody asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub at: Millis,
    pub client: usize,
    pub call: Call,
}

struct Client {
    machine: Machine,
    /// What is on its way to it.
    coming: BTreeMap<(Millis, u64), Input>,
    deadline: Option<Millis>,
    conns: Vec<ConnId>,
}

/// See the module.
pub struct Crowd {
    pub now: Millis,
    pub asked: Vec<Asked>,
    clients: Vec<Client>,
    is_down: bool,
    order: u64,
}

fn stream() -> StreamId {
    StreamId::from("crowd/adherence")
}

fn capabilities() -> Capabilities {
    Capabilities {
        position: Numbering::Contiguous,
        replay: Replay::FromPosition,
        ack: Ack::WithPosition,
        snapshot: SnapshotKind::Positioned,
        rest_first: true,
        token_needed: true,
        ..Capabilities::default()
    }
}

fn failure() -> Failure {
    let class = Class::Retry { after_ms: None };
    Failure { class, code: None, what: Label::from("refused") }
}

impl Crowd {
    /// So many machines, seeded by `seed_of`, all started at once.
    pub fn new(
        count: usize,
        timing: &Timing,
        budget: Budget,
        seed_of: impl Fn(usize) -> u64,
    ) -> Self {
        let machine = |number| {
            Machine::new(Config {
                streams: vec![stream()],
                capabilities: capabilities(),
                special: std::collections::BTreeMap::new(),
                timing: timing.clone(),
                budget,
                start: Start::Initial,
                seed: seed_of(number),
            })
        };
        let client = |number| Client {
            machine: machine(number),
            coming: BTreeMap::new(),
            deadline: None,
            conns: Vec::new(),
        };
        let clients = (0..count).map(client).collect();
        let mut crowd =
            Self { now: Millis(0), asked: Vec::new(), clients, is_down: false, order: 0 };
        for number in 0..count {
            crowd.give(number, Input::Restored { streams: Vec::new(), next_offset: 0 });
        }
        crowd
    }

    /// Takes a guard out of every machine.
    #[cfg(feature = "proof")]
    pub fn take_out(&mut self, mutant: Option<unbroken_core::machine::Mutant>) {
        for client in &mut self.clients {
            client.machine = client.machine.clone().with_mutant(mutant);
        }
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Millis) {
        loop {
            let next = |client: &Client| {
                let coming = client.coming.keys().next().map(|(at, _)| *at);
                [coming, client.deadline].into_iter().flatten().min()
            };
            let nexts = self.clients.iter().enumerate();
            let first = nexts.filter_map(|(number, client)| Some((next(client)?, number))).min();
            let Some((at, number)) = first.filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            let input = match self.clients[number].coming.first_entry() {
                Some(entry) if entry.key().0 <= self.now => entry.remove(),
                _ => Input::Tick,
            };
            self.give(number, input);
        }
    }

    /// Every open socket breaks.
    pub fn cut(&mut self) {
        for number in 0..self.clients.len() {
            for conn in std::mem::take(&mut self.clients[number].conns) {
                let closed = Input::Closed { conn, by: Closer::Transport, failure: failure() };
                self.give(number, closed);
            }
        }
    }

    /// The vendor goes, with every socket, or comes back.
    pub fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
        if is_down {
            self.cut();
        }
    }

    pub fn live_count(&self) -> usize {
        let phases = self.clients.iter().map(|client| client.machine.phase(&stream()));
        phases.filter(|phase| matches!(phase, Some(Phase::Live { .. }))).count()
    }

    fn give(&mut self, number: usize, input: Input) {
        let wall = UnixMicros(i64::try_from(self.now.0).unwrap_or(0) * 1_000);
        let now = Now { at: self.now, wall };
        self.clients[number].machine.handle_input(now, input);
        loop {
            let output = self.clients[number].machine.poll_output();
            if let Output::Wait { deadline, .. } = output {
                self.clients[number].deadline = deadline;
                return;
            }
            self.perform(number, output);
        }
    }

    fn perform(&mut self, number: usize, output: Output) {
        let is_down = self.is_down;
        match output {
            Output::Authorize { version } => {
                let expires_at = Some(self.now + TOKEN_LIFE_MS);
                let answer = match is_down {
                    true => Input::TokenRefused { version, failure: failure() },
                    false => Input::TokenReady { version, expires_at },
                };
                self.ask(number, Call::Token, answer);
            }
            Output::FetchPage { request, .. } => {
                let page = Page { tag: Some(HEAD), total: Some(0), ..Page::default() };
                let answer = match is_down {
                    true => Input::PageFailed { request, failure: failure() },
                    false => Input::Page { request, page },
                };
                self.ask(number, Call::Page, answer);
            }
            Output::FetchHistory { .. } => panic!("no history is declared"),
            Output::Open { conn, .. } => {
                let answer = match is_down {
                    true => Input::Refused { conn, failure: failure() },
                    false => Input::Opened { conn },
                };
                if !is_down {
                    self.clients[number].conns.push(conn);
                }
                self.ask(number, Call::Handshake, answer);
            }
            Output::Close { conn, .. } => self.clients[number].conns.retain(|open| *open != conn),
            Output::Send { conn, message } => {
                let items = match message {
                    Message::Subscribe { .. } => vec![Item::Ack { position: Some(HEAD) }],
                    Message::Unsubscribe | Message::Ping => Vec::new(),
                };
                let decoded = Decoded { items, ..Decoded::default() };
                self.send(number, 2 * ROAD_MS, Input::Frame { conn, decoded });
            }
            Output::Append(append) => {
                self.send(number, DISK_MS, Input::Appended { append: append.id });
            }
            Output::Halt(_) | Output::Report(_) | Output::Wait { .. } => {}
        }
    }

    fn ask(&mut self, client: usize, call: Call, answer: Input) {
        self.asked.push(Asked { at: self.now + ROAD_MS, client, call });
        self.send(client, 2 * ROAD_MS, answer);
    }

    fn send(&mut self, number: usize, after_ms: u64, input: Input) {
        self.order += 1;
        self.clients[number].coming.insert((self.now + after_ms, self.order), input);
    }

    /// Calls of one kind in each second from `from` on.
    pub fn per_second(&self, call: Call, from: Millis) -> Vec<u64> {
        let mut seconds = vec![0; (self.now.since(from) / 1_000 + 1) as usize];
        for asked in self.asked.iter().filter(|asked| asked.call == call && asked.at >= from) {
            if let Some(count) = seconds.get_mut((asked.at.since(from) / 1_000) as usize) {
                *count += 1;
            }
        }
        seconds
    }

    /// The first window in which a client asked for more than its budget allows, if there is one:
    /// more than the burst and one for each interval that has passed.
    pub fn over_budget(&self, budget: &Budget, allowance: Allowance) -> Option<String> {
        let (per_minute, burst) = match allowance {
            Allowance::Handshakes => (budget.handshakes_per_minute, budget.handshakes_burst),
            Allowance::Requests => (budget.requests_per_minute, budget.requests_burst),
        };
        let (per_minute, burst) = (u64::from(per_minute), u64::from(burst));
        for client in 0..self.clients.len() {
            let ours = |a: &&Asked| a.client == client && a.call.allowance() == allowance;
            let moments: Vec<u64> = self.asked.iter().filter(ours).map(|a| a.at.0).collect();
            for (first, from) in moments.iter().enumerate() {
                for (last, to) in moments.iter().enumerate().skip(first) {
                    let (count, window_ms) = ((last - first + 1) as u64, to - from);
                    if count > burst + window_ms * per_minute / 60_000 {
                        return Some(format!("client {client}: {count} in {window_ms} ms"));
                    }
                }
            }
        }
        None
    }

    /// Second by second, for people.
    pub fn table(&self, from: Millis, seconds: usize, budget: &Budget) -> String {
        let mut text = String::from("  second  handshakes  pages  tokens\n");
        let of = |call| self.per_second(call, from);
        let (handshakes, pages, tokens) = (of(Call::Handshake), of(Call::Page), of(Call::Token));
        let count = self.clients.len() as u64;
        for second in 0..seconds.min(handshakes.len()) {
            let _ = writeln!(
                text,
                "  {second:>6}  {:>10}  {:>5}  {:>6}",
                handshakes[second], pages[second], tokens[second]
            );
        }
        let _ = writeln!(
            text,
            "  budget of {count}: {} handshakes at once and {:.1} a second; {} requests and \
             {:.1} a second",
            count * u64::from(budget.handshakes_burst),
            count as f64 * f64::from(budget.handshakes_per_minute) / 60.0,
            count * u64::from(budget.requests_burst),
            count as f64 * f64::from(budget.requests_per_minute) / 60.0,
        );
        text
    }
}
