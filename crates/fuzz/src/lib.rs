//! What must hold of everything that reads bytes from outside, whatever the bytes are.
//!
//! Each target has one function, `check`, that takes any bytes and panics if something that must
//! hold does not; it says whether the bytes made sense. The fuzzer calls it (`make fuzz`), and the
//! tests do, with the corpus in `corpus` and with small changes of it.

pub mod batch;
pub mod frame;
pub mod history;
pub mod image;
pub mod log;
pub mod notification;
pub mod page;
pub mod profile;
mod vendors;

/// Takes any bytes; says whether they made sense.
pub type Check = fn(&[u8]) -> bool;

/// The name of each target with its `check`.
pub const TARGETS: &[(&str, Check)] = &[
    ("batch", batch::check),
    ("frame", frame::check),
    ("image", image::check),
    ("log", log::check),
    ("notification", notification::check),
    ("page", page::check),
    ("profile", profile::check),
];
