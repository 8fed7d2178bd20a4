//! The account: its units, teams, queues and agents.

use std::collections::HashMap;

use super::standing::Standing;

/// A unit or a team.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
}

/// An agent, which this vendor calls a user.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) unit: usize,
    pub(super) team: usize,
    pub(super) standing: Standing,
    /// Whether it belongs to its management unit now.
    pub(super) is_present: bool,
    /// The conversation it is in.
    pub(super) conversation: Option<usize>,
    /// Indices of its adherence events, rising.
    pub(super) events: Vec<u64>,
}

/// All that were ever of it; who leaves may come back.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) business_unit: String,
    pub(super) units: Vec<Group>,
    pub(super) teams: Vec<Group>,
    pub(super) queues: Vec<String>,
    /// Rising by id.
    pub(super) agents: Vec<Agent>,
    places: HashMap<String, usize>,
}

/// A made-up id in the form of a random UUID.
pub(super) fn uuid(rng: &mut fastrand::Rng) -> String {
    let text = format!("{:032x}", rng.u128(..));
    // The two digits that say: random.
    format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}

impl Roster {
    pub(super) fn new(settings: &super::Settings, now_us: i64, rng: &mut fastrand::Rng) -> Self {
        let (unit_count, queue_count) = (settings.units.max(1), settings.queues.max(1));
        let team_count = unit_count * settings.teams_per_unit.max(1);
        let mut group = |kind: &str, number: u32| Group {
            id: uuid(rng),
            name: format!("{kind} {}", number + 1),
        };
        let units: Vec<Group> = (0..unit_count).map(|number| group("Unit", number)).collect();
        let teams: Vec<Group> = (0..team_count).map(|number| group("Team", number)).collect();
        let business_unit = uuid(rng);
        let queues: Vec<String> = (0..queue_count).map(|_| uuid(rng)).collect();
        let mut ids: Vec<String> = (0..settings.vendor.agents).map(|_| uuid(rng)).collect();
        ids.sort_unstable();
        let agents: Vec<Agent> = ids
            .into_iter()
            .enumerate()
            .map(|(at, id)| Agent {
                id,
                name: format!("Agent {}", at + 1),
                unit: at % units.len(),
                // A team belongs to one unit.
                team: at % teams.len(),
                standing: Standing::begin(now_us, queues.len(), rng),
                is_present: true,
                conversation: None,
                events: Vec::new(),
            })
            .collect();
        let places = agents.iter().enumerate().map(|(at, agent)| (agent.id.clone(), at)).collect();
        Self { business_unit, units, teams, queues, agents, places }
    }

    pub(super) fn agent_of(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub(super) fn unit_of(&self, id: &str) -> Option<usize> {
        self.units.iter().position(|unit| unit.id == id)
    }

    pub(super) fn team_of(&self, id: &str) -> Option<usize> {
        self.teams.iter().position(|team| team.id == id)
    }

    pub(super) fn queue_of(&self, id: &str) -> Option<usize> {
        self.queues.iter().position(|queue| queue == id)
    }

    /// The agents of a unit.
    pub(super) fn in_unit(&self, unit: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.agents.len()).filter(move |agent| self.agents[*agent].unit == unit)
    }

    /// The agents of a team.
    pub(super) fn in_team(&self, team: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.agents.len()).filter(move |agent| self.agents[*agent].team == team)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_account_and_each_team_is_of_one_unit() {
        let settings = super::super::Settings::default();
        let roster = |seed| Roster::new(&settings, 0, &mut fastrand::Rng::with_seed(seed));
        let ids = |roster: &Roster| -> Vec<_> {
            roster.agents.iter().map(|agent| agent.id.clone()).collect()
        };
        let one = roster(3);
        assert_eq!(ids(&one), ids(&roster(3)));
        assert_ne!(ids(&one), ids(&roster(4)));
        for team in 0..one.teams.len() {
            let mut units: Vec<_> = one.in_team(team).map(|agent| one.agents[agent].unit).collect();
            units.dedup();
            assert_eq!(units.len(), 1, "team {team}");
        }
        let agent = &one.agents[7];
        assert_eq!(one.agent_of(&agent.id), Some(7));
        assert_eq!((agent.id.len(), agent.id.as_bytes()[14]), (36, b'4'));
    }
}
