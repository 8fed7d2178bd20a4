//! The truth ledger: every event that the vendor ever made, and what it did with each.

mod file;
mod ledger;
mod recorder;

pub(crate) use ledger::FirstCoverages;
pub use ledger::{
    SubscriptionEnd, Truth, TruthEvent, TruthFact, TruthHistoryPage, TruthPage, TruthRow,
    TruthSubscription,
};
pub(crate) use recorder::Recorder;
