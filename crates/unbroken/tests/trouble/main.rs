//! The real binary where something is wrong: what it says, how it ends, and what it never says.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod agents;
mod answers;
mod credentials;
mod disk;
mod house;
mod places;
mod secrecy;
mod stub;
mod tunnel;
