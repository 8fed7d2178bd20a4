//! The relay over a log that the test writes: every rule of its API and of its security, one
//! behaviour a file.
#![cfg(test)]

mod feed;
mod house;
mod pages;
mod security;
mod slow;
mod sse;
mod state;
mod websocket;
