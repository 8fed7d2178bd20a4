//! The configurations that `init` prints.

/// For NICE CXone.
pub const CXONE: &str = include_str!("cxone.toml");

/// For NICE CXone, polled.
pub const CXONE_POLL: &str = include_str!("cxone_poll.toml");

/// For Genesys Cloud.
pub const GENESYS: &str = include_str!("genesys.toml");

/// For etcd.
pub const ETCD: &str = include_str!("etcd.toml");
