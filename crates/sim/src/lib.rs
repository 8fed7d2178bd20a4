//! A contact-centre vendor that does not exist: real sockets, published rules, faults on request,
//! and a ledger of the truth.
//!
//! [`Vendor`] speaks a CXone-shaped dialect ([`cxone`] has the rules that it obeys) or Genesys
//! Cloud's ([`genesys`]) over HTTP and WebSocket on one listener. Its agents live through shifts;
//! every event that it ever made is in its [`Truth`], so that what a client holds afterwards can be
//! judged by [`verdict`] event by event. A [`Fault`] breaks one promise that real vendors break,
//! once, and is reported as fired only when the client could see it on the wire.
//!
//! The wire structs here are written from the rules alone and shared with no client: one misreading
//! of the dialect must not be able to pass every test.

pub mod conformance;
pub mod cxone;
mod dialect;
mod error;
mod estate;
pub mod fault;
pub mod genesys;
mod load;
pub mod polling;
pub mod proxy;
mod server;
mod settings;
pub mod truth;
mod vendor;
pub mod verdict;
mod virtual_vendor;
mod world;

pub use dialect::Dialect;
pub use error::SimError;
pub use fault::{Fault, FaultCounts, FaultNews, News, Script, Stage};
pub use load::Load;
pub use polling::{PollFault, PollTruth, PollVendor, judge_poll};
pub use settings::{Body, Numbering, Settings};
pub use truth::Truth;
pub use vendor::{Account, Credentials, Vendor};
pub use verdict::Verdict;
pub use virtual_vendor::{Heard, Reply, Turn, VirtualVendor};
