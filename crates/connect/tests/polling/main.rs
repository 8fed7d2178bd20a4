//! Goal: a source that is asked again and again is a connection like any other, and no answer that
//! is lost, torn or refused moves the place that is asked from.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod checking;
mod discovery;
mod driven;
mod vendor;
