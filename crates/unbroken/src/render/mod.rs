//! What people see. Data goes to stdout, everything else to stderr.

mod error;
mod paint;
mod quantity;
mod table;

pub use error::render_error;
pub use paint::Paint;
pub use quantity::{count, counted, duration_ms, millis};
pub use table::Table;
pub use unbroken_render::{
    RECORD_HEADINGS, RECORD_KINDS, cloudevent, gap_json, kind, record_fields, record_line,
    record_row, state_json, wall, wall_now, write_cloudevent,
};
