//! How the record reads as JSON: one form for the command line, for the relay, for hooks and for
//! exports, so that no two of them tell the same thing differently.

mod clock;
mod cloudevent;
mod fields;
mod filter;
mod line;
mod payload;
mod record;
mod row;
pub mod words;

pub use clock::{wall, wall_now};
pub use cloudevent::{cloudevent_json, lapse_cloudevent, open_gap_cloudevent};
pub use fields::fields_text;
pub use filter::Filter;
pub use line::{cloudevent, record_line, write_cloudevent};
pub use record::{RECORD_HEADINGS, RECORD_KINDS, kind, record_fields, record_row};
pub use row::{gap_json, state_json};
