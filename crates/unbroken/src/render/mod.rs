//! What people see. Data goes to stdout, everything else to stderr.

mod cloudevent;
mod error;
mod paint;
mod quantity;
mod record;
mod table;

pub use cloudevent::cloudevent_json;
pub use error::render_error;
pub use paint::Paint;
pub use quantity::{count, counted, duration_ms, millis, wall, wall_now};
pub use record::{
    RECORD_HEADINGS, RECORD_KINDS, kind, payload_json, record_fields, record_json, record_row,
};
pub use table::Table;
