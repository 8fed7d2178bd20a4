//! What an agent does and what its schedule says: presence, routing, adherence.

/// What an agent is scheduled for, or does, as workforce management names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    OnQueueWork,
    Break,
    Meal,
    Meeting,
    Training,
    OffQueueWork,
    Unavailable,
    Unscheduled,
}

impl Activity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OnQueueWork => "OnQueueWork",
            Self::Break => "Break",
            Self::Meal => "Meal",
            Self::Meeting => "Meeting",
            Self::Training => "Training",
            Self::OffQueueWork => "OffQueueWork",
            Self::Unavailable => "Unavailable",
            Self::Unscheduled => "Unscheduled",
        }
    }

    /// The presence of an agent that keeps to it.
    fn presence(self) -> Presence {
        match self {
            Self::OnQueueWork => Presence::OnQueue,
            Self::Break => Presence::Break,
            Self::Meal => Presence::Meal,
            Self::Meeting => Presence::Meeting,
            Self::Training => Presence::Training,
            Self::OffQueueWork => Presence::Available,
            Self::Unavailable => Presence::Away,
            Self::Unscheduled => Presence::Offline,
        }
    }
}

/// Presences, as the directory names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Available,
    Away,
    Break,
    Meal,
    Meeting,
    Training,
    OnQueue,
    Offline,
}

impl Presence {
    /// By workforce management and by the REST listing.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Away => "Away",
            Self::Break => "Break",
            Self::Meal => "Meal",
            Self::Meeting => "Meeting",
            Self::Training => "Training",
            Self::OnQueue => "OnQueue",
            Self::Offline => "Offline",
        }
    }

    fn activity(self) -> Activity {
        match self {
            Self::Available => Activity::OffQueueWork,
            Self::Away => Activity::Unavailable,
            Self::Break => Activity::Break,
            Self::Meal => Activity::Meal,
            Self::Meeting => Activity::Meeting,
            Self::Training => Activity::Training,
            Self::OnQueue => Activity::OnQueueWork,
            Self::Offline => Activity::Unscheduled,
        }
    }
}

/// A working day, compressed: the activities and their usual length in steps.
const DAY: [(Activity, u8); 9] = [
    (Activity::OnQueueWork, 9),
    (Activity::Break, 1),
    (Activity::OnQueueWork, 7),
    (Activity::Meeting, 1),
    (Activity::Meal, 1),
    (Activity::OnQueueWork, 8),
    (Activity::Training, 1),
    (Activity::OnQueueWork, 6),
    (Activity::Unscheduled, 1),
];

/// One agent's state. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    slot: usize,
    steps_left: u8,
    pub(super) scheduled: Activity,
    pub(super) presence: Presence,
    /// `OFF_QUEUE`, `IDLE`, `INTERACTING`, `NOT_RESPONDING`.
    pub(super) routing: &'static str,
    pub(super) adherence_us: i64,
    pub(super) presence_us: i64,
    pub(super) routing_us: i64,
    pub(super) queues_us: i64,
    /// The queues it works for.
    pub(super) queues: Vec<usize>,
}

/// What a step changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) presence: bool,
    pub(super) routing: bool,
}

impl Standing {
    pub(super) fn begin(now_us: i64, queue_count: usize, rng: &mut fastrand::Rng) -> Self {
        let slot = rng.usize(0..DAY.len());
        let (scheduled, steps) = DAY[slot];
        let presence = scheduled.presence();
        let queues = vec![rng.usize(0..queue_count.max(1))];
        Self {
            slot,
            steps_left: rng.u8(1..=steps),
            scheduled,
            presence,
            routing: routing_of(presence),
            adherence_us: now_us,
            presence_us: now_us,
            routing_us: now_us,
            queues_us: now_us,
            queues,
        }
    }

    pub(super) fn actual(&self) -> Activity {
        self.presence.activity()
    }

