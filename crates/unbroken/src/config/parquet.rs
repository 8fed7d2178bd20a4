//! `parquet = { … }` of a `[[sink]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;
use url::Url;

use super::store::options_fault;

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
const SCHEMES: [&str; 6] = ["s3", "s3a", "gs", "az", "abfs", "abfss"];

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
        // Nothing of it is told: it may hold what is secret.
        if !Url::parse(url).is_ok_and(|url| is_of_store(&url)) {
            let what = format!("sink `{name}`: `url` is none of an object store");
            return Some((
                what,
                "use `s3://bucket/prefix`, `gs://…` or `az://…`, and nothing more",
            ));
        }
        options_fault(name, &self.options, &self.secrets)
    }
}

fn is_of_store(url: &Url) -> bool {
    // An account of Azure's is named like a user.
    let is_named = url.username().is_empty() || url.scheme().starts_with("abfs");
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
    SCHEMES.contains(&url.scheme()) && url.host_str().is_some() && is_named && is_plain
}

#[cfg(test)]
mod tests {
    use super::ParquetSection;

    fn fault(text: &str) -> String {
        let section: ParquetSection = toml::from_str(text).expect("its keys are right");
        section.fault("lake").map_or_else(String::new, |(what, _)| what)
    }

    #[test]
    fn a_directory_or_a_store_is_named() {
        assert_eq!(fault("dir = \"d\""), "");
        for url in ["s3://b/p", "gs://b", "az://c/p", "abfss://c@account.dfs.core.windows.net/p"] {
            assert_eq!(fault(&format!("url = \"{url}\"")), "", "{url}");
        }
        for text in ["", "dir = \"d\"\nurl = \"s3://b\"", "dir = \"d\"\nca_file = \"f\""] {
            assert_ne!(fault(text), "", "{text}");
        }
        for url in ["file:///b", "https://h/b?sig=s3cr3t", "s3://k:s3cr3t@b/p", "s3://b?s3cr3t"] {
            let told = fault(&format!("url = \"{url}\""));
            assert!(told.contains("none of an object store") && !told.contains("s3cr3t"), "{told}");
        }
    }

    #[test]
    fn nothing_goes_in_clear_to_another_machine() {
        let with = |options: &str| fault(&format!("url = \"s3://b/p\"\noptions = {{ {options} }}"));
        let here = "aws_endpoint = \"http://127.0.0.1:9000\", allow_http = \"true\"";
        assert_eq!(with(here), "");
        for endpoint in [
            "http://store.example",
            "HTTP://store.example",
            "http://localhost:80@store.example/",
            "http://127.0.0.1.example",
        ] {
            for key in ["aws_endpoint", "aws_endpoint_url_s3", "google_base_url"] {
                let told = with(&format!("{key} = \"{endpoint}\""));
                assert!(told.contains("in clear"), "{key} {endpoint}: {told}");
            }
        }
        assert!(with("allow_http = \"true\"").contains("without an address"));
        assert!(with("allow_invalid_certificates = \"true\"").contains("trust anybody"));
        assert!(with("aws_secret_access_key = \"s3cr3t\"").contains("is a secret"));
        assert_eq!(with("aws_access_key_id = \"k\", aws_region = \"r\""), "");
        let hidden = "url = \"s3://b\"\nsecrets = { aws_endpoint = { env = \"E\" } }";
        assert!(fault(hidden).contains("is no secret"));
    }
}
