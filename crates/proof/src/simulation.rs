//! The whole pipeline in one thread and in virtual time, minus the real I/O.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::BytesMut;
use unbroken_connect::SourceConfig;
use unbroken_connect::source::Source;
use unbroken_connect::transport::SocketEvent;
use unbroken_core::ids::StreamId;
use unbroken_core::machine::{Halt, Input, Machine, Now};
use unbroken_core::record::Closer;
use unbroken_sim::{Heard, Turn, VirtualVendor};

use crate::agenda::{Agenda, Micros};
use crate::clocks::{Clocks, ORIGIN_US};
use crate::director::Director;
use crate::driver::{Brought, Driver, Next};
use crate::errands::{Errand, Reached};
use crate::error::ProofError;
use crate::frames;
use crate::log::{Archive, Commit, Log, PROGRESS_LINGER_US};
use crate::mutant::ChosenMutant;
use crate::network::{Carried, Network, Uttered};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::setting::STREAM;
use crate::witness::Witness;

/// Between two looks of the vendor at what is due: short against its heartbeat and all of our
/// timers.
const TICK_US: Micros = 10_000;

/// Most events of one moment: more mean that somebody turns in a circle.
const STANDING_MAX: u32 = 100_000;

/// What will happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The vendor looks at what is due, and the director at the plan.
    Tick,
    /// Something comes to us on a road.
    Down(u64),
    /// Something comes to the vendor on a road.
    Up(u64),
    /// The vendor loses a connection of which it was not told.
    Lost(u64),
    /// A request reaches the vendor.
    Reaches(u64),
    /// The vendor lets an answer go that it has held back.
    Paced(u64, Box<Reached>),
    /// An answer reaches us.
    Answered(u64, Box<Reached>),
    /// An answer is not waited for any more.
    Late(u64),
    /// The machine's deadline, unless another is set.
    Wake(u64),
    /// A commit is done.
    Synced(u32),
    /// A batch of progress has been open for long enough.
    Lingered(u32),
    /// A process begins.
    Start,
    /// A sleep is over.
    Awake,
    /// The n-th fault of the present step.
    Blow(usize, usize),
    /// A person does something.
    Person(Box<Input>),
    /// The disk has room again.
    Room,
}

/// One life of the program.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) driver: Driver,
    pub(crate) log: Log,
    born_us: Micros,
    /// The monotonic clock at its beginning.
    origin_us: Micros,
    generation: u32,
}

/// See the module.
pub(crate) struct Simulation {
    pub(crate) plan: Plan,
    pub(crate) source: Rc<Source>,
    pub(crate) stream: StreamId,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) vendor: VirtualVendor,
    pub(crate) network: Network,
    pub(crate) clocks: Clocks,
    pub(crate) archive: Archive,
    pub(crate) process: Option<Process>,
    pub(crate) director: Director,
    pub(crate) witness: Witness,
    pub(crate) errands: BTreeMap<u64, Errand>,
    pub(crate) errand_last: u64,
    /// Asleep since then; whether the monotonic clock stands still.
    pub(crate) asleep: Option<(Micros, bool)>,
    /// What could not be told while asleep.
    missed: Vec<Event>,
    wake: (Option<Micros>, u64),
    generation: u32,
    /// Decides what the disk does.
    pub(crate) dice: fastrand::Rng,
    pub(crate) disk_slow_until_us: Micros,
    /// The disk has no room until somebody makes some.
    pub(crate) disk_full_bytes: Option<u64>,
    /// The power will go at some operation of the disk: with this seed for what stays.
    pub(crate) power_fails: Option<u64>,
    /// The last stop was asked for, and went well.
    pub(crate) has_stopped: bool,
    pub(crate) chosen: ChosenMutant,
    is_over: bool,
    /// Events at the present moment.
    standing: u32,
}

impl Simulation {
    /// A world at its beginning.
    pub(crate) fn new(plan: Plan, chosen: ChosenMutant) -> Result<Self, ProofError> {
        let setting = plan.setting;
        let config: SourceConfig =
            toml::from_str(&setting.source()).map_err(ProofError::Configuration)?;
        let source = Source::new(config).map_err(|error| ProofError::Source(Box::new(error)))?;
        let vendor =
            VirtualVendor::new(setting.vendor(plan.seed), ORIGIN_US).map_err(ProofError::Vendor)?;
        Ok(Self {
            source: Rc::new(source),
            stream: StreamId::from(STREAM),
            agenda: Agenda::new(),
            vendor,
            network: Network::new(plan.seed, setting.latency_us),
            clocks: Clocks::new(),
            archive: Archive::new(setting.segment_bytes),
            process: None,
            director: Director::new(&plan),
            witness: Witness::new(),
            errands: BTreeMap::new(),
            errand_last: 0,
            asleep: None,
            missed: Vec::new(),
            wake: (None, 0),
            generation: 0,
            dice: fastrand::Rng::with_seed(plan.seed ^ 0xd15c),
            disk_slow_until_us: 0,
            disk_full_bytes: None,
            power_fails: None,
            has_stopped: false,
            chosen,
            is_over: false,
            standing: 0,
            plan,
        })
    }

