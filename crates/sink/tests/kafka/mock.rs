//! The cluster in librdkafka, and a sink of it.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use unbroken_sink::{Kafka, KafkaConfig, KafkaEvents, PumpConfig, Retry};

use crate::house::{PATIENCE, config};

pub(crate) const EVENTS: &str = "record.events";
pub(crate) const DEAD_LETTERS: &str = "record.dead-letters";
pub(crate) const CHECKPOINTS: &str = "record.checkpoints";

/// See the module.
pub(crate) struct Mock(pub(crate) MockCluster<'static, DefaultProducerContext>);

/// A message.
pub(crate) struct Told {
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Mock {
    /// With a sink's topics: it makes none itself.
    pub(crate) fn new() -> Self {
        let mock = Self::empty();
        for topic in [EVENTS, DEAD_LETTERS, CHECKPOINTS] {
            mock.0.create_topic(topic, 1, 1).expect("a topic");
        }
        mock
    }

    pub(crate) fn empty() -> Self {
        Self(MockCluster::new(1).expect("a cluster"))
    }

    pub(crate) fn config(&self) -> KafkaConfig {
        KafkaConfig {
            name: "test".to_owned(),
            servers: self.0.bootstrap_servers(),
            prefix: "record".to_owned(),
            partitions: 1,
            replicas: 1,
            is_transactional: true,
            events: KafkaEvents::Structured,
            is_tls: false,
            ca_file: None,
            login: None,
            settings_max: Duration::from_millis(20),
        }
    }

    pub(crate) fn sink(&self) -> Kafka {
        Kafka::new(self.config())
    }

    /// The next requests of this kind are answered so.
    pub(crate) fn answers(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.0.request_errors(request, errors);
    }

    pub(crate) fn produce(&self, topic: &str, key: &str, body: &str) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.0.bootstrap_servers())
            .create()
            .expect("a producer");
        let record = BaseRecord::to(topic).key(key).payload(body).partition(0);
        producer.send(record).map_err(|(error, _)| error).expect("room");
        producer.flush(PATIENCE).expect("it is taken");
    }

    pub(crate) fn messages(&self, topic: &str) -> Vec<Told> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.0.bootstrap_servers())
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "20")
            .create()
            .expect("a reader");
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        reader.assign(&wanted).expect("it is there");
        let mut told = Vec::new();
        loop {
            match reader.poll(Duration::from_millis(20)) {
                Some(Ok(message)) => {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text")
                    };
                    let headers = message.headers().into_iter().flat_map(|it| it.iter());
                    told.push(Told {
                        key: text(message.key()),
                        headers: headers.map(|it| (it.key.to_owned(), text(it.value))).collect(),
                        body: message.payload().unwrap_or_default().to_vec(),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return told,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
    }
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// Tries again at once.
pub(crate) fn quick() -> PumpConfig {
    let first = Duration::from_millis(5);
    PumpConfig { retry: Retry { first, longest: 8 * first, blocked: 8 * first }, ..config() }
}
