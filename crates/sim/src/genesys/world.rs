//! What happens in the account, and all that ever did.

use std::sync::Arc;

use bytes::Bytes;

use super::Settings;
use super::conversation::{AGENT, Conversation, Stage};
use super::roster::Roster;
use super::standing::{Changed, Standing};
use super::topic::Topic;
use super::wire;
use crate::SimError;
use crate::truth::{Recorder, Truth, TruthEvent, TruthFact, TruthRow};
use crate::world::Clock;

/// Most steps in one tick: after a stall the world catches up in several.
const TICK_STEPS_MAX: u32 = 2_000;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Adherence,
    Presence,
    Routing,
    Activity,
    /// Number of the conversation.
    Conversation(usize),
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) wall_us: i64,
    pub(super) kind: Kind,
    pub(super) agent: usize,
    /// The agent has left its unit, or nobody takes part in the conversation any more.
    pub(super) is_removal: bool,
    pub(super) body: Bytes,
    /// As a REST row; of adherence alone.
    pub(super) row: Option<Bytes>,
}

/// The vendor's world.
#[derive(Debug)]
pub(super) struct World {
    settings: Arc<Settings>,
    clock: Clock,
    rng: fastrand::Rng,
    pub(super) roster: Roster,
    pub(super) conversations: Vec<Conversation>,
    pub(super) events: Vec<Event>,
    pub(super) recorder: Recorder,
    /// Conversations that began since somebody last looked.
    pub(super) begun: Vec<usize>,
    emitting: bool,
    began_us: i64,
    paced: u64,
    churned_us: i64,
}

impl World {
    pub(super) fn new(settings: Arc<Settings>, clock: Clock) -> Result<Self, SimError> {
        let mut rng = fastrand::Rng::with_seed(settings.vendor.seed);
        let now_us = clock.wall_us();
        let mut world = Self {
            roster: Roster::new(&settings, now_us, &mut rng),
            recorder: Recorder::new(&settings.vendor)?,
            rng,
            clock,
            conversations: Vec::new(),
            events: Vec::new(),
            begun: Vec::new(),
            emitting: true,
            began_us: now_us,
            paced: 0,
            churned_us: now_us,
            settings,
        };
        world.recorder.epoch("");
        // What the baseline shows has a beginning in the ledger; of the rest only the stream tells.
        for agent in 0..world.roster.agents.len() {
            world.emit_adherence(agent);
        }
        Ok(world)
    }

    pub(super) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Makes the events that are due by now.
    pub(super) fn tick(&mut self) {
        if !self.emitting {
            return;
        }
        self.churn();
        let due = self.due();
        for _ in 0..TICK_STEPS_MAX {
            if self.paced >= due {
                return;
            }
            let before = self.len();
            self.step();
            self.paced += self.len() - before;
        }
    }

    /// Now and then somebody comes and somebody goes.
    fn churn(&mut self) {
        let churn_us = i64::try_from(self.settings.vendor.churn_ms).unwrap_or(0) * 1_000;
        let now_us = self.clock.wall_us();
        if churn_us > 0 && now_us - self.churned_us >= churn_us {
            self.churned_us = now_us;
            self.change_agents(1);
        }
    }

    /// Stops for good.
    pub(super) fn stop(&mut self) {
        self.emitting = false;
    }

    fn due(&self) -> u64 {
        let elapsed = (self.clock.wall_us() - self.began_us) as f64 / 1_000_000.0;
        (elapsed * self.settings.vendor.rate) as u64
    }

    /// Events that are due and not made yet.
    pub(super) fn backlog(&self) -> u64 {
        self.due().saturating_sub(self.paced)
    }

    /// So many agents take a step.
    pub(super) fn burst(&mut self, count: u64) {
        for _ in 0..count {
            self.step();
        }
    }

    fn step(&mut self) {
        if self.roster.agents.is_empty() {
            return;
        }
        let agent = self.rng.usize(0..self.roster.agents.len());
        let now_us = self.now_us();
        let of = &mut self.roster.agents[agent];
        if !of.is_present {
            return;
        }
        match of.conversation {
            Some(number) => self.advance(agent, number, now_us),
            None if of.standing.is_idle() && self.rng.u8(0..5) < 3 => self.begin(agent, now_us),
            None => {
                let changed = of.standing.step(now_us, &mut self.rng);
                self.emit_changes(agent, changed);
            }
        }
    }

