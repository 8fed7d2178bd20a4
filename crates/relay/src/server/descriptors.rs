//! Each connection is an open file, and of those the system allows a process too few by default.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Open files beside connections: the log's segments, the store, sources, readings of old records.
const OTHERS: u64 = 256;

/// Raises this process's own limit as far as it may and as far as is needed.
pub(crate) fn raise_descriptors(connections_max: usize) {
    let needed = connections_max as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let Some(now) = limit.current.filter(|now| *now < needed) else { return };
    let most = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit { current: Some(most), maximum: limit.maximum };
    let is_raised = most > now && setrlimit(Resource::Nofile, raised).is_ok();
    let limit = if is_raised { most } else { now };
    if limit < needed {
        let todo = "raise the limit of open files (`ulimit -n`, `LimitNOFILE=`), or lower \
                    `connections_max`";
        warn!(limit, needed, todo, "relay may not have as many connections as it would take");
    } else {
        debug!(limit, "limit of open files raised");
    }
}
