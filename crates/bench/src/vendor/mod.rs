//! The server that all contestants read from: events encoded beforehand, so that it costs little.

mod certificate;
mod events;
mod http;
mod server;
mod socket;

pub(crate) use events::{FIRST_SEQUENCE, Frames, agent_of, frame_of};
pub(crate) use server::{VendorSettings, run};