    /// Of those who have left so many come back, and as many others leave.
    pub(super) fn change_agents(&mut self, count: usize) {
        let with = |is_present: bool| {
            let agents = self.roster.agents.iter().enumerate();
            let free = agents.filter(move |(_, agent)| {
                agent.is_present == is_present && agent.conversation.is_none()
            });
            free.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (mut absent, mut present) = (with(false), with(true));
        self.rng.shuffle(&mut absent);
        self.rng.shuffle(&mut present);
        let now_us = self.now_us();
        for agent in absent.into_iter().take(count) {
            let queue_count = self.roster.queues.len();
            let of = &mut self.roster.agents[agent];
            of.is_present = true;
            of.standing = Standing::begin(now_us, queue_count, &mut self.rng);
            self.emit_adherence(agent);
        }
        for agent in present.into_iter().take(count) {
            self.roster.agents[agent].is_present = false;
            self.emit_adherence(agent);
        }
    }

    fn begin(&mut self, agent: usize, now_us: i64) {
        let of = &mut self.roster.agents[agent];
        let queue = of.standing.queues.first().copied().unwrap_or(0);
        let number = self.conversations.len();
        of.conversation = Some(number);
        self.conversations.push(Conversation::begin(agent, queue, now_us, &mut self.rng));
        self.begun.push(number);
        self.note_facts(number);
        self.emit_conversation(agent, number);
    }

    fn advance(&mut self, agent: usize, number: usize, now_us: i64) {
        let conversation = &mut self.conversations[number];
        let routing = conversation.advance(now_us, &mut self.rng);
        let is_over = conversation.stage == Stage::Over;
        self.note_facts(number);
        self.emit_conversation(agent, number);
        let of = &mut self.roster.agents[agent];
        if is_over {
            of.conversation = None;
        }
        let routing = of.standing.route(routing, now_us);
        self.emit_changes(agent, Changed { presence: false, routing });
    }

    fn emit_changes(&mut self, agent: usize, changed: Changed) {
        let of = &self.roster.agents[agent];
        if changed.presence {
            let body = wire::presence(of);
            self.emit(Kind::Presence, agent, body, None);
        }
        if changed.routing {
            let body = wire::routing(&self.roster.agents[agent]);
            self.emit(Kind::Routing, agent, body, None);
        }
        if changed.presence || changed.routing {
            let body = wire::activity(&self.roster.agents[agent], &self.roster);
            self.emit(Kind::Activity, agent, body, None);
        }
        self.emit_adherence(agent);
    }

    fn emit_conversation(&mut self, agent: usize, number: usize) {
        let body = wire::conversation(&self.conversations[number], &self.roster);
        self.emit(Kind::Conversation(number), agent, body, None);
    }

    /// The agent's whole state, if it is another one than before.
    fn emit_adherence(&mut self, agent: usize) {
        let of = &self.roster.agents[agent];
        let body = wire::adherence_update(of, &self.roster);
        let last = of.events.last().and_then(|last| self.events.get(*last as usize));
        if last.is_some_and(|last| last.body == body) {
            return;
        }
        let row = wire::adherence_row(of, &self.roster);
        let index = self.len();
        self.emit(Kind::Adherence, agent, body, Some(Bytes::from(row)));
        self.roster.agents[agent].events.push(index);
    }

    fn emit(&mut self, kind: Kind, agent: usize, body: String, row: Option<Bytes>) {
        let is_removal = match kind {
            Kind::Adherence => !self.roster.agents[agent].is_present,
            Kind::Conversation(number) => self.conversations[number].ended_us.is_some(),
            Kind::Presence | Kind::Routing | Kind::Activity => false,
        };
        let wall_us = self.now_us();
        let event = Event { wall_us, kind, agent, is_removal, body: Bytes::from(body), row };
        let noted = self.truth_of(self.len(), &event);
        self.recorder.event(&noted);
        self.events.push(event);
    }

    /// Never the same moment twice.
    fn now_us(&self) -> i64 {
        let last_us = self.events.last().map_or(i64::MIN, |event| event.wall_us);
        self.clock.wall_us().max(last_us.saturating_add(1))
    }

    /// Writes a conversation's segments into the ledger, new ones and those that have ended.
    fn note_facts(&mut self, number: usize) {
        let conversation = &mut self.conversations[number];
        for segment in &mut conversation.segments {
            let Some(fact) = segment.fact else {
                let party = &conversation.parties[segment.party];
                let agent = &self.roster.agents[conversation.agent].id;
                segment.fact = Some(self.recorder.fact(TruthFact {
                    conversation: conversation.id.clone(),
                    participant: party.id.clone(),
                    session: party.session.clone(),
                    segment_start_us: segment.start_us,
                    segment_end_us: segment.end_us,
                    agent: (segment.party == AGENT).then(|| agent.clone()),
                }));
                continue;
            };
            let noted = &mut self.recorder.facts[fact].segment_end_us;
            if *noted != segment.end_us {
                *noted = segment.end_us;
                self.recorder.save_fact(fact);
            }
        }
    }

    /// The topics that tell of an event.
    pub(super) fn topics(&self, event: &Event) -> [Option<Topic>; 3] {
        let agent = event.agent;
        match event.kind {
            Kind::Adherence => {
                let of = &self.roster.agents[agent];
                [
                    Some(Topic::Adherence(agent)),
                    Some(Topic::UnitAdherence(of.unit)),
                    Some(Topic::TeamAdherence(of.team)),
                ]
            }
            Kind::Presence => [Some(Topic::Presence(agent)), None, None],
            Kind::Routing => [Some(Topic::Routing(agent)), None, None],
            Kind::Activity => [Some(Topic::Activity(agent)), None, None],
            Kind::Conversation(number) => {
                let queue = self.conversations[number].queue;
                [Some(Topic::Conversations(agent)), Some(Topic::QueueConversations(queue)), None]
            }
        }
    }

    /// What a topic's events are about, as the ledger names it: of conversations, those that go on.
    pub(super) fn keys(&self, topic: Topic) -> Vec<String> {
        let adherence = |agent: usize| format!("adherence/{}", self.roster.agents[agent].id);
        let going_on = |is_it: &dyn Fn(&Conversation) -> bool| {
            let open = self.roster.agents.iter().filter_map(|agent| agent.conversation);
            let open = open.map(|number| &self.conversations[number]);
            open.filter(|one| is_it(one)).map(|one| one.key.to_string()).collect()
        };
        match topic {
            Topic::Adherence(agent) => vec![adherence(agent)],
            Topic::UnitAdherence(unit) => self.roster.in_unit(unit).map(adherence).collect(),
            Topic::TeamAdherence(team) => self.roster.in_team(team).map(adherence).collect(),
            Topic::Presence(agent) => vec![format!("presence/{}", self.roster.agents[agent].id)],
            Topic::Routing(agent) => vec![format!("routing/{}", self.roster.agents[agent].id)],
            Topic::Activity(agent) => vec![format!("activity/{}", self.roster.agents[agent].id)],
            Topic::Conversations(agent) => going_on(&|one| one.agent == agent),
            Topic::QueueConversations(queue) => going_on(&|one| one.queue == queue),
        }
    }

    /// The agent's row as of an event index.
    pub(super) fn row(&self, agent: usize, as_of: u64) -> Option<&Bytes> {
        let events = &self.roster.agents[agent].events;
        let count = events.partition_point(|index| *index < as_of);
        let last = count.checked_sub(1).and_then(|at| events.get(at))?;
        self.events.get(*last as usize).filter(|event| !event.is_removal)?.row.as_ref()
    }

    /// Number of events made up to this wall time.
    pub(super) fn as_of(&self, wall_us: i64) -> u64 {
        self.events.partition_point(|event| event.wall_us <= wall_us) as u64
    }

    fn key(&self, event: &Event) -> Arc<str> {
        let id = &self.roster.agents[event.agent].id;
        let kind = match event.kind {
            Kind::Adherence => "adherence",
            Kind::Presence => "presence",
            Kind::Routing => "routing",
            Kind::Activity => "activity",
            Kind::Conversation(number) => return Arc::clone(&self.conversations[number].key),
        };
        format!("{kind}/{id}").into()
    }

    fn truth_of(&self, index: u64, event: &Event) -> TruthEvent {
        TruthEvent {
            index,
            wall_us: event.wall_us,
            epoch: 0,
            sequence: None,
            agent: self.key(event),
            deleted: event.is_removal,
            body: event.body.clone(),
            row: event.row.clone().map_or(TruthRow::Absent, TruthRow::Other),
        }
    }

    pub(super) fn truth(&self) -> Truth {
        let settings = &self.settings.vendor;
        let events = self.events.iter().enumerate();
        Truth {
            seed: settings.seed,
            numbering: crate::Numbering::None,
            body: crate::Body::State,
            latency_ms: settings.latency_ms,
            epochs: vec![String::new()],
            events: events.map(|(index, event)| self.truth_of(index as u64, event)).collect(),
            subscriptions: self.recorder.subscriptions.clone(),
            pages: self.recorder.pages.clone(),
            facts: self.recorder.facts.clone(),
            history_pages: self.recorder.history_pages.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesys::normal::normal;

    fn world(seed: u64) -> World {
        let mut settings = Settings::default();
        settings.vendor.seed = seed;
        settings.vendor.agents = 12;
        World::new(Arc::new(settings), Clock::new()).unwrap()
    }

    #[test]
    fn neighbouring_adherence_events_of_an_agent_differ_and_some_with_frozen_times() {
        let mut world = world(3);
        let mut frozen = 0;
        for _ in 0..3_000 {
            world.burst(1);
        }
        for agent in &world.roster.agents {
            for two in agent.events.windows(2) {
                let [one, other] = [two[0], two[1]].map(|at| &world.events[at as usize].body);
                assert_ne!(one, other);
                assert_ne!(normal(one).unwrap(), normal(other).unwrap());
                let times = |body: &Bytes| -> Vec<serde_json::Value> {
                    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
                    ["adherenceChangeTime", "presenceUpdateTime", "activeQueuesModifiedTime"]
                        .map(|name| body[name].clone())
                        .to_vec()
                };
                frozen += usize::from(times(one) == times(other));
            }
        }
        assert!(frozen > 10, "only {frozen} events that no time gives away");
    }

    #[test]
    fn a_row_says_what_its_event_says_under_other_names() {
        let mut world = world(4);
        world.burst(500);
        let (mut compared, now) = (0, world.len());
        for (at, agent) in world.roster.agents.iter().enumerate() {
            let row: serde_json::Value =
                serde_json::from_slice(world.row(at, now).unwrap()).unwrap();
            let last = &world.events[*agent.events.last().unwrap() as usize];
            let body: serde_json::Value = serde_json::from_slice(&last.body).unwrap();
            assert_eq!(row["timeOfAdherenceChange"], body["adherenceChangeTime"]);
            assert_eq!(row["managementUnit"]["id"], body["managementUnitId"]);
            assert_eq!(row["adherenceState"], body["adherenceState"]);
            assert_eq!(row["user"]["id"], body["user"]["id"]);
            assert!(row.get("adherenceChangeTime").is_none());
            assert_eq!(normal(world.row(at, now).unwrap()), normal(&last.body));
            compared += 1;
        }
        assert_eq!(compared, 12);
    }

    #[test]
    fn who_leaves_is_on_no_row_and_who_comes_back_is() {
        let mut world = world(5);
        world.change_agents(2);
        let gone: Vec<usize> =
            (0..12).filter(|agent| world.row(*agent, world.len()).is_none()).collect();
        assert_eq!(gone.len(), 2);
        let truth = world.truth();
        let removals: Vec<_> = truth.events.iter().filter(|event| event.deleted).collect();
        assert_eq!(removals.len(), 2);
        for removal in removals {
            let body: serde_json::Value = serde_json::from_slice(&removal.body).unwrap();
            assert_eq!(body["removedFromManagementUnit"], true);
        }
        world.change_agents(2);
        let present = gone.iter().filter(|agent| world.row(**agent, world.len()).is_some());
        assert_eq!(present.count(), 2);
        assert_eq!((0..12).filter(|agent| world.row(*agent, world.len()).is_none()).count(), 2);
    }

    #[test]
    fn the_same_seed_makes_the_same_story() {
        let story = |seed| -> Vec<String> {
            let mut world = world(seed);
            world.burst(200);
            world.events.iter().map(|event| world.key(event).to_string()).collect()
        };
        assert_eq!(story(9), story(9));
        assert_ne!(story(9), story(10));
    }
}
