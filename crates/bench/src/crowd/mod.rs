//! A crowd at the door: what thousands of SSE clients cost the recording of events.

mod clients;
mod pairs;

pub(crate) use clients::{Crowd, run as run_clients};
pub(crate) use pairs::{Pairs, run};
