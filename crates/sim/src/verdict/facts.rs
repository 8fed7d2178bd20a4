//! What a client's facts of history are worth.

use std::collections::HashSet;

use crate::truth::{Truth, TruthFact};

/// A fact that a client holds, by its identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredFact {
    /// With the three that follow: its identity.
    pub conversation: String,
    /// Who took part.
    pub participant: String,
    /// In which session.
    pub session: String,
    /// The segment's begin, microseconds since 1970.
    pub segment_start_us: i64,
}

impl StoredFact {
    fn is_of(fact: &TruthFact) -> Self {
        Self {
            conversation: fact.conversation.clone(),
            participant: fact.participant.clone(),
            session: fact.session.clone(),
            segment_start_us: fact.segment_start_us,
        }
    }
}

/// The figures; all but the first are 0 for a client without fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactVerdict {
    /// Facts that were open or ended in one of the intervals.
    pub required: u64,
    /// Of these: not held.
    pub missing: u64,
    /// Held more than once, each further time.
    pub duplicated: u64,
    /// Held, and none of the vendor's.
    pub unknown: u64,
}

impl FactVerdict {
    /// Whether nothing failed.
    pub fn is_clean(&self) -> bool {
        self.missing + self.duplicated + self.unknown == 0
    }
}

/// Judges the facts that a client holds: every one that was open or ended within one of the
/// intervals (begin and end, microseconds since 1970), once. Facts beyond them may be held too.
pub fn judge_facts(truth: &Truth, intervals: &[(i64, i64)], held: &[StoredFact]) -> FactVerdict {
    let mut verdict = FactVerdict::default();
    let mut seen: HashSet<&StoredFact> = HashSet::new();
    verdict.duplicated = held.iter().filter(|fact| !seen.insert(fact)).count() as u64;
    let known: HashSet<StoredFact> = truth.facts.iter().map(StoredFact::is_of).collect();
    verdict.unknown = seen.iter().filter(|fact| !known.contains(**fact)).count() as u64;
    for fact in &truth.facts {
        let is_within = |(from_us, to_us): &(i64, i64)| {
            fact.segment_start_us < *to_us && fact.segment_end_us.is_none_or(|end| end > *from_us)
        };
        if intervals.iter().any(is_within) {
            verdict.required += 1;
            verdict.missing += u64::from(!seen.contains(&StoredFact::is_of(fact)));
        }
    }
    verdict
}
