//! The vendor's world: agents, their events, the numbering, and what is kept of it.

mod clock;
mod event;
mod life;
mod roster;
mod tenant;

pub(crate) use clock::{Clock, http_date, iso_micros};
pub(crate) use event::Event;
pub(crate) use tenant::{Page, World};
