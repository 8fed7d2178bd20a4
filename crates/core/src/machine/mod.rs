//! The recovery machine of one source.

mod input;
mod output;
mod timer;
mod timing;

pub use input::{Input, Now};
pub use output::{Blocked, CloseHow, Fetch, Halt, Message, Output, Phase, Proof, Report, Rung};
pub use timer::{Timer, TimerTable};
pub use timing::Timing;

use std::collections::VecDeque;

use crate::connector::Capabilities;
use crate::ids::StreamId;

/// What a machine is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The source's streams.
    pub streams: Vec<StreamId>,
    /// What the source can do.
    pub capabilities: Capabilities,
    /// Delays and bounds.
    pub timing: Timing,
    /// Seed of the jitter.
    pub seed: u64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    config: Config,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// A machine that waits for [`Input::Restored`].
    pub fn new(config: Config) -> Self {
        Self { config, outputs: VecDeque::new() }
    }

    /// Something happened.
    pub fn handle_input(&mut self, _now: Now, _input: Input) {}

    /// What to do next; call until it says [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Wait { deadline: None, timer: None })
    }
}
