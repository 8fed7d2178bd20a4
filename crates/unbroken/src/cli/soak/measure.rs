//! What a process uses, as the kernel says.

use std::fs;
use std::io;

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    /// Resident memory, in bytes.
    pub(super) rss_bytes: u64,
    /// The part of it that no file stands behind: heap and stacks, in bytes.
    pub(super) anonymous_bytes: u64,
    /// Threads.
    pub(super) thread_count: u64,
    /// Open file descriptors.
    pub(super) file_count: u64,
}

impl Use {
    /// Looks at a process.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let file_count = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let field = |name| field(&status, name).ok_or(io::ErrorKind::InvalidData);
        Ok(Self {
            rss_bytes: field("VmRSS:")? * 1_024,
            anonymous_bytes: field("RssAnon:")? * 1_024,
            thread_count: field("Threads:")?,
            file_count: u64::try_from(file_count).unwrap_or(u64::MAX),
        })
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Use;

    #[test]
    fn a_process_finds_what_it_has_allocated_and_opened() {
        let pid = std::process::id();
        let before = Use::of(pid).expect("we exist");
        let block = vec![1_u8; 64 << 20];
        let file = std::fs::File::open("/proc/self/status").expect("a file");
        let after = Use::of(pid).expect("we exist");
        assert_eq!(block.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 64 << 20);
        assert!(after.anonymous_bytes >= before.anonymous_bytes + (60 << 20));
        assert!(after.rss_bytes >= after.anonymous_bytes);
        assert!(after.file_count >= 4 && after.thread_count >= 1);
        drop(file);
    }
}
