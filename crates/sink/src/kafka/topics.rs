//! The topics: made if they are not there, and looked at before they are written to.

use std::collections::BTreeMap;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::client::{Access, Ear};
use super::fault::{code_of, fault, fault_of};
use super::held::{ASK_MAX, watermarks};
use crate::{Blocked, SinkError};

const LOOK: &str = "looking at its topics";
const MAKE: &str = "making its topics";

/// What a broker takes if nobody has said otherwise, and librdkafka as well.
const BYTES_MAX: usize = 1_000_000;

/// Below this a message has no room for a checkpoint, or for what a dead letter is called.
const BYTES_MIN: usize = 16_384;

/// What may be written to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Bytes of a message.
    pub(super) bytes_max: usize,
}

/// Of the topic of checkpoints. What is compacted is never the segment that is written to, which
/// with a broker's own gibibyte would be all of it for a week; and whoever opens the sink reads it.
/// Hosted brokers take no less than this.
const SEGMENT_BYTES: &str = "52428800";

/// Makes them ready.
pub(super) fn ready(access: &Access, runtime: &Handle) -> Result<Terms, SinkError> {
    let config = &access.config;
    let looker = access.looker()?;
    let partitions = config.partitions;
    let topics = [
        (config.events_topic(), partitions, None),
        (config.dead_letters_topic(), 1, None),
        (config.checkpoints_topic(), 1, Some("compact")),
    ];
    let mut missing = Vec::new();
    for (topic, partitions, cleanup) in &topics {
        let there = partitions_of(&looker, topic)?;
        if *cleanup == Some("compact") && there > 1 {
            let what = format!("topic `{topic}` has {there} partitions");
            let todo = "give it one: its last message is the checkpoint; or name another `prefix`";
            return Err(SinkError::blocked(what, todo));
        }
        if there == 0 {
            let replicas = TopicReplication::Fixed(config.replicas);
            let new = NewTopic::new(topic, *partitions, replicas);
            missing.push(match cleanup {
                Some(policy) => {
                    new.set("cleanup.policy", policy).set("segment.bytes", SEGMENT_BYTES)
                }
                None => new,
            });
        }
    }
    let admin: AdminClient<Ear> = access
        .settings()
        .create_with_context(access.ear())
        .map_err(|error| fault(MAKE, &error, &access.ear()))?;
    if !missing.is_empty() {
        make(&admin, runtime, &missing)?;
    }
    let names = topics.each_ref().map(|(topic, ..)| topic.as_str());
    terms(access, &admin, runtime, names)
}

/// 0: there is no such topic.
fn partitions_of(looker: &BaseConsumer<Ear>, topic: &str) -> Result<usize, SinkError> {
    let failed = |error| fault(LOOK, &error, looker.client().context());
    let told = looker.fetch_metadata(Some(topic), ASK_MAX).map_err(failed)?;
    let Some(told) = told.topics().iter().find(|told| told.name() == topic) else { return Ok(0) };
    match told.error().map(Code::from) {
        None => Ok(told.partitions().len()),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(0),
        Some(code) => Err(fault_of(LOOK, code, format!("topic `{topic}`: {code}"))),
    }
}

