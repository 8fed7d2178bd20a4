//! Work that holds up a thread, on one where it holds up nobody.

use std::panic::resume_unwind;

use crate::crash::carried;

/// Waits for work that a stop need not wait for.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(carried(work)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is ending, and nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}
