//! `parquet = { … }` of a `[[sink]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;

/// Files of Parquet: in a directory, or in an object store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetSection {
    /// The directory, which belongs to this sink.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// Or the store and the prefix, which belongs to this sink: `s3://bucket/prefix`.
    #[serde(default)]
    pub url: Option<String>,
    /// The store's options, by the names that its own tools give them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Options that are secrets.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSource>,
    /// Further certificates to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// The stores' own schemes.
const SCHEMES: [&str; 7] = ["s3", "s3a", "gs", "az", "abfs", "abfss", "https"];

impl ParquetSection {
    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        let is_for_store = !self.options.is_empty() || !self.secrets.is_empty();
        let url = match (&self.dir, &self.url) {
            (Some(_), None) if is_for_store || self.ca_file.is_some() => {
                let what = format!("sink `{name}`: a directory has no options");
                return Some((what, "leave them out, or name a store by its `url`"));
            }
            (Some(_), None) => return None,
            (None, Some(url)) => url,
            _ => {
                let what = format!("sink `{name}`: `parquet` names no place, or two");
                return Some((what, "give it a `dir`, or the `url` of an object store"));
            }
        };
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        if !SCHEMES.contains(&scheme) {
            let what = format!("sink `{name}`: `url` is none of an object store");
            return Some((what, "use `s3://bucket/prefix`, `gs://…` or `az://…`"));
        }
        let is_clear = |(key, value): (&String, &String)| {
            key.ends_with("endpoint")
                && value.strip_prefix("http://").is_some_and(|host| !is_loopback(host))
        };
        if self.options.iter().any(is_clear) {
            let what = format!("sink `{name}`: the store would be spoken to in clear");
            return Some((what, "use https; http is for a store on this machine"));
        }
        None
    }
}

fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}