    /// Plays the plan to its end, or to the first thing that is wrong.
    pub(crate) fn run(mut self) -> Outcome {
        self.agenda.at(0, Event::Start);
        self.agenda.at(TICK_US, Event::Tick);
        while !self.is_over && self.witness.violation.is_none() {
            let before_us = self.agenda.now_us();
            let Some(event) = self.agenda.pop() else { break };
            let now_us = self.agenda.now_us();
            self.standing = if now_us == before_us { self.standing + 1 } else { 0 };
            if self.standing > STANDING_MAX {
                self.witness.blame("TimeGoesOn", format!("at {now_us} us, with {event:?}"));
            }
            self.vendor.set_time(now_us);
            self.clocks.set(now_us);
            self.handle(event);
        }
        Outcome::of(self)
    }

    /// The plan has been played, and everything has come to rest.
    pub(crate) fn finish(&mut self) {
        self.is_over = true;
    }

    fn handle(&mut self, event: Event) {
        if self.asleep.is_some() && event.is_for_a_process() {
            self.missed.push(event);
            return;
        }
        match event {
            Event::Tick => {
                self.vendor.tick();
                for stream in self.vendor.streams() {
                    self.pump(stream);
                }
                self.direct();
                self.agenda.after(TICK_US, Event::Tick);
            }
            Event::Down(road) => self.come_down(road),
            Event::Up(road) => self.come_up(road),
            Event::Lost(stream) => self.vendor.broken(stream),
            Event::Reaches(errand) => self.reach(errand),
            Event::Paced(errand, reached) => {
                self.vendor.paced();
                self.answer(errand, *reached);
            }
            Event::Answered(errand, reached) => self.answered(errand, *reached),
            Event::Late(errand) => self.late(errand),
            Event::Wake(version) if version == self.wake.1 => {
                self.wake.0 = None;
                self.tell(Input::Tick);
            }
            Event::Synced(generation) if self.is_present(generation) => self.synced(),
            Event::Lingered(generation) if self.is_present(generation) => self.commit(true),
            Event::Start => self.start(),
            Event::Awake => self.awake(),
            Event::Blow(step, nth) => self.strike(step, nth),
            Event::Person(input) => self.tell(*input),
            Event::Room => self.make_room(),
            Event::Wake(_) | Event::Synced(_) | Event::Lingered(_) => {}
        }
    }

    fn is_present(&self, generation: u32) -> bool {
        self.process.as_ref().is_some_and(|process| process.generation == generation)
    }

    /// The moment as the process sees it.
    pub(crate) fn now(&self) -> Now {
        let origin_us = self.process.as_ref().map_or(0, |process| process.origin_us);
        self.clocks.now(self.agenda.now_us(), origin_us)
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.turn(|driver, now, witness| Some(driver.tell(now, input, witness)));
    }

    /// An errand of the present process has come to something.
    pub(crate) fn bring(&mut self, brought: Brought) {
        self.turn(|driver, now, witness| Some(driver.tell_brought(now, brought, witness)));
    }

    /// One turn of the driver's loop: something is told, then everything is done that follows.
    fn turn(&mut self, tell: impl FnOnce(&mut Driver, Now, &mut Witness) -> Option<Next>) {
        let now = self.now();
        let Some(process) = &mut self.process else { return };
        let was_reading = process.driver.is_reading;
        let next = tell(&mut process.driver, now, &mut self.witness);
        process.driver.hand_over();
        let acts = std::mem::take(&mut process.driver.acts);
        let resumes = process.driver.is_reading && !was_reading;
        let origin_us = process.origin_us;
        for act in acts {
            self.act(act);
        }
        match next {
            Some(Next::Halt(halt)) => return self.halted(&halt),
            Some(Next::Wait(deadline)) => {
                let at_us = deadline.map(|at| self.clocks.when(at, origin_us));
                self.set_wake(at_us);
            }
            None => {}
        }
        self.commit(false);
        if resumes {
            let now_us = self.agenda.now_us();
            for road in self.network.roads.keys().copied() {
                self.agenda.at(now_us, Event::Down(road));
            }
        }
    }

    fn set_wake(&mut self, at_us: Option<Micros>) {
        if self.wake.0 == at_us {
            return;
        }
        self.wake = (at_us, self.wake.1 + 1);
        if let Some(at_us) = at_us {
            self.agenda.at(at_us, Event::Wake(self.wake.1));
        }
    }

