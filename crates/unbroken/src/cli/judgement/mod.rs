//! Holds a record against the simulated vendor's truth, and says so in words and in JSON.

mod evidence;
mod gaps;
mod judgement;
mod words;

pub(crate) use judgement::{Judgement, QUIESCENCE_MAX, is_quiet};
pub(crate) use words::{explain, figures_json};
