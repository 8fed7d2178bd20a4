//! The vendor, held to its published rules over real sockets.

mod carriers;
mod client;
mod faults;
mod follower;
mod outages;
mod rules;
mod scripts;
