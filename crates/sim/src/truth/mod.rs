//! The truth ledger: every event that the vendor ever made, and what it did with each.

mod file;
mod ledger;
mod recorder;

pub use ledger::{SubscriptionEnd, Truth, TruthEvent, TruthPage, TruthSubscription};
pub(crate) use recorder::Recorder;
