//! Holds a record against the simulated vendor's truth, and says so in words and in JSON.

mod evidence;
mod gaps;
mod history;
mod judged;
mod naming;
mod places;
mod words;

pub(crate) use evidence::Witnesses;
pub(crate) use judged::{Judgement, QUIESCENCE_MAX, has_all, is_at_rest, is_quiet};
pub(crate) use naming::Naming;
pub(crate) use words::{explain, figures_json};
