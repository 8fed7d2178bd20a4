//! `redshift = { … }` of a `[[sink]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;

use super::store::options_fault;

/// A schema of Amazon Redshift, and the place in S3 from which it loads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedshiftSection {
    /// `postgresql://user@host:port/database`.
    pub url: String,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// The schema, which belongs to this sink.
    #[serde(default = "schema")]
    pub schema: String,
    /// Where batches lie until they are loaded: `s3://bucket/prefix`.
    pub stage: String,
    /// Options of S3, by the names that its own tools give them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Options that are secrets.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSource>,
    /// The role by which COPY reads the files; without it, the keys of `options` and `secrets`.
    #[serde(default)]
    pub iam_role: Option<String>,
    /// Further certificates to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn schema() -> String {
    "unbroken".to_owned()
}

/// Longest name of a schema in Redshift.
const SCHEMA_BYTES_MAX: usize = 127;

impl RedshiftSection {
    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        if let Err(error) = unbroken_sink::redshift_server(&self.url) {
            return Some((format!("sink `{name}`: {error}"), error.hint()));
        }
        if !is_schema(&self.schema) {
            let what = format!("sink `{name}`: `{}` is no name for a schema", self.schema);
            return Some((
                what,
                "use a letter, then letters, digits and `_`, in lower case, as Redshift keeps \
                 them; and not `pg_…`, which is the server's own",
            ));
        }
        // Nothing of it is told: somebody may have put a secret there.
        if !is_stage(&self.stage) {
            let what = format!("sink `{name}`: `stage` is no place in S3");
            return Some((what, "use `s3://bucket/prefix`, with letters, digits and `-_.` alone"));
        }
        if self.iam_role.as_deref().is_some_and(|role| !is_role(role)) {
            let what = format!("sink `{name}`: `iam_role` is no role");
            return Some((what, "use `arn:aws:iam::ACCOUNT:role/NAME`, or `default`"));
        }
        let names = |key: &str| key.contains("access_key_id");
        let has_key = self.options.keys().chain(self.secrets.keys()).any(|key| names(key));
        if self.iam_role.is_none() && !has_key {
            let what = format!("sink `{name}`: COPY is given neither a role nor keys");
            return Some((
                what,
                "name `iam_role`, or `aws_access_key_id` in `options` and \
                 `aws_secret_access_key` in `secrets`",
            ));
        }
        options_fault(name, &self.options, &self.secrets)
    }
}

fn is_schema(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=SCHEMA_BYTES_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(is_plain)
        && !name.starts_with("pg_")
}

fn is_stage(url: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let Some(path) = url.strip_prefix("s3://") else { return false };
    let mut parts = path.split('/');
    parts.all(|part| !part.is_empty() && part != ".." && part != "." && part.bytes().all(is_plain))
}

fn is_role(role: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/+=,.@_-".contains(&byte);
    role == "default" || (role.starts_with("arn:") && role.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::RedshiftSection;

    fn fault(more: &str) -> String {
        let text = format!("url = \"postgresql://u@h/wfm\"\n{more}");
        let section: RedshiftSection = toml::from_str(&text).expect("its keys are right");
        section.fault("wfm").map_or_else(String::new, |(what, _)| what)
    }

    #[test]
    fn a_place_and_a_role_or_keys_are_named() {
        let role = "iam_role = \"arn:aws:iam::123456789012:role/copy\"\n";
        let default = "iam_role = \"default\"\n";
        let keys = "options = { aws_access_key_id = \"k\" }\n";
        for access in [role, default, keys] {
            assert_eq!(fault(&format!("stage = \"s3://b/p/q\"\n{access}")), "", "{access}");
        }
        assert!(fault("stage = \"s3://b\"").contains("neither a role nor keys"));
        for stage in
            ["", "s3://", "s3://b/", "s3://b/it's", "s3://b?s3cr3t", "gs://b/p", "s3://b/../c"]
        {
            let told = fault(&format!("stage = \"{stage}\"\n{role}"));
            assert!(told.contains("no place in S3") && !told.contains("s3cr3t"), "{stage}: {told}");
        }
        for role in ["", "copy", "arn:aws:iam::1:role/it's"] {
            let told = fault(&format!("stage = \"s3://b\"\niam_role = \"{role}\""));
            assert!(told.contains("no role"), "{role}: {told}");
        }
    }

    #[test]
    fn a_schema_has_the_name_that_the_server_keeps() {
        let with = |schema: &str| {
            fault(&format!("stage = \"s3://b\"\niam_role = \"default\"\nschema = \"{schema}\""))
        };
        assert_eq!(with("wfm_2"), "");
        for schema in ["", "Wfm", "2wfm", "w-fm", "pg_wfm", "w fm"] {
            assert!(with(schema).contains("no name for a schema"), "{schema}");
        }
    }

    #[test]
    fn what_holds_for_every_store_holds_for_this_one() {
        let with = |options: &str| {
            fault(&format!("stage = \"s3://b\"\niam_role = \"default\"\noptions = {{ {options} }}"))
        };
        assert!(with("aws_endpoint = \"http://store.example\"").contains("in clear"));
        assert!(with("aws_secret_access_key = \"s3cr3t\"").contains("is a secret"));
    }
}
