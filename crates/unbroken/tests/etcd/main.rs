//! Real input: a real etcd server, written to by an independent writer, recorded by the real binary
//! over a path that breaks.
//!
//! Needs Debian's `etcd-server` and `etcd-client` (`make setup` installs them). `UNBROKEN_SEED`
//! sets the seed; `--nocapture` shows the figures.

#![cfg(test)]

mod outages;
mod plan;
mod proxy;
mod record;
mod server;
mod service;
mod transactions;
mod writer;

use fastrand::Rng;

const SEED: u64 = 1;

/// The seed, said aloud.
fn seeded(test: &str) -> Rng {
    let given = std::env::var("UNBROKEN_SEED").ok();
    let seed = given.map_or(SEED, |seed| seed.parse().expect("UNBROKEN_SEED is a number"));
    eprintln!("{test}: UNBROKEN_SEED={seed}");
    Rng::with_seed(seed)
}
