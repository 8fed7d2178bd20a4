//! How the binary asks the platform's allocator to give memory back.

mod allocator;

pub use allocator::settle;
