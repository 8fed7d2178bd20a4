//! What a client's record is worth, held against the truth.
//!
//! M are the ledger's events of subscribed agents from the first coverage on; J are the client's
//! change records of origin live or replay. Positioned events are matched by (epoch, position, key,
//! ordinal) and must have the vendor's body; unpositioned ones by the longest common subsequence of
//! bodies per key. What each figure counts is said at [`Verdict`].

mod coverage;
mod deaths;
mod epochs;
mod facts;
mod figures;
mod input;
mod judge;
mod lost;
mod pairing;
mod stale;
mod streams;
mod subsequence;
#[cfg(test)]
mod tests;

pub(crate) use coverage::Standing;
pub use facts::{FactVerdict, StoredFact, judge_facts};
pub use figures::{Example, Verdict};
pub use input::{
    Death, Evidence, FinalValue, LedgerRow, LiveInterval, Origin, Outcome, Place, Stored,
};
#[cfg(test)]
pub(crate) use judge::Missing;
pub use judge::judge;
pub(crate) use judge::{Judged, judge_closely};
pub(crate) use pairing::body_of;
