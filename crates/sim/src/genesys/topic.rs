//! What can be subscribed to.

use super::roster::Roster;

/// Longest topic id that is taken.
const TOPIC_CHARS_MAX: usize = 200;

/// One topic; numbers are places in the [`Roster`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Topic {
    /// `v2.users.{id}.workforcemanagement.adherence`
    Adherence(usize),
    /// `v2.workforcemanagement.managementunits.{id}.adherence`
    UnitAdherence(usize),
    /// `v2.workforcemanagement.teams.{id}.adherence`
    TeamAdherence(usize),
    /// `v2.users.{id}.presence`
    Presence(usize),
    /// `v2.users.{id}.routingStatus`
    Routing(usize),
    /// `v2.users.{id}.activity`
    Activity(usize),
    /// `v2.users.{id}.conversations`
    Conversations(usize),
    /// `v2.routing.queues.{id}.conversations`
    QueueConversations(usize),
}

impl Topic {
    /// Reads a topic's id; `None`: there is no such topic, or nobody of that id.
    pub(super) fn parse(text: &str, roster: &Roster) -> Option<Self> {
        if text.len() > TOPIC_CHARS_MAX {
            return None;
        }
        let rest = text.strip_prefix("v2.")?;
        if let Some(rest) = rest.strip_prefix("users.") {
            let (id, kind) = rest.split_once('.')?;
            let agent = roster.agent_of(id)?;
            return Some(match kind {
                "workforcemanagement.adherence" => Self::Adherence(agent),
                "presence" => Self::Presence(agent),
                "routingStatus" => Self::Routing(agent),
                "activity" => Self::Activity(agent),
                "conversations" => Self::Conversations(agent),
                _ => return None,
            });
        }
        if let Some(rest) = rest.strip_prefix("routing.queues.") {
            let id = rest.strip_suffix(".conversations")?;
            return roster.queue_of(id).map(Self::QueueConversations);
        }
        let rest = rest.strip_prefix("workforcemanagement.")?.strip_suffix(".adherence")?;
        match rest.split_once('.')? {
            ("managementunits", id) => roster.unit_of(id).map(Self::UnitAdherence),
            ("teams", id) => roster.team_of(id).map(Self::TeamAdherence),
            _ => None,
        }
    }

    /// What a client must be allowed to, to have it.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Adherence(_) | Self::UnitAdherence(_) | Self::TeamAdherence(_) => {
                "wfm:realtimeAdherence:view"
            }
            Self::Presence(_) => "directory:userPresence:view",
            Self::Routing(_) | Self::Activity(_) => "routing:agent:view",
            Self::Conversations(_) | Self::QueueConversations(_) => {
                "conversation:communication:view"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(topic: Topic, roster: &Roster) -> String {
        let user = |agent: usize| &roster.agents[agent].id;
        match topic {
            Topic::Adherence(agent) => {
                format!("v2.users.{}.workforcemanagement.adherence", user(agent))
            }
            Topic::UnitAdherence(unit) => {
                let id = &roster.units[unit].id;
                format!("v2.workforcemanagement.managementunits.{id}.adherence")
            }
            Topic::TeamAdherence(team) => {
                format!("v2.workforcemanagement.teams.{}.adherence", roster.teams[team].id)
            }
            Topic::Presence(agent) => format!("v2.users.{}.presence", user(agent)),
            Topic::Routing(agent) => format!("v2.users.{}.routingStatus", user(agent)),
            Topic::Activity(agent) => format!("v2.users.{}.activity", user(agent)),
            Topic::Conversations(agent) => format!("v2.users.{}.conversations", user(agent)),
            Topic::QueueConversations(queue) => {
                format!("v2.routing.queues.{}.conversations", roster.queues[queue])
            }
        }
    }

    #[test]
    fn every_topic_reads_back_and_nobody_elses_does() {
        let settings = super::super::Settings::default();
        let roster = Roster::new(&settings, 0, &mut fastrand::Rng::with_seed(1));
        for topic in [
            Topic::Adherence(3),
            Topic::UnitAdherence(1),
            Topic::TeamAdherence(5),
            Topic::Presence(0),
            Topic::Routing(249),
            Topic::Activity(7),
            Topic::Conversations(8),
            Topic::QueueConversations(4),
        ] {
            assert_eq!(Topic::parse(&id(topic, &roster), &roster), Some(topic));
        }
        let user = &roster.agents[0].id;
        for text in [
            "v2.users.nobody.presence".to_owned(),
            format!("v2.users.{user}.moods"),
            format!("v2.users.{user}?presence&routingStatus"),
            format!("v1.users.{user}.presence"),
            "x".repeat(300),
        ] {
            assert_eq!(Topic::parse(&text, &roster), None, "{text}");
        }
    }
}
