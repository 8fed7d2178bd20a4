//! Where records go.

use unbroken_core::record::Append;

/// The journal, as the driver sees it.
///
/// `submit` hands a unit over and returns at once: what is handed over and not yet durable is
/// bounded by the driver, which stops reading the sockets. Answers come back as inputs, `Appended`
/// (cumulative) or `AppendFailed`, through the channel given to [`crate::drive`].
pub trait Log {
    /// Takes a unit; units arrive in the order of their ids.
    fn submit(&self, append: Append);
}

impl<T: Log + ?Sized> Log for std::sync::Arc<T> {
    fn submit(&self, append: Append) {
        (**self).submit(append);
    }
}
