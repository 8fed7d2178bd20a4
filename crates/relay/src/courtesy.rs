//! Recording goes before clients: what is not recorded may be lost, and a client that is late is
//! told later.

/// Of the operating system's, which end at 19: beside a thread that records, and has no time to
/// spare, the relay's has a tenth of a processor. Less would keep clients waiting for seconds.
#[cfg(target_os = "linux")]
const PRIORITY: i32 = 10;

/// Lets this thread have what processors the others leave. Only Linux knows a priority of one
/// thread; elsewhere this would be one of the whole service.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, PRIORITY) {
        tracing::debug!(%error, "thread of the relay has the same priority as all others");
    }
}
