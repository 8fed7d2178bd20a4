//! Each configuration in `examples`, run as it is but for the simulator's address.

use std::fs;
use std::path::{Path, PathBuf};

#[cfg(feature = "kafka-external")]
use unbroken_sink::rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use crate::jetstream_server::JetStream;
use crate::receiver::Receiver;
use crate::server::Server;
use crate::service::World;
use crate::stand_in::StandIn;

/// The servers that examples name.
pub(crate) const KAFKA: &str = "127.0.0.1:9092";
const POSTGRES: &str = "postgresql://unbroken@127.0.0.1:5432/unbroken";
const NATS: &str = "nats://127.0.0.1:4222";
const REDSHIFT: &str = "postgresql://unbroken@wfm.123456789012.eu-central-1.redshift-serverless.\
    amazonaws.com:5439/dev";

/// A bucket that an example names.
const BUCKET: &str = "{ aws_region = \"eu-central-1\" }";

/// The endpoint that an example names.
const WEBHOOK: &str = "http://127.0.0.1:8490/in";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let entries = fs::read_dir(folder).expect("they are there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect()
}

#[test]
fn every_example_runs_and_its_sinks_are_given_the_record() {
    let examples = examples();
    assert!(!examples.is_empty());
    for example in examples {
        let world = World::new();
        let text = fs::read_to_string(&example).expect("text");
        #[cfg(not(feature = "kafka-external"))]
        if text.contains(KAFKA) {
            is_refused(&world, &text);
            continue;
        }
        #[cfg(feature = "kafka-external")]
        let brokers = text.contains(KAFKA).then(brokers);
        #[cfg(feature = "kafka-external")]
        let text = match &brokers {
            Some(brokers) => text.replace(KAFKA, &brokers.bootstrap_servers()),
            None => text,
        };
        let server = text.contains(POSTGRES).then(Server::start);
        let text = match &server {
            Some(server) => text.replace(POSTGRES, &server.url()),
            None => text,
        };
        let text = text.replace(WEBHOOK, &Receiver::start().url());
        let bus = text.contains(NATS).then(JetStream::start);
        let text = match &bus {
            Some(bus) => text.replace(NATS, &bus.url()),
            None => text,
        };
        let cluster = text.contains(REDSHIFT).then(StandIn::start);
        let text = match &cluster {
            Some(cluster) => {
                // The stand-in asks for none.
                fs::write(world.path("redshift.password"), "any").expect("a file");
                at_stand_in(&text, cluster)
            }
            None => text,
        };
        world.configure_as(&text);
        let service = world.run(&[]);
        let status = service.wait_status("with sinks that have caught up", |status| {
            let sinks = status["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_fed = |sink: &serde_json::Value| {
                sink["phase"] == "running" && sink["records"].as_u64() > Some(30)
            };
            !sinks.is_empty() && sinks.iter().all(is_fed)
        });
        for sink in status["sinks"].as_array().expect("sinks") {
            assert_eq!(sink["parked"], 0, "{}: {sink}", example.display());
            assert_eq!(sink["failures"], 0, "{}: {sink}", example.display());
        }
        service.signal("TERM");
        let (code, log, _) = service.wait();
        assert_eq!(code, Some(0), "{}: {log}", example.display());
    }
}

/// The stand-in's S3 takes any keys; COPY is given the role of the example.
fn at_stand_in(text: &str, cluster: &StandIn) -> String {
    let options = cluster.bucket.options().into_iter();
    let options = options.filter(|(key, _)| key != "aws_secret_access_key");
    let options: Vec<String> = options.map(|(key, value)| format!("{key} = \"{value}\"")).collect();
    let secrets = "secrets = { aws_secret_access_key = { file = \"secret\" } }";
    let options = format!("{{ {} }}\n{secrets}", options.join(", "));
    text.replace(REDSHIFT, &cluster.url())
        .replace("wfm-stage", &cluster.bucket.name)
        .replace(BUCKET, &options)
}

/// A program that was built without says how to build one with it. `make tests-of-kafka-program`
/// has one that was.
#[cfg(not(feature = "kafka-external"))]
fn is_refused(world: &World, text: &str) {
    world.configure_as(text);
    let (code, log, _) = world.run(&[]).wait();
    assert_ne!(code, Some(0), "{log}");
    assert!(log.contains("sink `topics`: this program was built without Kafka"), "{log}");
    assert!(log.contains("cargo build --release -p unbroken --features kafka"), "{log}");
}

/// The cluster in librdkafka, which knows transactions and makes no topics.
#[cfg(feature = "kafka-external")]
fn brokers() -> MockCluster<'static, DefaultProducerContext> {
    let brokers = MockCluster::new(1).expect("a cluster");
    for topic in ["events", "dead-letters", "checkpoints"] {
        brokers.create_topic(&format!("unbroken.{topic}"), 1, 1).expect("a topic");
    }
    brokers
}
