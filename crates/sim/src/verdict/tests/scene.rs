//! A vendor's life and a client's record, made up by hand. Times are in milliseconds.

use std::sync::Arc;

use bytes::Bytes;

use crate::settings::{Body, Numbering};
use crate::truth::{SubscriptionEnd, Truth, TruthEvent, TruthPage, TruthRow, TruthSubscription};
use crate::verdict::{
    Evidence, FinalValue, LedgerRow, LiveInterval, Origin, Outcome, Place, Stored, Verdict, judge,
};

pub(super) struct Scene {
    pub(super) truth: Truth,
    pub(super) evidence: Evidence,
}

pub(super) fn us(ms: i64) -> i64 {
    ms * 1_000
}

pub(super) fn place(epoch: u32, sequence: u64) -> Option<Place> {
    Some(Place { epoch, sequence })
}

impl Scene {
    pub(super) fn new(numbering: Numbering) -> Self {
        let truth = Truth {
            seed: 0,
            numbering,
            body: Body::State,
            latency_ms: 0,
            epochs: vec!["e1".into()],
            events: Vec::new(),
            subscriptions: Vec::new(),
            pages: Vec::new(),
            facts: Vec::new(),
            history_pages: Vec::new(),
        };
        Self { truth, evidence: Evidence::default() }
    }

    /// A subscription from the beginning and events 1 to 6 of the agents a and b in turn, at 10, 20
    /// … 60 ms, all read, stored and shown: nothing can be said against it.
    pub(super) fn clean(numbering: Numbering) -> Self {
        let mut scene = Self::new(numbering);
        scene.subscribe(0, Some(0));
        for step in 1..=6 {
            let at = scene.event(if step % 2 == 1 { "a" } else { "b" }, 10 * step);
            scene.store(at, 10 * step + 1);
        }
        scene.read_all(0);
        scene.live(0, 1_000);
        scene.end_state();
        scene
    }

    fn next_sequence(&self) -> u64 {
        let epoch = self.truth.epochs.len() as u32 - 1;
        let last = self.truth.events.iter().rfind(|event| event.epoch == epoch);
        let step = if self.truth.numbering == Numbering::Increasing { 10 } else { 1 };
        last.and_then(|event| event.sequence).unwrap_or(0) + step
    }

    fn push(&mut self, agent: &str, at_ms: i64, deleted: bool, body: String) -> usize {
        let sequence = self.truth.numbering.is_positioned().then(|| self.next_sequence());
        self.truth.events.push(TruthEvent {
            index: self.truth.events.len() as u64,
            wall_us: us(at_ms),
            epoch: self.truth.epochs.len() as u32 - 1,
            sequence,
            agent: Arc::from(agent),
            deleted,
            body: Bytes::from(body),
            row: TruthRow::Body,
        });
        self.truth.events.len() - 1
    }

    pub(super) fn event(&mut self, agent: &str, at_ms: i64) -> usize {
        let body = format!("{{\"agentId\":\"{agent}\",\"since\":{at_ms}}}");
        self.push(agent, at_ms, false, body)
    }

    pub(super) fn event_with(&mut self, agent: &str, at_ms: i64, state: &str) -> usize {
        let body = format!("{{\"agentId\":\"{agent}\",\"state\":\"{state}\"}}");
        self.push(agent, at_ms, false, body)
    }

    pub(super) fn removal(&mut self, agent: &str, at_ms: i64) -> usize {
        self.push(agent, at_ms, true, format!("{{\"agentId\":\"{agent}\"}}"))
    }

    pub(super) fn reset(&mut self) {
        let name = format!("e{}", self.truth.epochs.len() + 1);
        self.truth.epochs.push(name);
    }

    /// An accepted subscription with the floor at 0; it serves what is above the position asked
    /// for.
    pub(super) fn subscribe(&mut self, at_ms: i64, asked: Option<u64>) -> usize {
        let epoch = self.truth.epochs.len() as u32 - 1;
        let events = &self.truth.events;
        let head = self.next_sequence() - 1;
        let first = match asked {
            Some(asked) => events
                .iter()
                .position(|event| event.epoch == epoch && event.sequence > Some(asked))
                .unwrap_or(events.len()),
            None => events.len(),
        } as u64;
        self.truth.subscriptions.push(TruthSubscription {
            id: format!("sub-{}", self.truth.subscriptions.len()),
            accepted_us: us(at_ms),
            asked,
            agents: None,
            epoch,
            floor: 0,
            head,
            replay: true,
            exact_head: false,
            first,
            delivered: first,
            confirmed: first,
            muted: false,
            dropped: Vec::new(),
            garbled: Vec::new(),
            ended_us: None,
            end: SubscriptionEnd::Open,
        });
        self.truth.subscriptions.len() - 1
    }

