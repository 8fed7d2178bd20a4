//! Fan-out: the same events to many clients at once, through the relay and through the barest
//! server that the same web framework allows.

mod bare;
mod clients;
mod contest;
mod frame;
mod house;
mod outcome;
mod page;

pub(crate) use clients::{Clients, raise_files, run as run_clients};
pub(crate) use contest::{Fanout, run};
pub(crate) use house::{House, Kind, run as run_house};
