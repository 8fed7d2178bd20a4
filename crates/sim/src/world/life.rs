//! An agent's working day, compressed: each event is one step of it.

/// A step of the day, as scheduled or as lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    OnQueue,
    Break,
    Meal,
    Meeting,
    Training,
    OffShift,
}

impl Activity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OnQueue => "OnQueue",
            Self::Break => "Break",
            Self::Meal => "Meal",
            Self::Meeting => "Meeting",
            Self::Training => "Training",
            Self::OffShift => "OffShift",
        }
    }
}

/// A day: activities with their usual length in steps and in minutes. An agent begins anywhere in
/// it and goes round.
pub(super) const DAY: [(Activity, u8, u16); 10] = [
    (Activity::OnQueue, 9, 110),
    (Activity::Break, 1, 15),
    (Activity::OnQueue, 8, 90),
    (Activity::Meeting, 1, 30),
    (Activity::Meal, 1, 45),
    (Activity::OnQueue, 9, 100),
    (Activity::Training, 2, 45),
    (Activity::Break, 1, 15),
    (Activity::OnQueue, 7, 75),
    (Activity::OffShift, 1, 915),
];

/// What the adherence object says of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) state: &'static str,
    pub(super) activity: Activity,
    pub(super) scheduled: Activity,
}

impl Moment {
    pub(super) fn is_in_adherence(self) -> bool {
        self.activity == self.scheduled
    }
}

/// One agent's place in the day.
#[derive(Clone, Debug)]
pub(super) struct Life {
    slot: usize,
    steps_left: u8,
    now: Moment,
}

impl Life {
    pub(super) fn begin(rng: &mut fastrand::Rng) -> Self {
        let slot = rng.usize(0..DAY.len());
        let (activity, steps, _) = DAY[slot];
        let now = Moment { state: first_state(activity), activity, scheduled: activity };
        Self { slot, steps_left: rng.u8(1..=steps), now }
    }

    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// The next moment, which always differs from the present one.
    pub(super) fn step(&mut self, rng: &mut fastrand::Rng) -> Moment {
        let before = self.now;
        if before.activity != before.scheduled {
            self.now.activity = before.scheduled;
            self.now.state = first_state(before.scheduled);
        } else if self.steps_left > 0 {
            self.steps_left -= 1;
            self.now.state = next_state(before, rng);
        } else {
            self.change_slot(rng);
        }
        if self.now == before {
            self.change_slot(rng);
        }
        self.now
    }

    /// The schedule moves on. One agent in four is late: for one step it still does what it did.
    fn change_slot(&mut self, rng: &mut fastrand::Rng) {
        self.slot = (self.slot + 1) % DAY.len();
        let (activity, steps, _) = DAY[self.slot];
        self.steps_left = rng.u8(1..=steps);
        self.now.scheduled = activity;
        if rng.u8(0..4) != 0 {
            self.now.activity = activity;
            self.now.state = first_state(activity);
        }
    }
}

fn first_state(activity: Activity) -> &'static str {
    match activity {
        Activity::OnQueue => "Available",
        Activity::OffShift => "Offline",
        other => other.name(),
    }
}

fn next_state(now: Moment, rng: &mut fastrand::Rng) -> &'static str {
    match (now.activity, now.state) {
        (Activity::OnQueue, "Available") if rng.u8(0..8) == 0 => "OutboundBusy",
        (Activity::OnQueue, "Available") => "Busy",
        (Activity::OnQueue, "Busy") if rng.u8(0..4) == 0 => "OnHold",
        (Activity::OnQueue, "OnHold") => "Busy",
        (Activity::OnQueue, "Busy" | "OutboundBusy") => "ACW",
        (Activity::OnQueue, _) => "Available",
        (_, state) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_leaves_an_agent_as_it_was() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..50 {
            let mut life = Life::begin(&mut rng);
            for _ in 0..500 {
                let before = life.now();
                assert_ne!(life.step(&mut rng), before);
            }
        }
    }

    #[test]
    fn a_day_has_work_breaks_and_lateness() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut life = Life::begin(&mut rng);
        let moments: Vec<_> = (0..2_000).map(|_| life.step(&mut rng)).collect();
        for state in ["Available", "Busy", "ACW", "Break", "Meal", "Training", "Offline"] {
            assert!(moments.iter().any(|moment| moment.state == state), "{state} never seen");
        }
        assert!(moments.iter().any(|moment| !moment.is_in_adherence()));
    }
}
