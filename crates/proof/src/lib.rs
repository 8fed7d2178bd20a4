//! The whole pipeline in virtual time: a simulated vendor, a network that breaks, the real source,
//! the real machine, the real journal on a disk that fails, processes that die, clocks that jump;
//! and the judge at the end.
//!
//! One [`Plan`] is one history, byte for byte. [`play`] plays it, [`Campaign`] plays many.
//! Nothing depends on this crate.

mod agenda;
mod blows;
mod campaign;
mod clocks;
mod coverage;
mod director;
mod driver;
mod errands;
mod error;
mod evidence;
mod frames;
mod judgement;
mod log;
mod mutant;
mod network;
mod outcome;
mod plan;
mod report;
mod setting;
mod shrink;
mod simulation;
mod trouble;
mod unreached;
mod violation;
mod witness;

pub use campaign::{Campaign, STEPS, Summary, play, play_aloud};
pub use coverage::{Coverage, Kind, State};
pub use error::ProofError;
pub use mutant::ChosenMutant;
pub use outcome::Outcome;
pub use plan::{Blow, Plan, Step, read_steps};
pub use setting::Setting;
pub use shrink::{Shrunk, shrink};
pub use trouble::{Ours, Trouble};
pub use violation::Violation;
