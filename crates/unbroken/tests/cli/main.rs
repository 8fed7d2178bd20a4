//! What a person sees: stdout, stderr and exit code of every command, and of every error that a new
//! user can make, held against files in `golden/`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p unbroken --test cli` writes the files anew; read the difference.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod check;
mod config_errors;
mod configuration;
mod data;
mod export;
mod fixture;
mod golden;
mod manual;
mod position;
mod profile;
mod repair;
mod usage;
