//! `[[sink]]`: where the record goes.

use std::time::Duration;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;
use unbroken_render::RECORD_KINDS;
use unbroken_sink::{Cut, Fields, NdjsonConfig, StartAt, Where};

use super::{
    KafkaSection, NatsSection, ParquetSection, PostgresSection, RedshiftSection, WebhookSection,
};

/// A section `[[sink]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSection {
    /// Its name: the target keeps its checkpoint under it.
    pub name: String,
    /// Where it begins if the target has no checkpoint of it yet.
    #[serde(default)]
    pub start: StartAt,
    /// Which records it is given.
    #[serde(default, rename = "where")]
    pub selection: Where,
    /// Which parts of their payloads.
    #[serde(default)]
    pub fields: Fields,
    /// Most records of one batch.
    #[serde(default)]
    pub batch_records_max: Option<usize>,
    /// A batch is closed when its payloads have come to this, in bytes.
    #[serde(default)]
    pub batch_bytes: Option<usize>,
    /// How long a batch stays open for more records once the sink has caught up, in milliseconds.
    #[serde(default)]
    pub linger_ms: Option<u64>,
    /// Files of JSON lines.
    #[serde(default)]
    pub ndjson: Option<NdjsonConfig>,
    /// A PostgreSQL database.
    #[serde(default)]
    pub postgres: Option<PostgresSection>,
    /// Files of Parquet.
    #[serde(default)]
    pub parquet: Option<ParquetSection>,
    /// A schema of Amazon Redshift.
    #[serde(default)]
    pub redshift: Option<RedshiftSection>,
    /// A URL.
    #[serde(default)]
    pub webhook: Option<WebhookSection>,
    /// A stream of NATS JetStream.
    #[serde(default)]
    pub nats: Option<NatsSection>,
    /// Topics of Apache Kafka.
    #[serde(default)]
    pub kafka: Option<KafkaSection>,
}

/// A commit costs a target about as much for one row as for some thousands; and a person who looks
/// at it sees now.
const CUT: Cut =
    Cut { records_max: 5_000, bytes: 8 * 1024 * 1024, linger: Duration::from_millis(250) };

/// Each batch is a file: who reads many small ones waits, and Redshift loads a small one as slowly
/// as a large one.
const FILES_CUT: Cut =
    Cut { records_max: 100_000, bytes: 32 * 1024 * 1024, linger: Duration::from_secs(60) };

/// So many of a NATS server's batches are one commit: while it takes one, the next is on its way.
const MESSAGES_PARTS: usize = 10;

/// Longest name: it becomes a part of file and thread names.
const NAME_MAX: usize = 64;

impl SinkSection {
    /// What is wrong with all of them together, and what to do, if anything is.
    pub(super) fn fault_of(sinks: &[Self]) -> Option<(String, &'static str)> {
        let faults = sinks.iter().enumerate().filter_map(|(at, sink)| {
            let is_taken = sinks.iter().take(at).any(|other| other.name == sink.name);
            let taken = || {
                let what = format!("two sinks are called `{}`", sink.name);
                (what, "give each sink a name of its own: its checkpoint is kept under it")
            };
            let before = sinks.iter().take(at);
            sink.fault()
                .or_else(|| is_taken.then(taken))
                .or_else(|| before.into_iter().find_map(|other| sink.overlap(other)))
        });
        faults.into_iter().next()
    }

    /// Whether a secret of its target stands in the configuration itself.
    pub(crate) fn has_literal(&self) -> bool {
        let Self { kafka, nats, parquet, postgres, redshift, webhook, .. } = self;
        let of_nats = nats.iter().flat_map(|it| [&it.password, &it.token, &it.credentials]);
        let of_files = parquet.iter().map(|it| &it.secrets);
        let of_stores = of_files.chain(redshift.iter().map(|it| &it.secrets));
        let single = [
            kafka.as_ref().and_then(|it| it.password.as_ref()),
            postgres.as_ref().and_then(|it| it.password.as_ref()),
            redshift.as_ref().and_then(|it| it.password.as_ref()),
            webhook.as_ref().and_then(|it| it.secret.as_ref()),
        ];
        let mut all = (single.into_iter().flatten())
            .chain(of_nats.flatten())
            .chain(of_stores.flat_map(|secrets| secrets.values()))
            .chain(webhook.iter().flat_map(|it| &it.secrets));
        all.any(SecretSource::is_literal)
    }

    /// What was left out when this program was built, and how it is built with it, if anything is
    /// missing.
    pub(super) fn unbuilt(sinks: &[Self]) -> Option<(String, &'static str)> {
        let sink = sinks.iter().find(|sink| sink.kafka.is_some())?;
        (!cfg!(feature = "kafka")).then(|| {
            let what = format!("sink `{}`: this program was built without Kafka", sink.name);
            (what, "build it with `cargo build --release -p unbroken --features kafka`")
        })
    }