    /// Begins a commit if there is something to commit and none is under way.
    fn commit(&mut self, lingered: bool) {
        let Some(process) = &mut self.process else { return };
        let (before, generation) = (process.log.commit, process.generation);
        match process.log.gather(lingered) {
            Commit::UnderWay if before != Commit::UnderWay => {
                let mut sync_us = self.plan.setting.sync_us;
                sync_us += self.dice.u64(0..=sync_us);
                if self.agenda.now_us() < self.disk_slow_until_us {
                    sync_us += self.dice.u64(200_000..1_200_000);
                }
                self.agenda.after(sync_us, Event::Synced(generation));
            }
            Commit::Lingering if before != Commit::Lingering => {
                self.agenda.after(PROGRESS_LINGER_US, Event::Lingered(generation));
            }
            Commit::Idle | Commit::Lingering | Commit::UnderWay => {}
        }
    }

    fn synced(&mut self) {
        let now_us = self.agenda.now_us();
        let Some(process) = &mut self.process else { return };
        let input = match process.log.finish(&mut self.archive, now_us) {
            Ok(append) => Input::Appended { append },
            Err(error) => Input::AppendFailed { what: error.to_string() },
        };
        self.tell(input);
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let now_us = self.agenda.now_us();
        self.arm_disk();
        let opening = match self.archive.open() {
            Ok(opening) => opening,
            Err(error) => return self.not_opened(&error),
        };
        let fold = opening.restored.streams.get(&self.stream);
        self.witness.restored(fold, self.archive.last_events());
        self.generation += 1;
        let seed = self.plan.seed ^ (u64::from(self.generation) << 32);
        let machine = self.chosen.put_in(Machine::new(self.source.machine_config(seed)));
        let streams = opening.restored.streams.into_iter().collect();
        let restored = Input::Restored { streams, next_offset: opening.next_offset };
        self.wake = (None, self.wake.1 + 1);
        self.process = Some(Process {
            driver: Driver::new(Rc::clone(&self.source), machine),
            log: opening.log,
            born_us: now_us,
            origin_us: self.clocks.monotonic(now_us),
            generation: self.generation,
        });
        self.tell(restored);
    }

    /// The driver has ended by itself.
    fn halted(&mut self, halt: &Halt) {
        match halt {
            Halt::Stopped => {
                let Some(process) = self.end_process() else { return };
                self.compare(&process);
                self.archive.deaths.push((process.born_us, self.agenda.now_us(), true));
                if let Err(error) = process.log.close() {
                    if self.is_disk_to_blame() {
                        return self.fail_disk();
                    }
                    self.witness.blame("CleanStop", error.to_string());
                }
                self.archive.disk.kill();
                self.has_stopped = true;
                self.stopped();
            }
            Halt::Journal { what } => {
                if !self.is_disk_to_blame() {
                    self.witness.blame("JournalWrites", what.clone());
                }
                drop(self.kill_process());
                self.fail_disk();
            }
        }
    }

    /// The process is gone, with all that it had open. Its log is not closed.
    pub(crate) fn end_process(&mut self) -> Option<Process> {
        let process = self.process.take()?;
        self.witness.ended();
        self.errands.clear();
        self.missed.clear();
        if let Some((since_us, stood)) = self.asleep.take() {
            self.clocks.slept(since_us, self.agenda.now_us(), stood);
        }
        self.wake = (None, self.wake.1 + 1);
        Some(process)
    }

    /// The process dies.
    pub(crate) fn kill_process(&mut self) -> Option<Process> {
        let process = self.end_process()?;
        self.archive.deaths.push((process.born_us, self.agenda.now_us(), false));
        Some(process)
    }

    /// The system closes what a process had open.
    pub(crate) fn close_roads(&mut self) {
        for id in self.network.roads.keys().copied().collect::<Vec<_>>() {
            self.leave(id);
        }
    }

    /// Our end of a road is closed without a word.
    pub(crate) fn leave(&mut self, id: u64) {
        let Some(road) = self.network.roads.get_mut(&id) else { return };
        if road.conn.take().is_some() {
            self.utter(id, Uttered::Gone);
        }
    }

    pub(crate) fn utter(&mut self, id: u64, what: Uttered) {
        if let Some(at_us) = self.network.send_up(self.agenda.now_us(), id, what) {
            self.agenda.at(at_us, Event::Up(id));
        }
    }