    pub(super) fn adherence(&self) -> &'static str {
        match (self.scheduled, self.actual()) {
            (Activity::Unscheduled, _) => "Unscheduled",
            (scheduled, actual) if scheduled == actual => "InAdherence",
            _ => "OutOfAdherence",
        }
    }

    pub(super) fn impact(&self) -> &'static str {
        match (self.scheduled, self.actual()) {
            (scheduled, actual) if scheduled == actual => "Neutral",
            (_, Activity::OnQueueWork) => "Positive",
            (Activity::OnQueueWork, _) => "Negative",
            _ => "Neutral",
        }
    }

    /// Free to take a conversation.
    pub(super) fn is_idle(&self) -> bool {
        self.routing == "IDLE"
    }

    /// The next step of the day. A late agent catches up; one in five is late.
    pub(super) fn step(&mut self, now_us: i64, rng: &mut fastrand::Rng) -> Changed {
        let before = self.adherence();
        let mut changed = Changed::default();
        if self.presence != self.scheduled.presence() {
            changed = self.be(self.scheduled.presence(), now_us);
        } else if self.steps_left > 0 {
            self.steps_left -= 1;
            let stays = self.scheduled != Activity::OnQueueWork;
            let wanders = if rng.bool() { Presence::Away } else { Presence::Available };
            changed = self.be(if stays { Presence::Available } else { wanders }, now_us);
        } else {
            self.slot = (self.slot + 1) % DAY.len();
            let (scheduled, steps) = DAY[self.slot];
            self.scheduled = scheduled;
            self.steps_left = rng.u8(1..=steps);
            if rng.u8(0..5) != 0 {
                changed = self.be(scheduled.presence(), now_us);
            }
        }
        if self.adherence() != before {
            self.adherence_us = now_us;
        }
        changed
    }

    fn be(&mut self, presence: Presence, now_us: i64) -> Changed {
        if presence == self.presence {
            return Changed::default();
        }
        self.presence = presence;
        self.presence_us = now_us;
        Changed { presence: true, routing: self.route(routing_of(presence), now_us) }
    }

    /// Another routing status; no time of the adherence object moves with it.
    pub(super) fn route(&mut self, routing: &'static str, now_us: i64) -> bool {
        let is_new = routing != self.routing;
        if is_new {
            self.routing = routing;
            self.routing_us = now_us;
        }
        is_new
    }
}

fn routing_of(presence: Presence) -> &'static str {
    if presence == Presence::OnQueue { "IDLE" } else { "OFF_QUEUE" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_every_state_and_no_step_leaves_an_agent_as_it_was() {
        let mut rng = fastrand::Rng::with_seed(2);
        let mut standing = Standing::begin(0, 3, &mut rng);
        let mut seen = std::collections::BTreeSet::new();
        for now_us in 1..2_000 {
            let before = standing.clone();
            standing.step(now_us, &mut rng);
            assert!(
                before.presence != standing.presence || before.scheduled != standing.scheduled,
                "{before:?}"
            );
            seen.insert(standing.adherence());
            seen.insert(standing.presence.name());
            seen.insert(standing.impact());
        }
        for word in ["InAdherence", "OutOfAdherence", "Unscheduled", "Away", "Meal", "Positive"] {
            assert!(seen.contains(word), "{word} never seen");
        }
    }

    #[test]
    fn only_a_change_of_adherence_moves_its_time() {
        let mut rng = fastrand::Rng::with_seed(2);
        let mut standing = Standing::begin(0, 3, &mut rng);
        for now_us in 1..500 {
            let (before, at_us) = (standing.adherence(), standing.adherence_us);
            standing.step(now_us, &mut rng);
            let moved = standing.adherence_us != at_us;
            assert_eq!(moved, standing.adherence() != before);
        }
        let at_us = standing.adherence_us;
        standing.route("INTERACTING", 1_000);
        assert_eq!((standing.adherence_us, standing.routing_us), (at_us, 1_000));
    }
}
