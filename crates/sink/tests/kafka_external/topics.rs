//! Topics of a broker.

use std::collections::BTreeSet;

use serde_json::Value;
use unbroken_core::record::Change;
use unbroken_sink::{Kafka, KafkaConfig, KafkaEvents, Sink};

use crate::broker::{Broker, Told};
use crate::conformance::trials;
use crate::overtaken::{each_once, lapses};
use crate::points::{SMALL, points};
use crate::shelf::{Held, Target, too_large};

/// A sink's topics.
pub(crate) struct Topics {
    pub(crate) broker: Broker,
    is_transactional: bool,
}

impl Topics {
    pub(crate) fn new() -> Self {
        Self { broker: Broker::start(), is_transactional: true }
    }

    pub(crate) fn without_transactions() -> Self {
        Self { is_transactional: false, ..Self::new() }
    }

    pub(crate) fn config(&self) -> KafkaConfig {
        KafkaConfig {
            name: "test".to_owned(),
            servers: self.broker.servers(),
            prefix: "record".to_owned(),
            partitions: 1,
            replicas: 1,
            is_transactional: self.is_transactional,
            events: KafkaEvents::Structured,
            is_tls: false,
            ca_file: None,
            login: None,
            settings_max: std::time::Duration::from_secs(5),
        }
    }

    /// A sink that goes there by another way.
    pub(crate) fn by(&self, servers: String) -> Kafka {
        Kafka::new(KafkaConfig { servers, ..self.config() })
    }

    pub(crate) fn events(&self) -> Vec<Told> {
        self.broker.messages("record.events")
    }
}

pub(crate) fn id(told: &Told) -> String {
    let event: Value = serde_json::from_slice(&told.body).expect("JSON");
    event["id"].as_str().expect("an id").to_owned()
}

impl Target for Topics {
    fn sink(&self) -> impl Sink + 'static {
        Kafka::new(self.config())
    }

    fn ids(&self) -> Vec<String> {
        let ids = self.events().iter().map(id).collect::<Vec<_>>();
        match self.is_transactional {
            true => ids,
            // What came again comes with the same id: a reader can tell.
            false => {
                let mut seen = BTreeSet::new();
                ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
            }
        }
    }

    fn like(&self, held: &Held) -> Vec<String> {
        if self.is_transactional { held.told.clone() } else { each_once(held) }
    }

    fn odd(&self, change: Change) -> Change {
        too_large(change)
    }

    fn aside(&self) -> Option<usize> {
        let letters = self.broker.messages("record.dead-letters");
        let id = |told: &Told| told.headers.iter().find(|(name, _)| name == "unbroken-id").cloned();
        let once: BTreeSet<_> = letters.iter().filter_map(id).collect();
        Some(if self.is_transactional { letters.len() } else { once.len() })
    }
}

trials!(transactions, Topics::new());
trials!(no_transactions, Topics::without_transactions());

mod at_points {
    use super::*;

    points!(transactions, "kafka", SMALL, Topics::new());
    lapses!(in_a_lapse, Topics::new());
    lapses!(in_a_lapse_without_transactions, Topics::without_transactions());
    points!(no_transactions, "kafka, without transactions", SMALL, Topics::without_transactions());
}
