//! `nats = { … }` of a `[[sink]]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;
use unbroken_sink::nats_servers;

/// A stream of NATS JetStream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsSection {
    /// `nats://user@host:port`; several with commas between them.
    pub url: String,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// A token, in place of user and password.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// What is in a file of credentials, in their place.
    #[serde(default)]
    pub credentials: Option<SecretSource>,
    /// The stream.
    #[serde(default = "stream")]
    pub stream: String,
    /// Where the subjects begin, which belong to this sink.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// On how many servers the stream is kept, if it is made.
    #[serde(default = "replicas")]
    pub replicas: u64,
    /// Most messages of one atomic batch, which the server's configuration limits.
    #[serde(default = "batch_messages_max")]
    pub batch_messages_max: usize,
    /// How long the server keeps a message, in milliseconds; without it as long as the stream does.
    #[serde(default)]
    pub keep_ms: Option<u64>,
    /// Whether TLS must be spoken.
    #[serde(default)]
    pub tls: Option<bool>,
    /// Further certificates to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn stream() -> String {
    "UNBROKEN".to_owned()
}

fn prefix() -> String {
    "unbroken".to_owned()
}

fn replicas() -> u64 {
    1
}

/// The server's own limit, unless it is told otherwise (`limits { batch { max_msgs } }`).
fn batch_messages_max() -> usize {
    1_000
}

/// The checkpoint and what may come beside one record, and as much as one commit should ever be.
const BATCH_MESSAGES: RangeInclusive<usize> = 10..=100_000;

/// Longest name of a stream that the server takes.
const STREAM_MAX: usize = 255;

/// The server counts in seconds.
const KEEP_MS_MIN: u64 = 1_000;

impl NatsSection {
    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        let told = |what: String, hint| Some((format!("sink `{name}`: {what}"), hint));
        let servers = match nats_servers(&self.url, self.tls) {
            Ok(servers) => servers,
            Err(error) => return told(error.to_string(), error.hint()),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(is_plain);
        if !is_name(&self.stream) || self.stream.len() > STREAM_MAX {
            let what = format!("`{}` is no name for a stream", self.stream);
            return told(what, "use letters, digits, `-` and `_`, 255 at the most");
        }
        if !self.prefix.split('.').all(is_name) || self.prefix.len() > STREAM_MAX {
            let what = format!("`{}` is no beginning of a subject", self.prefix);
            return told(what, "use letters, digits, `-` and `_`, with dots between them");
        }
        let secrets = [&self.password, &self.token, &self.credentials];
        if secrets.into_iter().flatten().count() > 1 {
            let what = "it has more than one of `password`, `token` and `credentials`".to_owned();
            return told(what, "keep the one that the server asks for");
        }
        if self.password.is_some() != servers.user().is_some() {
            let what = "a user and its `password` belong together".to_owned();
            return told(what, "name the user in `url`, as `nats://user@host:4222`, or neither");
        }
        if !(1..=5).contains(&self.replicas) {
            let what = format!("`replicas` is {}", self.replicas);
            return told(what, "a stream is kept on 1 to 5 servers; 3 outlive the loss of one");
        }
        if !BATCH_MESSAGES.contains(&self.batch_messages_max) {
            let what = format!("`batch_messages_max` is {}", self.batch_messages_max);
            return told(what, "use 10 to 100000: what the server's configuration says, or 1000");
        }
        if self.keep_ms.is_some_and(|keep_ms| keep_ms < KEEP_MS_MIN) {
            return told("`keep_ms` is below 1000".to_owned(), "the server counts in seconds");
        }
        None
    }

    /// Whether one of the two has, in one stream, subjects below the other one's. Who logs in as
    /// somebody else may be in another account, where the name is that of another stream.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let servers = |section: &Self| nats_servers(&section.url, section.tls).ok();
        let is_one_account = servers(self).zip(servers(other)).is_some_and(|(ours, theirs)| {
            ours.meet(&theirs)
                && ours.user() == theirs.user()
                && is_same(self.token.as_ref(), other.token.as_ref())
                && is_same(self.credentials.as_ref(), other.credentials.as_ref())
        });
        let [ours, theirs] = [self, other].map(|section| format!("{}.", section.prefix));
        is_one_account
            && self.stream == other.stream
            && (ours.starts_with(&theirs) || theirs.starts_with(&ours))
    }
}

fn is_same(one: Option<&SecretSource>, other: Option<&SecretSource>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(SecretSource::File(one)), Some(SecretSource::File(other))) => one == other,
        (Some(SecretSource::Env(one)), Some(SecretSource::Env(other))) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::NatsSection;

    #[test]
    fn subjects_of_one_stream_belong_to_one_sink() {
        let section = |url: &str, more: &str| -> NatsSection {
            toml::from_str(&format!("url = \"nats://{url}\"\n{more}")).unwrap()
        };
        let ours = section("u@a,nats://u@b:4222", "");
        for (url, more, is_so) in [
            ("u@a", "", true),
            ("u@b", "prefix = \"unbroken.eu\"", true),
            ("u@b", "prefix = \"unbroken-eu\"", false),
            ("u@b", "prefix = \"un\"", false),
            ("u@a", "stream = \"OTHER\"", false),
            ("v@a", "", false),
            ("u@a", "credentials = { file = \"u.creds\" }", false),
            ("u@c", "", false),
            ("u@a:4223", "", false),
        ] {
            let theirs = section(url, more);
            assert_eq!(ours.overlaps(&theirs), is_so, "{url} {more}");
            assert_eq!(theirs.overlaps(&ours), is_so, "{url} {more}");
        }
    }
}
