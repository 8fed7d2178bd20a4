//! `postgres = { … }` of a `[[sink]]`.

use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;

/// A PostgreSQL database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSection {
    /// `postgresql://user@host:port/database`.
    pub url: String,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// The schema, which belongs to this sink.
    #[serde(default = "schema")]
    pub schema: String,
    /// In how many tables its events are kept; said when the schema is made.
    #[serde(default)]
    pub partition_by: Option<PartitionBy>,
    /// Further certificates to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A table for each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartitionBy {
    /// Day on which an event came, in UTC.
    Day,
}

fn schema() -> String {
    "unbroken".to_owned()
}

/// The server keeps so many bytes of a name, and cuts longer ones without a word.
const SCHEMA_BYTES_MAX: usize = 63;

impl PostgresSection {
    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        if let Err(error) = unbroken_sink::postgres_server(&self.url) {
            return Some((format!("sink `{name}`: {error}"), error.hint()));
        }
        let schema = &self.schema;
        let is_name = (1..=SCHEMA_BYTES_MAX).contains(&schema.len()) && !schema.contains('\0');
        (!is_name || schema.starts_with("pg_")).then(|| {
            let what = format!("sink `{name}`: `{schema}` is no name for a schema");
            (what, "use 1 to 63 bytes, and not `pg_…`, which is the server's own")
        })
    }
}
