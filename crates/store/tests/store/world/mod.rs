//! A log in memory and random records to fill it with.

mod log;
mod records;
mod rows;

pub(crate) use log::MemoryLog;
pub(crate) use records::{Draw, change, filled_log, record};
pub(crate) use rows::assert_equals_fold;
