//! The configurations that `init` prints.

/// For NICE CXone.
pub const CXONE: &str = include_str!("cxone.toml");

/// For etcd.
pub const ETCD: &str = include_str!("etcd.toml");