    /// How its batches are cut.
    pub(crate) fn cut(&self) -> Cut {
        let usual = match self {
            Self { parquet: Some(_), .. } | Self { redshift: Some(_), .. } => FILES_CUT,
            // Each part ends with a checkpoint, and none is a small rest.
            Self { nats: Some(NatsSection { batch_messages_max, .. }), .. } => {
                Cut { records_max: MESSAGES_PARTS * batch_messages_max.saturating_sub(1), ..CUT }
            }
            // Each commit waits for the disk three times, and so does whoever else writes there.
            Self { ndjson: Some(_), .. } => Cut { records_max: FILES_CUT.records_max, ..CUT },
            _ => CUT,
        };
        Cut {
            records_max: self.batch_records_max.unwrap_or(usual.records_max),
            bytes: self.batch_bytes.unwrap_or(usual.bytes),
            linger: self.linger_ms.map_or(usual.linger, Duration::from_millis),
        }
    }

    /// Whether one would take for its own what the other has below its prefix.
    fn overlap(&self, other: &Self) -> Option<(String, &'static str)> {
        if let Some((ours, theirs)) = self.kafka.as_ref().zip(other.kafka.as_ref())
            && ours.overlaps(theirs)
        {
            let what = format!(
                "sinks `{}` and `{}` share the topics `{}.…`",
                other.name, self.name, ours.prefix
            );
            return Some((what, "give each a `prefix` of its own"));
        }
        let (ours, theirs) = self.nats.as_ref().zip(other.nats.as_ref())?;
        ours.overlaps(theirs).then(|| {
            let what = format!(
                "sinks `{}` and `{}` share subjects of the stream `{}`: one's `prefix` is `{}`, \
                 the other one's `{}`",
                other.name, self.name, ours.stream, theirs.prefix, ours.prefix
            );
            (what, "give each a `prefix` that is not below the other's, or a stream of its own")
        })
    }

    fn fault(&self) -> Option<(String, &'static str)> {
        let name = self.name.as_str();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_plain) {
            let hint = "use letters, digits, `-` and `_`, 64 at the most";
            return Some((format!("`{name}` is no name for a sink"), hint));
        }
        let targets = [
            self.kafka.is_some(),
            self.ndjson.is_some(),
            self.nats.is_some(),
            self.parquet.is_some(),
            self.postgres.is_some(),
            self.redshift.is_some(),
            self.webhook.is_some(),
        ];
        match targets.into_iter().filter(|is_named| *is_named).count() {
            0 => {
                let hint = "say where it goes, as `ndjson = { dir = \"…\" }`";
                return Some((format!("sink `{name}` has no target"), hint));
            }
            1 => {}
            _ => {
                let what = format!("sink `{name}` has more than one target");
                return Some((what, "make a sink of each: every one has its own checkpoint"));
            }
        }
        let is_tables = self.postgres.is_some() || self.redshift.is_some();
        if is_tables && !self.selection.kind.is_empty() {
            let what = format!("sink `{name}`: `where` names kinds of records");
            return Some((what, "its tables are made of all of them: leave `kind` out"));
        }
        if let Some(fault) = self.postgres.as_ref().and_then(|postgres| postgres.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.parquet.as_ref().and_then(|parquet| parquet.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.redshift.as_ref().and_then(|redshift| redshift.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.webhook.as_ref().and_then(|webhook| webhook.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.nats.as_ref().and_then(|nats| nats.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.kafka.as_ref().and_then(|kafka| kafka.fault(name)) {
            return Some(fault);
        }
        let is_known = |kind: &&String| !RECORD_KINDS.contains(&kind.as_str());
        if let Some(kind) = self.selection.kind.iter().find(is_known) {
            return Some((
                format!("sink `{name}`: there is no kind of record `{kind}`"),
                "docs/reference/record.md has them all",
            ));
        }
        let bounds =
            [("batch_records_max", self.batch_records_max), ("batch_bytes", self.batch_bytes)];
        let nothing = bounds.into_iter().find(|(_, bound)| *bound == Some(0));
        nothing.map(|(key, _)| {
            let what = format!("sink `{name}`: `{key}` is 0");
            (what, "a batch holds one record at least")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SinkSection;

    #[test]
    fn a_secret_in_the_configuration_itself_is_noticed_of_every_target() {
        for target in [
            "postgres = { url = \"postgresql://u@127.0.0.1/wfm\", password = SECRET }",
            "redshift = { url = \"postgresql://u@h/wfm\", stage = \"s3://b\", password = SECRET }",
            "redshift = { url = \"postgresql://u@h/d\", stage = \"s3://b\", secrets.a = SECRET }",
            "parquet = { url = \"s3://b\", secrets = { aws_secret_access_key = SECRET } }",
            "webhook = { url = \"https://hooks.example\", secret = SECRET }",
            "webhook = { url = \"https://hooks.example\", secrets = [SECRET] }",
            "nats = { url = \"nats://u@127.0.0.1\", password = SECRET }",
            "nats = { url = \"nats://127.0.0.1\", token = SECRET }",
            "nats = { url = \"nats://127.0.0.1\", credentials = SECRET }",
            "kafka = { servers = \"127.0.0.1:9092\", user = \"u\", password = SECRET }",
        ] {
            for (secret, is_noticed) in [("\"hunter2\"", true), ("{ env = \"S\" }", false)] {
                let text = format!("name = \"s\"\n{}", target.replace("SECRET", secret));
                let section: SinkSection = toml::from_str(&text).expect(&text);
                assert_eq!(section.has_literal(), is_noticed, "{text}");
            }
        }
    }
}
