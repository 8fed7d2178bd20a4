//! Which topics go on which channel.
//!
//! A channel takes so many topics; what is more goes on another, which is a stream of its own. The
//! streams are settled when the source begins. A key stays on its stream while the process runs:
//! one that changes over would be deleted here and new there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use unbroken_core::ids::{Key, StreamId};

use crate::genesys::config::GenesysConfig;
use crate::genesys::topic::{self, Kind};

/// Why topics cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// There are more topics than channels can take.
    #[error(
        "topics need {channels} channels ({sum}), and {spare} are left free for hand-overs: that \
         makes {all}, and the account has {max}"
    )]
    Channels {
        /// Channels that the topics need.
        channels: usize,
        /// The sum, kind by kind.
        sum: String,
        /// `channels_spare`.
        spare: usize,
        /// Both together.
        all: usize,
        /// `channels_max`.
        max: usize,
    },
    /// Nothing would be recorded.
    #[error("`topics` names {kind}, but there is nobody to record it of")]
    Nobody {
        /// The kind.
        kind: &'static str,
    },
    /// The vendor would be asked for somewhere else.
    #[error("`{id}` is no id of this vendor's")]
    Id {
        /// The text.
        id: String,
    },
    /// A team is a part of a unit: its agents would come twice.
    #[error("both `management_units` and `teams` are named")]
    UnitsAndTeams,
    /// The job is asked about units.
    #[error("`adherence_history` is asked about `management_units`, and none is named")]
    NoUnits,
    /// A bound that nothing fits into.
    #[error("`{key}` is 0")]
    Zero {
        /// The key.
        key: &'static str,
    },
}

impl RosterError {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Channels { .. } => {
                "record adherence by `management_units` (one topic for all of their agents), fewer \
                 `topics`, or fewer agents; or part the agents over two sources with an OAuth \
                 client each"
            }
            Self::Nobody { .. } => {
                "list the users in `agents` or `agents_file`; adherence can also be had of \
                 `management_units` or `teams`, conversations of `queues`"
            }
            Self::Id { .. } => "ids are letters, digits and hyphens, as the vendor shows them",
            Self::UnitsAndTeams => "name the units, or the teams",
            Self::NoUnits => "name the agents' units, or leave `adherence_history` out",
            Self::Zero { .. } => "leave it out for the vendor's own bound",
        }
    }
}

/// What one stream is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) stream: StreamId,
    pub(super) kind: Kind,
    /// Topics that do not name an agent: units, teams, queues.
    fixed: Vec<String>,
    /// Agents that it has a topic for.
    keys: BTreeSet<Key>,
}

impl Post {
    /// What it is subscribed to.
    pub(super) fn topics(&self) -> Vec<String> {
        let users = self.keys.iter().map(|key| self.kind.of_user(key.as_str()));
        self.fixed.iter().cloned().chain(users).collect()
    }

    /// Agents that it has a topic for, rising.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.keys.iter().cloned().collect()
    }

    /// Whether it is for units or teams.
    pub(super) fn is_by_listing(&self) -> bool {
        self.kind == Kind::Adherence && !self.fixed.is_empty()
    }

    fn len(&self) -> usize {
        self.fixed.len() + self.keys.len()
    }
}

/// All streams of a source.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    posts: Vec<Post>,
    topics_max: usize,
    /// The keys as they were laid out last.
    keys: Arc<[Key]>,
    /// Agents for whom there is no room before a restart, by kind.
    left_out: BTreeMap<Kind, u64>,
}

impl Roster {
    /// Lays out what is configured.
    ///
    /// # Errors
    /// See [`RosterError`].
    pub(super) fn new(
        source: &str,
        config: &GenesysConfig,
        keys: &Arc<[Key]>,
    ) -> Result<Self, RosterError> {
        check(config, keys)?;
        let kinds: BTreeSet<Kind> = config.topics.iter().copied().collect();
        let topics_max = config.topics_per_channel_max;
        let mut posts = Vec::new();
        let mut sums = Vec::new();
        for kind in kinds {
            let fixed = fixed(kind, config);
            let users = if is_by_user(kind, config) { keys.len() } else { 0 };
            let count = fixed.len() + users;
            if count == 0 {
                return Err(RosterError::Nobody { kind: kind.name() });
            }
            let channels = count.div_ceil(topics_max);
            sums.push(format!("{} {count} / {topics_max} = {channels}", kind.name()));
            posts.extend(deal(source, kind, channels, topics_max, fixed, &keys[..users]));
        }
        let (channels, spare, max) = (posts.len(), config.channels_spare, config.channels_max);
        if channels + spare > max {
            let (sum, all) = (sums.join(", "), channels + spare);
            return Err(RosterError::Channels { channels, sum, spare, all, max });
        }
        Ok(Self { posts, topics_max, keys: Arc::clone(keys), left_out: BTreeMap::new() })
    }

    /// All of them.
    pub(super) fn posts(&self) -> &[Post] {
        &self.posts
    }

    /// One of them.
    pub(super) fn post(&self, stream: &StreamId) -> Option<&Post> {
        self.posts.iter().find(|post| post.stream == *stream)
    }

