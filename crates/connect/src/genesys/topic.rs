//! Topics: what can be subscribed to, and what a notification is about.

use serde::Deserialize;

/// What the events of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Schedule adherence of agents.
    Adherence,
    /// Presence of agents.
    Presence,
    /// Routing status of agents.
    RoutingStatus,
    /// Presence, routing status and queues of agents, together.
    Activity,
    /// Conversations of agents and queues.
    Conversations,
}

impl Kind {
    /// The name of its stream, as it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adherence => "adherence",
            Self::Presence => "presence",
            Self::RoutingStatus => "routing_status",
            Self::Activity => "activity",
            Self::Conversations => "conversations",
        }
    }

    /// As the vendor writes it behind a user's id.
    fn suffix(self) -> &'static str {
        match self {
            Self::Adherence => "workforcemanagement.adherence",
            Self::Presence => "presence",
            Self::RoutingStatus => "routingStatus",
            Self::Activity => "activity",
            Self::Conversations => "conversations",
        }
    }

    /// The topic of a user.
    pub(super) fn of_user(self, id: &str) -> String {
        format!("v2.users.{id}.{}", self.suffix())
    }
}

/// The topic of a management unit's adherence.
pub(super) fn of_unit(id: &str) -> String {
    format!("v2.workforcemanagement.managementunits.{id}.adherence")
}

/// The topic of a team's adherence.
pub(super) fn of_team(id: &str) -> String {
    format!("v2.workforcemanagement.teams.{id}.adherence")
}

/// The topic of a queue's conversations.
pub(super) fn of_queue(id: &str) -> String {
    format!("v2.routing.queues.{id}.conversations")
}

/// What a topic is about: the kind of its events, and the id in it. `None`: nothing known here.
pub(super) fn parse(topic: &str) -> Option<(Kind, &str)> {
    let rest = topic.strip_prefix("v2.")?;
    if let Some(rest) = rest.strip_prefix("users.") {
        let (id, suffix) = rest.split_once('.')?;
        let kinds = [
            Kind::Adherence,
            Kind::Presence,
            Kind::RoutingStatus,
            Kind::Activity,
            Kind::Conversations,
        ];
        return kinds.into_iter().find(|kind| kind.suffix() == suffix).map(|kind| (kind, id));
    }
    if let Some(rest) = rest.strip_prefix("routing.queues.") {
        return rest.strip_suffix(".conversations").map(|id| (Kind::Conversations, id));
    }
    let rest = rest.strip_prefix("workforcemanagement.")?.strip_suffix(".adherence")?;
    let (of, id) = rest.split_once('.')?;
    matches!(of, "managementunits" | "teams").then_some((Kind::Adherence, id))
}

/// Where the adherence of a unit's or team's topic is listed by REST.
pub(super) fn listing_path(topic: &str) -> Option<String> {
    let of = topic.strip_prefix("v2.workforcemanagement.")?.strip_suffix(".adherence")?;
    let (of, id) = of.split_once('.')?;
    matches!(of, "managementunits" | "teams")
        .then(|| format!("/api/v2/workforcemanagement/{of}/{id}/adherence"))
}

/// Whether a text can stand in a topic and in a path: the vendor's ids are UUIDs.
pub(super) fn is_id(text: &str) -> bool {
    const CHARS_MAX: usize = 64;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_says_what_its_events_are_about() {
        for kind in [
            Kind::Adherence,
            Kind::Presence,
            Kind::RoutingStatus,
            Kind::Activity,
            Kind::Conversations,
        ] {
            assert_eq!(parse(&kind.of_user("u-1")), Some((kind, "u-1")));
        }
        assert_eq!(parse(&of_unit("m")), Some((Kind::Adherence, "m")));
        assert_eq!(parse(&of_team("t")), Some((Kind::Adherence, "t")));
        assert_eq!(parse(&of_queue("q")), Some((Kind::Conversations, "q")));
        let path = listing_path(&of_unit("m"));
        assert_eq!(
            path.as_deref(),
            Some("/api/v2/workforcemanagement/managementunits/m/adherence")
        );
        assert_eq!(listing_path(&Kind::Adherence.of_user("u")), None);
        for other in ["channel.metadata", "v2.system.socket_closing", "v2.users.u.outofoffice", ""]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        assert!(is_id("6f1c8e0a-0000-4000-a000-000000000001"));
        for text in ["", "a/b", "a.b", "a?b", "..", "a b", &"x".repeat(65)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
