//! Ports of the loopback address for servers that are programs of their own.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// One that this process gives once, and that the system gives to nobody who asks for any: it stays
/// the server's while it is killed and started again.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end: Option<u32> = range.split_whitespace().next().and_then(|low| low.parse().ok());
    // Where it cannot be read: as Linux has it unless it is told otherwise.
    let count = end.unwrap_or(32_768).max(FIRST + 1_000) - FIRST;
    // Processes that follow each other begin apart.
    let begin = std::process::id().wrapping_mul(101) % count;
    for _ in 0..count {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + begin.wrapping_add(given) % count;
        let port = u16::try_from(port).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
