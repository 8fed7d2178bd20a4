//! What the simulator's ledger calls the keys of a stream.

use unbroken_sim::verdict::StoredFact;

/// How keys are named there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As in our record.
    #[default]
    Plain,
    /// With the kind of the stream before them: one account has several streams, and one user is a
    /// key of most of them. Facts of conversations have identities of their own.
    ByKind,
}

impl Naming {
    /// Our key of this stream as the ledger has it.
    pub(super) fn key(self, stream: &str, key: &str) -> String {
        match self {
            Self::Plain => key.to_owned(),
            Self::ByKind => format!("{}/{key}", kind(stream)),
        }
    }

    /// Whether history has facts about what this stream tells.
    pub(super) fn has_facts(self, stream: &str) -> bool {
        self == Self::ByKind && kind(stream) == "conversation"
    }
}

/// The kind of a stream, of which there may be several: `demo/adherence`, `demo/adherence-2`.
fn kind(stream: &str) -> &str {
    let name = stream.split_once('/').map_or(stream, |(_, name)| name);
    let shard = |(_, shard): &(&str, &str)| shard.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit_once('-').filter(shard).map_or(name, |(name, _)| name);
    match name {
        "routing_status" => "routing",
        "conversations" => "conversation",
        other => other,
    }
}

/// A fact by its id in our record: conversation, participant, session and the segment's begin. One
/// that is no such id is a fact of nobody's, and the judge says so.
pub(super) fn fact(id: &str) -> StoredFact {
    let mut parts = id.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (conversation, participant, session, start) = (next(), next(), next(), next());
    let start: Option<jiff::Timestamp> = start.parse().ok();
    StoredFact {
        conversation,
        participant,
        session,
        segment_start_us: start.map_or(0, jiff::Timestamp::as_microsecond),
    }
}

#[cfg(test)]
mod tests {
    use super::{Naming, fact};

    #[test]
    fn keys_get_the_kind_of_their_stream_whatever_its_shard() {
        let key = |stream| Naming::ByKind.key(stream, "u1");
        assert_eq!(key("demo/adherence"), "adherence/u1");
        assert_eq!(key("demo/adherence-2"), "adherence/u1");
        assert_eq!(key("demo/routing_status"), "routing/u1");
        assert_eq!(key("demo/conversations-11"), "conversation/u1");
        assert_eq!(key("demo/presence"), "presence/u1");
        assert_eq!(Naming::Plain.key("demo/adherence", "u1"), "u1");
        assert!(Naming::ByKind.has_facts("demo/conversations"));
        assert!(!Naming::ByKind.has_facts("demo/adherence"));
        assert!(!Naming::Plain.has_facts("demo/conversations"));
    }

    #[test]
    fn a_fact_is_known_by_the_four_parts_of_its_id() {
        let known = fact("c/p/s/2026-11-24T06:37:21.123Z");
        assert_eq!((&*known.conversation, &*known.participant, &*known.session), ("c", "p", "s"));
        assert_eq!(known.segment_start_us, 1_795_502_241_123_000);
        let strange = fact("c/p");
        assert_eq!((&*strange.session, strange.segment_start_us), ("", 0));
    }
}
