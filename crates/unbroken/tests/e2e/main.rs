//! The binary over real sockets against the simulated vendor, judged by the vendor's own ledger.

mod demo;
mod kill;
mod service;
mod signals;
