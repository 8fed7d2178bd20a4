//! Secrets that cannot be printed, and where they are read from.

mod command;
mod secret_source;
mod text;

pub use secret_source::{SecretError, SecretSource};
pub use text::Secret;