    pub(super) fn served(&mut self, number: usize) -> &mut TruthSubscription {
        &mut self.truth.subscriptions[number]
    }

    /// All events so far were delivered on the subscription and read.
    pub(super) fn read_all(&mut self, number: usize) {
        let count = self.truth.events.len() as u64;
        let served = self.served(number);
        served.delivered = count;
        served.confirmed = count;
    }

    /// The subscription broke.
    pub(super) fn broke(&mut self, number: usize, at_ms: i64) {
        let served = self.served(number);
        served.ended_us = Some(us(at_ms));
        served.end = SubscriptionEnd::Broken;
    }

    pub(super) fn page(&mut self, at_ms: i64) {
        self.truth.pages.push(TruthPage {
            served_us: us(at_ms),
            offset: 0,
            rows: 2,
            total: 2,
            as_of: self.truth.events.len() as u64,
            sequence: None,
            first_agent: Some("a".into()),
            last_agent: Some("b".into()),
            agents: None,
        });
    }

    /// The client stores an event as the vendor sent it.
    pub(super) fn store(&mut self, event: usize, received_ms: i64) -> &mut Stored {
        let event = &self.truth.events[event];
        let frame = format!(
            "{{\"type\":\"event\",\"adherence\":{}}}",
            String::from_utf8_lossy(&event.body)
        );
        self.evidence.stored.push(Stored {
            stream: "cxone/adherence".into(),
            epoch: event.epoch,
            epoch_name: event.sequence.map(|_| self.truth.epochs[event.epoch as usize].clone()),
            sequence: event.sequence,
            key: event.agent.to_string(),
            ordinal: 0,
            deleted: event.deleted,
            payload: Bytes::from(frame),
            origin: Origin::Live,
            is_state: true,
            occurred_us: Some(event.wall_us),
            received_us: us(received_ms),
            offset: self.evidence.stored.len() as u64,
        });
        self.evidence.stored.last_mut().unwrap()
    }

    /// The client forgets the record of an event.
    pub(super) fn forget(&mut self, event: usize) {
        let gone = self.truth.events[event].clone();
        self.evidence
            .stored
            .retain(|stored| stored.occurred_us != Some(gone.wall_us) || stored.key != *gone.agent);
    }

    pub(super) fn row(
        &mut self,
        after: Option<Place>,
        through: Option<Place>,
        wall_ms: (i64, i64),
        outcome: Outcome,
    ) {
        self.evidence.ledger.push(LedgerRow {
            stream: "cxone/adherence".into(),
            after,
            through,
            wall_from_us: us(wall_ms.0),
            wall_to_us: (outcome != Outcome::Open).then_some(us(wall_ms.1)),
            outcome,
            cause: "refused".into(),
        });
    }

    pub(super) fn live(&mut self, from_ms: i64, to_ms: i64) {
        self.evidence.live.push(LiveInterval {
            stream: "cxone/adherence".into(),
            from_us: us(from_ms),
            to_us: us(to_ms),
        });
    }

    /// The client's state is the vendor's.
    pub(super) fn end_state(&mut self) {
        self.evidence.state.clear();
        for agent in ["a", "b"] {
            let last = self.truth.events.iter().rfind(|event| *event.agent == *agent);
            let body = last.filter(|event| !event.deleted).map(|event| event.body.clone());
            self.evidence.state.push(FinalValue {
                key: agent.into(),
                payload: body,
                is_marked_stale: false,
            });
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        judge(&self.truth, &self.evidence)
    }
}

#[test]
fn a_perfect_record_is_clean_whatever_the_numbering() {
    for numbering in [Numbering::Contiguous, Numbering::Increasing, Numbering::None] {
        let verdict = Scene::clean(numbering).verdict();
        let expected = Verdict {
            events_emitted: 6,
            events_stored: 6,
            stale_live_ms_max: 1,
            examples: verdict.examples.clone(),
            ..Verdict::default()
        };
        assert_eq!(verdict, expected);
        assert!(verdict.is_clean(1) && !verdict.is_clean(0));
    }
}
