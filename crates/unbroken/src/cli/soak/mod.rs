//! `unbroken soak` (hidden): a service records a fast and faulty vendor for a long time, its memory
//! is watched, and what it recorded is judged at the end.
//!
//! The simulated vendor and the judge, whose ledger grows with every event, live in this process;
//! the service that is watched is a child. Its log is read as it grows, since retention deletes
//! behind it.

mod course;
mod measure;
mod report;
mod session;

pub(crate) use session::run;
