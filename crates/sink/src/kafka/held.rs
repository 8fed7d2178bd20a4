//! The checkpoint: the last message of its topic.

use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::client::{Access, Ear};
use super::fault::fault;
use crate::{Blocked, Checkpoint, SinkError};

/// How long it may take until the next message comes. How many there are depends on how often the
/// broker compacts the topic.
const READ_MAX: Duration = Duration::from_secs(40);

/// How long one question may take.
pub(super) const ASK_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether a transaction has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const READ: &str = "reading its checkpoint";

/// What the message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body {
    /// The sink whose checkpoint it is.
    pub(super) sink: String,
    /// Which instance has it.
    pub(super) fence: u64,
    /// How far it is.
    pub(super) checkpoint: Option<String>,
}

/// What a topic of checkpoints holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The last one.
    pub(super) body: Option<Body>,
    /// The highest fence of all that are there: an instance without transactions may write behind
    /// the one that has fenced it out.
    pub(super) fence: u64,
    /// The place of the next message.
    pub(super) end: i64,
}

/// Up to where the topic is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The first transaction that is open.
    Open,
    /// What was there at the beginning, each transaction of it ended.
    Ended,
}

/// Reads the checkpoint.
pub(super) fn read(access: &Access, until: Until) -> Result<Found, SinkError> {
    let topic = access.config.checkpoints_topic();
    let begun = Instant::now();
    let reader = access.reader()?;
    if until == Until::Ended {
        let (_, end) = watermarks(READ, &access.looker()?, &topic, 0)?;
        while watermarks(READ, &reader, &topic, 0)?.1 < end {
            if begun.elapsed() > READ_MAX {
                let why = format!("a transaction in the topic `{topic}` does not end");
                return Err(SinkError::unreachable(READ)(why));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    let (_, end) = watermarks(READ, &reader, &topic, 0)?;
    let mut wanted = TopicPartitionList::new();
    let failed = |error: KafkaError| fault(READ, &error, reader.client().context());
    wanted.add_partition_offset(&topic, 0, Offset::Beginning).map_err(failed)?;
    reader.assign(&wanted).map_err(failed)?;
    let mut found = Found { end, ..Found::default() };
    let mut heard_at = Instant::now();
    while heard_at.elapsed() < READ_MAX {
        match reader.poll(LOOK_EVERY) {
            Some(Ok(message)) => {
                heard_at = Instant::now();
                found.end = found.end.max(message.offset() + 1);
                found.take(message.payload())?;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(found),
            Some(Err(error)) if passes(&error) => {}
            Some(Err(error)) => return Err(failed(error)),
            None => {}
        }
    }
    Err(failed(KafkaError::MessageConsumption(Code::OperationTimedOut)))
}

/// The library tries again by itself; and no group is joined, so it does not matter who may.
fn passes(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::GroupAuthorizationFailed
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
        )
    })
}

/// The places of the first message of a partition and of the next one.
pub(super) fn watermarks(
    doing: &'static str,
    client: &BaseConsumer<Ear>,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), SinkError> {
    let asked = client.fetch_watermarks(topic, partition, ASK_MAX);
    asked.map_err(|error| fault(doing, &error, client.client().context()))
}

impl Found {
    fn take(&mut self, payload: Option<&[u8]>) -> Result<(), SinkError> {
        // Somebody has deleted it, as compaction does it.
        let Some(payload) = payload else {
            self.body = None;
            return Ok(());
        };
        let body: Body = serde_json::from_slice(payload).map_err(|error| damaged(Some(error)))?;
        self.fence = self.fence.max(body.fence);
        self.body = Some(body);
        Ok(())
    }

    /// How far the sink is.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, SinkError> {
        let text = self.body.as_ref().and_then(|body| body.checkpoint.as_deref());
        text.map(str::parse).transpose().map_err(|_| damaged(None))
    }
}

impl Body {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Writing JSON into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn damaged(source: Option<serde_json::Error>) -> SinkError {
    SinkError::Blocked(Blocked {
        what: "a message in the topic of checkpoints is no checkpoint".to_owned(),
        todo: "produce the one before it again under the same key, and let the topic be compacted"
            .to_owned(),
        source: source.map(Into::into),
    })
}
