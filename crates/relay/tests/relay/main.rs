//! The relay over a log that the test writes: every rule of its API and of its security, one
//! behaviour a file.
#![cfg(test)]

mod cxone_dialect;
mod expired;
mod feed;
mod figures;
mod genesys_dialect;
mod house;
mod pages;
mod security;
mod slow;
mod sse;
mod state;
mod tried;
mod websocket;