    /// Agents for whom there is no room before a restart: those of a kind count on its first
    /// stream.
    pub(super) fn left_out(&self, stream: &StreamId) -> u64 {
        let Some(post) = self.post(stream) else { return 0 };
        let first = self.posts.iter().find(|other| other.kind == post.kind);
        let is_first = first.is_some_and(|first| first.stream == *stream);
        self.left_out.get(&post.kind).copied().filter(|_| is_first).unwrap_or_default()
    }

    /// Whether these agents could be recorded in place of those of now.
    ///
    /// # Errors
    /// See [`RosterError`].
    pub(super) fn weigh(&self, config: &GenesysConfig, keys: &[Key]) -> Result<(), RosterError> {
        check(config, keys)?;
        let is_by_users = |post: &&Post| post.fixed.is_empty();
        match self.posts.iter().find(is_by_users).filter(|_| keys.is_empty()) {
            Some(post) => Err(RosterError::Nobody { kind: post.kind.name() }),
            None => Ok(()),
        }
    }

    /// Follows a change of the agents: who is gone leaves its place, who is new takes a free one.
    pub(super) fn follow(&mut self, keys: &Arc<[Key]>) {
        if *self.keys == **keys {
            return;
        }
        self.keys = Arc::clone(keys);
        self.left_out.clear();
        let wanted: BTreeSet<&Key> = keys.iter().collect();
        let by_user: BTreeMap<Kind, bool> =
            self.posts.iter().map(|post| (post.kind, post.is_by_listing())).collect();
        for (kind, is_by_listing) in by_user {
            if is_by_listing {
                continue;
            }
            let mut held = BTreeSet::new();
            for post in self.posts.iter_mut().filter(|post| post.kind == kind) {
                post.keys.retain(|key| wanted.contains(key));
                held.extend(post.keys.iter().cloned());
            }
            for key in wanted.iter().filter(|key| !held.contains(**key)) {
                let free = self
                    .posts
                    .iter_mut()
                    .filter(|post| post.kind == kind && post.len() < self.topics_max)
                    .min_by_key(|post| post.len());
                match free {
                    Some(post) => drop(post.keys.insert((*key).clone())),
                    None => *self.left_out.entry(kind).or_default() += 1,
                }
            }
        }
    }
}

fn check(config: &GenesysConfig, keys: &[Key]) -> Result<(), RosterError> {
    let bounds = [
        ("topics_per_channel_max", config.topics_per_channel_max),
        ("topics_per_request_max", config.topics_per_request_max),
        ("users_per_request_max", config.users_per_request_max),
        ("channel_look_ms", usize::try_from(config.channel_look_ms).unwrap_or(usize::MAX)),
    ];
    if let Some((key, _)) = bounds.into_iter().find(|(_, bound)| *bound == 0) {
        return Err(RosterError::Zero { key });
    }
    if !config.management_units.is_empty() && !config.teams.is_empty() {
        return Err(RosterError::UnitsAndTeams);
    }
    if config.adherence_history && config.management_units.is_empty() {
        return Err(RosterError::NoUnits);
    }
    let named = config.management_units.iter().chain(&config.teams).chain(&config.queues);
    let mut ids = named.map(String::as_str).chain(keys.iter().map(Key::as_str));
    match ids.find(|id| !topic::is_id(id)) {
        Some(id) => Err(RosterError::Id { id: id.to_owned() }),
        None => Ok(()),
    }
}

fn fixed(kind: Kind, config: &GenesysConfig) -> Vec<String> {
    match kind {
        Kind::Adherence => {
            let units = config.management_units.iter().map(|id| topic::of_unit(id));
            units.chain(config.teams.iter().map(|id| topic::of_team(id))).collect()
        }
        Kind::Conversations => config.queues.iter().map(|id| topic::of_queue(id)).collect(),
        Kind::Presence | Kind::RoutingStatus | Kind::Activity => Vec::new(),
    }
}

fn is_by_user(kind: Kind, config: &GenesysConfig) -> bool {
    kind != Kind::Adherence || (config.management_units.is_empty() && config.teams.is_empty())
}

