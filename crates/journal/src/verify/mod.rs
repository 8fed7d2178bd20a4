//! Reading the whole log again and saying what is wrong with it.
//!
//! Offline and read-only. Opening the journal trusts what lies before the newest image; this does
//! not: it follows the chain from the first byte, folds the log again and compares, and checks what
//! the records say of themselves.

mod events;
mod intervals;
mod report;
mod walk;

pub use report::{Finding, FindingKind, OpenGap, Report, TornTail};
pub use walk::{VerifyOptions, verify};