    /// Carries what the vendor writes on a stream now.
    pub(crate) fn pump(&mut self, stream: u64) {
        let mut out = BytesMut::new();
        let turn = self.vendor.turn(stream, &mut out);
        let now_us = self.agenda.now_us();
        let Some(id) = self.network.road_to(stream) else {
            return self.vendor.broken(stream);
        };
        let bytes = (!out.is_empty()).then(|| Carried::Bytes(out.freeze()));
        let end = match turn {
            Turn::GoesOn => None,
            Turn::Over => Some(Carried::End(false)),
            Turn::Reset => Some(Carried::End(true)),
        };
        if end.is_some()
            && let Some(road) = self.network.roads.get_mut(&id)
        {
            road.stream = None;
        }
        for what in bytes.into_iter().chain(end) {
            if let Some(at_us) = self.network.send_down(now_us, id, what) {
                self.agenda.at(at_us, Event::Down(id));
            }
        }
        self.network.sweep();
    }

    fn come_up(&mut self, id: u64) {
        let now_us = self.agenda.now_us();
        while let Some(road) = self.network.roads.get_mut(&id)
            && let Some((_, what)) = road.up.pop_front_if(|(at_us, _)| *at_us <= now_us)
        {
            let Some(stream) = road.stream else { continue };
            match what {
                Uttered::Heard(heard) => {
                    self.vendor.hear(stream, heard);
                    self.pump(stream);
                }
                Uttered::Gone => {
                    road.stream = None;
                    self.vendor.broken(stream);
                }
            }
        }
        self.network.sweep();
    }

    fn come_down(&mut self, id: u64) {
        let now_us = self.agenda.now_us();
        while let Some(road) = self.network.roads.get_mut(&id)
            && let Some((_, what)) = road.down.pop_front_if(|(at_us, _)| *at_us <= now_us)
        {
            match what {
                Carried::Opened(errand) => self.opened(id, errand),
                Carried::Bytes(bytes) => road.reader.feed(&bytes),
                Carried::End(reset) => road.ended = Some(reset),
            }
        }
        self.read(id);
    }

    /// Reads everything that has come on a road, unless reading has stopped.
    fn read(&mut self, id: u64) {
        let is_reading = self.process.as_ref().is_some_and(|process| process.driver.is_reading);
        let Some(road) = self.network.roads.get_mut(&id) else { return };
        let Some(conn) = road.conn.filter(|_| road.is_open) else {
            if road.ended.is_some() && road.conn.is_none() {
                self.utter(id, Uttered::Gone);
            }
            return;
        };
        if !is_reading {
            return;
        }
        let (mut events, mut pings) = (Vec::new(), Vec::new());
        while let Some(brought) = road.reader.next() {
            match brought {
                frames::Brought::Ping(payload) => {
                    pings.push(payload);
                    events.push(SocketEvent::Alive);
                }
                frames::Brought::Event(event) => events.push(event),
            }
        }
        if let Some(reset) = road.ended
            && !matches!(events.last(), Some(SocketEvent::Ended(_)))
        {
            events.push(frames::broken(reset));
        }
        for payload in pings {
            self.utter(id, Uttered::Heard(Heard::Pong(payload)));
        }
        if let Some(SocketEvent::Ended(ended)) = events.last() {
            // A close frame is echoed.
            if ended.by == Closer::Vendor {
                let code = ended.code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
                self.utter(id, Uttered::Heard(Heard::Close(code)));
            }
            self.leave(id);
        }
        if !events.is_empty() {
            self.turn(|driver, now, witness| {
                let mut last = None;
                for event in events {
                    let Some(next) = driver.tell_event(now, conn, event, witness) else { continue };
                    let halted = matches!(next, Next::Halt(_));
                    last = Some(next);
                    if halted {
                        break;
                    }
                }
                last
            });
        }
    }

    fn awake(&mut self) {
        let Some((since_us, stood)) = self.asleep.take() else { return };
        let now_us = self.agenda.now_us();
        self.clocks.slept(since_us, now_us, stood);
        // In the order of the driver's loop: the log, answers, time, sockets.
        let mut missed = std::mem::take(&mut self.missed);
        missed.sort_by_key(Event::rank);
        if let Some(at_us) = self.wake.0.take() {
            self.set_wake(Some(if stood { at_us + (now_us - since_us) } else { at_us }));
        }
        for event in missed {
            self.handle(event);
        }
    }
}

impl Event {
    /// Whether a process has to be awake for it.
    fn is_for_a_process(&self) -> bool {
        matches!(
            self,
            Self::Down(_)
                | Self::Answered(..)
                | Self::Late(_)
                | Self::Wake(_)
                | Self::Synced(_)
                | Self::Lingered(_)
                | Self::Person(_)
        )
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Synced(_) | Self::Lingered(_) | Self::Person(_) => 0,
            Self::Answered(..) | Self::Late(_) => 1,
            Self::Wake(_) => 2,
            _ => 3,
        }
    }
}