/// Deals topics out to so many streams, filling one after another: when an agent comes, at most one
/// agent of each stream changes over at the next start, and no snapshot lacks many.
fn deal(
    source: &str,
    kind: Kind,
    channels: usize,
    topics_max: usize,
    fixed: Vec<String>,
    keys: &[Key],
) -> Vec<Post> {
    let name = |at: usize| match at {
        0 => format!("{source}/{}", kind.name()),
        at => format!("{source}/{}-{}", kind.name(), at + 1),
    };
    let mut fixed = fixed.into_iter();
    let mut keys = keys.iter().cloned();
    (0..channels)
        .map(|at| {
            let fixed: Vec<String> = fixed.by_ref().take(topics_max).collect();
            let keys = keys.by_ref().take(topics_max - fixed.len()).collect();
            Post { stream: StreamId::new(name(at)), kind, fixed, keys }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Arc<[Key]> {
        (0..count).map(|at| Key::new(format!("u-{at:05}"))).collect()
    }

    fn names(roster: &Roster) -> Vec<&str> {
        roster.posts().iter().map(|post| post.stream.as_str()).collect()
    }

    #[test]
    fn more_topics_than_a_channel_takes_go_on_the_next() {
        let roster = Roster::new("g", &GenesysConfig::default(), &keys(12_000)).unwrap();
        assert_eq!(roster.posts().len(), 12);
        assert_eq!(names(&roster)[..2], ["g/adherence", "g/adherence-2"]);
        assert!(roster.posts().iter().all(|post| post.topics().len() == 1_000));
        let all: BTreeSet<String> = roster.posts().iter().flat_map(Post::topics).collect();
        assert_eq!(all.len(), 12_000);
        let roster = Roster::new("g", &GenesysConfig::default(), &keys(1_001)).unwrap();
        let lens: Vec<usize> = roster.posts().iter().map(Post::len).collect();
        assert_eq!(lens, [1_000, 1], "one more moves no more than one");
    }

    #[test]
    fn more_than_the_account_has_is_refused_with_the_sum() {
        let topics = vec![Kind::Adherence, Kind::Presence];
        let config = GenesysConfig { topics, ..GenesysConfig::default() };
        let error = Roster::new("g", &config, &keys(9_500)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "topics need 20 channels (adherence 9500 / 1000 = 10, presence 9500 / 1000 = 10), and \
             2 are left free for hand-overs: that makes 22, and the account has 20"
        );
        assert!(error.hint().contains("management_units"));
    }

    #[test]
    fn units_stand_for_their_agents() {
        let config = GenesysConfig {
            topics: vec![Kind::Adherence, Kind::Conversations],
            management_units: vec!["m1".into(), "m2".into()],
            queues: vec!["q".into()],
            ..GenesysConfig::default()
        };
        let roster = Roster::new("g", &config, &keys(2)).unwrap();
        assert_eq!(names(&roster), ["g/adherence", "g/conversations"]);
        assert_eq!(roster.posts()[0].topics(), ["m1", "m2"].map(topic::of_unit));
        assert_eq!(roster.posts()[1].topics().len(), 3, "a queue and two agents");
    }

    #[test]
    fn what_cannot_be_recorded_is_said() {
        let none = Roster::new("g", &GenesysConfig::default(), &keys(0)).unwrap_err();
        assert_eq!(none, RosterError::Nobody { kind: "adherence" });
        let both = GenesysConfig {
            management_units: vec!["m".into()],
            teams: vec!["t".into()],
            ..GenesysConfig::default()
        };
        assert_eq!(Roster::new("g", &both, &keys(1)).unwrap_err(), RosterError::UnitsAndTeams);
        let elsewhere = GenesysConfig { teams: vec!["../x".into()], ..GenesysConfig::default() };
        let error = Roster::new("g", &elsewhere, &keys(1)).unwrap_err();
        assert_eq!(error, RosterError::Id { id: "../x".into() });
        let past = GenesysConfig { adherence_history: true, ..GenesysConfig::default() };
        assert_eq!(Roster::new("g", &past, &keys(1)).unwrap_err(), RosterError::NoUnits);
    }

    #[test]
    fn who_stays_keeps_its_stream_when_agents_change() {
        let config = GenesysConfig { topics_per_channel_max: 4, ..GenesysConfig::default() };
        let mut roster = Roster::new("g", &config, &keys(8)).unwrap();
        let before: Vec<Vec<Key>> = roster.posts().iter().map(Post::keys).collect();
        let mut changed: Vec<Key> =
            keys(8).iter().filter(|key| **key != before[0][1]).cloned().collect();
        changed.push("new-1".into());
        changed.push("new-2".into());
        roster.follow(&changed.into());
        assert!(roster.posts()[0].keys().contains(&"new-1".into()));
        assert_eq!(roster.posts()[1].keys(), before[1]);
        let (first, second) = ("g/adherence".into(), "g/adherence-2".into());
        assert_eq!(roster.left_out(&first), 1, "two channels of four have no room for a ninth");
        assert_eq!(roster.left_out(&second), 0);
        roster.follow(&keys(3));
        assert_eq!((roster.posts()[1].keys().len(), roster.left_out(&first)), (1, 0));
    }

    #[test]
    fn agents_that_cannot_be_recorded_are_refused_while_it_runs_too() {
        let config = GenesysConfig::default();
        let roster = Roster::new("g", &config, &keys(3)).unwrap();
        assert_eq!(roster.weigh(&config, &keys(5)), Ok(()));
        let nobody = Err(RosterError::Nobody { kind: "adherence" });
        assert_eq!(roster.weigh(&config, &keys(0)), nobody, "a file that was cut short");
        let strange = Err(RosterError::Id { id: "a&b".into() });
        assert_eq!(roster.weigh(&config, &["a&b".into()]), strange);
        let config = GenesysConfig { teams: vec!["t".into()], ..config };
        let roster = Roster::new("g", &config, &keys(3)).unwrap();
        assert_eq!(roster.weigh(&config, &keys(0)), Ok(()), "a team stands for its agents");
    }
}
