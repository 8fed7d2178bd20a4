//! Recording goes before clients: what is not recorded may be lost, and a client that is late is
//! told later.

use rustix::process::setpriority_process;
use tracing::debug;

/// The operating system's last one. It counts among the threads of this service and of its own
/// group of processes alone; other services of the machine take nothing from the relay by it.
const PRIORITY: i32 = 19;

/// Lets this thread have what processors the others leave.
pub(crate) fn give_way() {
    // A system that knows no such thing gives every thread the same.
    if let Err(error) = setpriority_process(None, PRIORITY) {
        debug!(%error, "thread of the relay has the same priority as all others");
    }
}
