//! Real input: a real etcd server, written to by an independent writer, recorded by the real binary
//! over a path that breaks.
//!
//! Needs Debian's `etcd-server` and `etcd-client` (`make setup` installs them). `UNBROKEN_SEED`
//! sets the seed; `--nocapture` shows the figures.

#![cfg(test)]

mod check;
mod crowd;
mod figures;
mod history;
mod kill;
mod outages;
mod plan;
#[path = "../../../sink/tests/sink/ports.rs"]
mod ports;
mod quiet;
mod record;
mod scene;
mod server;
mod service;
mod sources;
mod transactions;
mod writer;

use std::net::{Ipv4Addr, SocketAddr};

use fastrand::Rng;
use unbroken_sim::proxy::{Proxy, Route};

const SEED: u64 = 1;

/// The seed, said aloud.
fn seeded(test: &str) -> Rng {
    let given = std::env::var("UNBROKEN_SEED").ok();
    let seed = given.map_or(SEED, |seed| seed.parse().expect("UNBROKEN_SEED is a number"));
    eprintln!("{test}: UNBROKEN_SEED={seed}");
    Rng::with_seed(seed)
}

/// A path to a port of this machine, on which the watches are marked.
fn watched_path(to_port: u16) -> Proxy {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, to_port));
    Proxy::start(Route { mark: b"GET /v3/watch".to_vec(), ..Route::to(to) }).unwrap()
}
