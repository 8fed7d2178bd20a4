//! The store's tests; they share one world.
#![cfg(test)]

mod fold_equality;
mod rebuild;
mod verify;
mod world;
