//! A Kafka sink, if this program was built with it.

use std::io;

use unbroken_journal::Reader;
use unbroken_sink::{PumpConfig, SinkThread};

use crate::config::KafkaSection;

#[cfg(feature = "kafka")]
pub(super) fn start(
    name: String,
    section: KafkaSection,
    reader: Reader,
    config: PumpConfig,
) -> io::Result<SinkThread> {
    use std::time::Duration;

    use unbroken_sink::{Kafka, KafkaConfig, KafkaEvents, KafkaLogin};

    use super::sink_targets::asking;
    use crate::config::KafkaWriting;

    /// Brokers answer in milliseconds, or do not know the question.
    const SETTINGS_MAX: Duration = Duration::from_secs(5);

    let is_tls = section.is_tls();
    let KafkaSection { servers, prefix, partitions, replicas, transactional, .. } = section;
    let events = match section.events {
        KafkaWriting::Structured => KafkaEvents::Structured,
        KafkaWriting::Binary => KafkaEvents::Binary,
    };
    let mechanism = section.mechanism;
    let login = section.user.zip(section.password).map(|(user, password)| KafkaLogin {
        mechanism,
        user,
        password: asking(password),
    });
    let sink = Kafka::new(KafkaConfig {
        name,
        servers,
        prefix,
        partitions: i32::from(partitions),
        replicas: i32::from(replicas),
        is_transactional: transactional,
        events,
        is_tls,
        ca_file: section.ca_file,
        login,
        settings_max: SETTINGS_MAX,
    });
    SinkThread::start(sink, reader, config)
}

/// The configuration was checked: it has none of these.
#[cfg(not(feature = "kafka"))]
pub(super) fn start(
    _name: String,
    _section: KafkaSection,
    _reader: Reader,
    _config: PumpConfig,
) -> io::Result<SinkThread> {
    Err(io::ErrorKind::Unsupported.into())
}
