//! `kafka = { … }` of a `[[sink]]`. Every build reads it, so that one without Kafka can say so.

#[cfg(any(feature = "kafka", test))]
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;

/// Topics of Apache Kafka.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSection {
    /// `host:port` of some of the brokers, with commas between them.
    pub servers: String,
    /// Where the topics' names begin, which belong to this sink.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// Of the topic of events, if it is made.
    #[serde(default = "one")]
    pub partitions: u16,
    /// On how many brokers a topic is kept, if it is made.
    #[serde(default = "one")]
    pub replicas: u16,
    /// Whether data and checkpoint are one transaction.
    #[serde(default = "yes")]
    pub transactional: bool,
    /// How an event is written.
    #[serde(default)]
    pub events: KafkaWriting,
    /// Who it is.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// How the password is shown (SASL).
    #[serde(default = "mechanism")]
    pub mechanism: String,
    /// Whether TLS must be spoken.
    #[serde(default)]
    pub tls: Option<bool>,
    /// The certificates to trust, in place of the machine's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KafkaWriting {
    /// The whole event is the value.
    #[default]
    Structured,
    /// Its data is the value, and its attributes are headers.
    Binary,
}

fn prefix() -> String {
    "unbroken".to_owned()
}

fn one() -> u16 {
    1
}

fn yes() -> bool {
    true
}

fn mechanism() -> String {
    "PLAIN".to_owned()
}

/// Those that show a password.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Kafka takes names of topics of up to 249 characters; ours end in `.dead-letters`.
const PREFIX_MAX: usize = 200;

impl KafkaSection {
    /// Unless it says otherwise, brokers on other machines are spoken to in TLS.
    #[cfg(any(feature = "kafka", test))]
    pub(crate) fn is_tls(&self) -> bool {
        let is_elsewhere = |server: &str| {
            let host = server.trim().rsplit_once(':').map_or(server, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let is_here = host == "localhost"
                || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            !is_here
        };
        self.tls.unwrap_or_else(|| self.servers.split(',').any(is_elsewhere))
    }

    /// Whether both have the same topics, as far as it can be told: one cluster has many names.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let theirs: Vec<&str> = other.servers.split(',').map(str::trim).collect();
        let mut ours = self.servers.split(',').map(str::trim);
        self.prefix == other.prefix && ours.any(|server| theirs.contains(&server))
    }

    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        let told = |what: String, hint| Some((format!("sink `{name}`: {what}"), hint));
        if !self.servers.split(',').all(|server| is_server(server.trim())) {
            let what = "`servers` names no Kafka brokers".to_owned();
            return told(what, "write `host:9092`; several with commas between them");
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let prefix = &self.prefix;
        let is_name = !prefix.is_empty() && prefix.bytes().all(is_plain);
        if !is_name || prefix.starts_with('.') || prefix.len() > PREFIX_MAX {
            let what = format!("`{prefix}` is no beginning of a topic's name");
            return told(what, "use letters, digits, `-`, `_` and dots, 200 at the most");
        }
        if self.partitions == 0 || self.replicas == 0 {
            let what = "`partitions` or `replicas` is 0".to_owned();
            return told(what, "a topic has one of each at least");
        }
        if self.user.is_some() != self.password.is_some() {
            let what = "a `user` and its `password` belong together".to_owned();
            return told(what, "set both, or neither");
        }
        if !MECHANISMS.contains(&self.mechanism.as_str()) {
            let what = format!("`mechanism` is `{}`", self.mechanism);
            return told(what, "set `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`");
        }
        None
    }
}

/// A host and a port, and no URL, in which there may be a password.
fn is_server(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_plain) && port.parse::<u16>().is_ok_and(|it| it > 0)
}

#[cfg(test)]
mod tests {
    use super::{KafkaSection, is_server};

    fn section(text: &str) -> KafkaSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn another_machine_is_spoken_to_in_tls_unless_it_is_said_otherwise() {
        for (text, is_tls) in [
            ("servers = \"kafka.example:9092\"", true),
            ("servers = \"kafka.example:9092\"\ntls = false", false),
            ("servers = \"127.0.0.1:9092\"", false),
            ("servers = \"[::1]:9092\"", false),
            ("servers = \"localhost:9092, kafka.example:9092\"", true),
            ("servers = \"localhost:9092\"\ntls = true", true),
        ] {
            assert_eq!(section(text).is_tls(), is_tls, "{text}");
        }
    }

    #[test]
    fn two_that_would_have_the_same_topics_are_found() {
        let ours = section("servers = \"a.example:9092, b.example:9092\"");
        for (theirs, overlaps) in [
            ("servers = \"b.example:9092\"", true),
            ("servers = \"b.example:9092\"\nprefix = \"other\"", false),
            ("servers = \"c.example:9092\"", false),
        ] {
            assert_eq!(ours.overlaps(&section(theirs)), overlaps, "{theirs}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for server in ["", "kafka", "kafka:", "kafka:0", "kafka://u:p@h:9092", ":9092"] {
            assert!(!is_server(server), "{server}");
        }
        for (more, why) in [
            ("prefix = \"a b\"", "no beginning"),
            ("partitions = 0", "is 0"),
            ("user = \"u\"", "belong together"),
            ("mechanism = \"GSSAPI\"", "`mechanism` is `GSSAPI`"),
        ] {
            let section = section(&format!("servers = \"h:9092\"\n{more}"));
            let (what, hint) = section.fault("s").unwrap();
            assert!(what.contains(why) && !hint.is_empty(), "{what}");
        }
        assert_eq!(section("servers = \"h:9092\"").fault("s"), None);
    }
}
