//! Which subscriptions are accepted, and from where they are served.

use std::collections::HashSet;

use super::hub::State;
use super::message::{self, Subscribe};
use crate::fault::Refusal;
use crate::truth::{SubscriptionEnd, TruthSubscription};

/// Where an accepted subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Index of the first event served.
    pub(crate) first: u64,
    /// The position after which events begin.
    pub(crate) position: u64,
    /// Whether the position asked for was honoured.
    pub(crate) replay: bool,
    /// Whether only the exact head was accepted.
    pub(crate) exact_head: bool,
}

impl State {
    /// Answers a subscribe message.
    pub(crate) fn subscribe(&mut self, conn: u64, wish: Subscribe) -> String {
        let positioned = self.settings.numbering.is_positioned();
        let asked = wish.sequence.filter(|_| positioned);
        let is_other_epoch =
            wish.epoch.is_some_and(|name| positioned && name != self.world.epoch_name());
        let ruling = if is_other_epoch {
            Err(Refusal::Stale)
        } else {
            match self.fault_on_subscribe(asked) {
                Some(ruling) => ruling,
                None => self.rule(asked),
            }
        };
        match ruling {
            Ok(start) => self.accept(conn, asked, wish.agents, start),
            Err(Refusal::Stale) => {
                let floor = self.settings.announce_floor.then_some(self.world.floor);
                message::error("stale_sequence", floor)
            }
            Err(Refusal::Unknown) => message::error("unknown_sequence", None),
        }
    }

    /// The published rule.
    fn rule(&self, asked: Option<u64>) -> Result<Start, Refusal> {
        match asked {
            None => Ok(self.start_now()),
            Some(position) if position > self.world.head => Err(Refusal::Unknown),
            Some(position) if position < self.world.floor => Err(Refusal::Stale),
            Some(position) => Ok(self.start_after(position)),
        }
    }

    /// Served from now on.
    pub(crate) fn start_now(&self) -> Start {
        Start {
            first: self.world.len(),
            position: self.world.head,
            replay: self.settings.numbering.is_positioned(),
            exact_head: false,
        }
    }

    /// Served after a position.
    pub(crate) fn start_after(&self, position: u64) -> Start {
        Start { first: self.world.index_after(position), position, replay: true, exact_head: false }
    }

    fn accept(
        &mut self,
        conn: u64,
        asked: Option<u64>,
        agents: Option<HashSet<String>>,
        start: Start,
    ) -> String {
        self.unsubscribe(conn);
        let recorder = &mut self.world.recorder;
        let id = format!("sub-{}", recorder.subscriptions.len() + 1);
        let (floor, head, epoch) = (self.world.floor, self.world.head, self.world.epoch());
        let number = self.world.recorder.subscribe(TruthSubscription {
            id: id.clone(),
            accepted_us: self.clock.wall_us(),
            asked,
            agents: agents.clone().map(|agents| agents.into_iter().collect()),
            epoch,
            floor,
            head,
            replay: start.replay,
            exact_head: start.exact_head,
            first: start.first,
            delivered: start.first,
            confirmed: start.first,
            muted: false,
            dropped: Vec::new(),
            garbled: Vec::new(),
            ended_us: None,
            end: SubscriptionEnd::Open,
        });
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.subscription = Some(number);
            session.id.clone_from(&id);
            session.agents = agents;
            session.cursor = start.first;
            session.first = start.first;
            session.start = start.position;
        }
        self.fault_on_accepted(conn, asked, start.position);
        let is_muted = self.sessions.get(&conn).is_some_and(|session| session.is_muted);
        self.world.recorder.subscriptions[number].muted = is_muted;
        let told = self.settings.ack_position.then_some(start.position);
        message::subscribed(&id, self.place(told))
    }
}
