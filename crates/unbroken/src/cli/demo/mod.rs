//! `unbroken demo`: a vendor that breaks, a record that does not, and a judge.
//!
//! Simulator and pipeline run in one process and speak over loopback sockets. The pipeline is the
//! product's own, with the timers of the `demo` preset. What it is judged by is read back from its
//! journal on disk.

mod director;
mod episode;
mod narrate;
mod play;
mod polling;
mod report;
mod session;
mod story;
mod tally;
mod watch;

pub(crate) use session::run;
