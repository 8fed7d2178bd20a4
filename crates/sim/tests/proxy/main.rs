//! The breaking path, between real sockets.
#![cfg(test)]

mod breaks;
mod doors;
mod ends;
mod weather;
