//! The store's tests; they share one world.
#![cfg(test)]

mod feeder;
mod fold_equality;
mod reader;
mod rebuild;
mod replay;
mod staleness;
mod verify;
mod views;
mod world;