fn make(
    admin: &AdminClient<Ear>,
    runtime: &Handle,
    missing: &[NewTopic<'_>],
) -> Result<(), SinkError> {
    let options =
        AdminOptions::new().request_timeout(Some(ASK_MAX)).operation_timeout(Some(ASK_MAX));
    let made = runtime.block_on(admin.create_topics(missing, &options));
    let made = made.map_err(|error| match (code_of(&error), missing.first()) {
        (Some(code), Some(topic)) => not_made(topic.name, code),
        _ => fault(MAKE, &error, admin.inner().context()),
    })?;
    for made in made {
        match made {
            Ok(topic) => info!(topic, "topic made"),
            // Somebody was quicker.
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(not_made(&topic, code)),
        }
    }
    Ok(())
}

fn not_made(topic: &str, code: Code) -> SinkError {
    let told = format!("topic `{topic}`: {code}");
    match fault_of(MAKE, code, told) {
        SinkError::Blocked(Blocked { todo, .. }) => {
            let todo = match code {
                Code::InvalidReplicationFactor => todo,
                _ => "make it by hand, as docs/guides/sinks.md says, or permit the user to do so"
                    .to_owned(),
            };
            let what = format!("topic `{topic}` is not there, and cannot be made: {code}");
            SinkError::blocked(what, todo)
        }
        other => other,
    }
}

/// What the brokers say of the topics' settings, if they say it to us.
fn terms(
    access: &Access,
    admin: &AdminClient<Ear>,
    runtime: &Handle,
    topics: [&str; 3],
) -> Result<Terms, SinkError> {
    let asked = topics.map(ResourceSpecifier::Topic);
    let options = AdminOptions::new().request_timeout(Some(access.config.settings_max));
    let told = runtime.block_on(admin.describe_configs(asked.iter(), &options));
    let told = match told {
        Ok(told) => told,
        Err(error) if code_of(&error).is_some_and(is_silence) => {
            warn!(%error, "the topics' settings cannot be read: they are not checked");
            Vec::new()
        }
        Err(error) => return Err(fault(LOOK, &error, admin.inner().context())),
    };
    let mut bytes_max = None;
    for (topic, told) in topics.iter().zip(&told) {
        let settings = match told {
            Ok(told) => settings_of(told),
            Err(code) if is_silence(*code) => {
                warn!(topic, %code, "the topic's settings may not be read: they are not checked");
                continue;
            }
            Err(code) => return Err(fault_of(LOOK, *code, format!("topic `{topic}`: {code}"))),
        };
        if let Some(own) = settings.get("max.message.bytes").and_then(|own| own.parse().ok()) {
            bytes_max = Some(bytes_max.map_or(own, |least: usize| least.min(own)));
        }
        if *topic == access.config.checkpoints_topic()
            && let Some((what, todo)) = fault_of_checkpoints(&settings)
        {
            return Err(SinkError::blocked(format!("topic `{topic}` {what}"), todo));
        }
    }
    let bytes_max = bytes_max.unwrap_or(BYTES_MAX);
    if bytes_max < BYTES_MIN {
        let what = format!("the topics take messages of up to {bytes_max} bytes");
        return Err(SinkError::blocked(what, "raise their `max.message.bytes`"));
    }
    Ok(Terms { bytes_max })
}

/// It may not be asked, or does not know the question; of a broker that does not, the library only
/// says that it has waited.
fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion
            | Code::OperationTimedOut
    )
}

fn settings_of(told: &ConfigResource) -> BTreeMap<&str, &str> {
    let entries = told.entries.iter();
    entries.filter_map(|it| Some((it.name.as_str(), it.value.as_deref()?))).collect()
}

/// What would lose the checkpoint, or could not be read.
fn fault_of_checkpoints(settings: &BTreeMap<&str, &str>) -> Option<(&'static str, &'static str)> {
    let policy = settings.get("cleanup.policy").copied().unwrap_or("compact");
    if policy.split(',').any(|policy| policy.trim() == "delete") {
        return Some((
            "deletes messages by their age or size, and so the checkpoint",
            "set its `cleanup.policy` to `compact` alone",
        ));
    }
    (settings.get("compression.type").copied() == Some("gzip")).then_some((
        "is compressed with gzip, which this program was built without",
        "set its `compression.type` to `producer`",
    ))
}

/// Without the checkpoint nobody knows what of the events was committed.
pub(super) fn hold_nothing(access: &Access) -> Result<(), SinkError> {
    let config = &access.config;
    let looker = access.looker()?;
    for topic in [config.events_topic(), config.dead_letters_topic()] {
        let count = i32::try_from(partitions_of(&looker, &topic)?).unwrap_or(i32::MAX);
        for partition in 0..count {
            if watermarks(LOOK, &looker, &topic, partition)?.1 > 0 {
                let what = format!(
                    "topic `{topic}` was written to, and `{}` holds no checkpoint",
                    config.checkpoints_topic(),
                );
                let todo = "produce the checkpoint again, name another `prefix`, or delete the \
                            topics: the sink then begins anew";
                return Err(SinkError::blocked(what, todo));
            }
        }
    }
    Ok(())
}
