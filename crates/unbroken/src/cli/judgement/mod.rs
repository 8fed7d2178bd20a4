//! Holds a record against the simulated vendor's truth, and says so in words and in JSON.

mod evidence;
mod gaps;
mod words;

pub(crate) use evidence::Witnesses;
pub(crate) use gaps::GapTally;
pub(crate) use words::{explain, figures_json};
