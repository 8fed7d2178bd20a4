//! `unbroken kill` (hidden): a service is killed again and again at random moments of a faulty run,
//! and what is left is judged like a demo.
//!
//! The simulated vendor lives in this process, the service is a child: `unbroken run` on a data
//! directory, ended by SIGKILL, started again, and at the very end by SIGTERM. A sink of files is
//! fed all the while: it must hold what the log holds, line for line.

mod files;
mod session;
mod vendor;

pub(crate) use session::run;
#[cfg(feature = "proof")]
pub(crate) use session::{come_to_rest, kill_now};
#[cfg(feature = "proof")]
pub(crate) use vendor::{Meant, Running};
