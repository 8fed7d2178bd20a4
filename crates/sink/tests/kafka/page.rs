//! What `docs/reference/guarantees.md` says of Kafka: the guarantee in the sink's own words, and
//! the broker that is pinned.

use std::fs;
use std::path::Path;

use unbroken_sink::{Kafka, KafkaConfig, Sink as _};

use crate::mock::Mock;

#[test]
fn the_page_says_what_the_sink_says_and_on_what_it_was_played() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pinned = fs::read_to_string(here.join("tests/kafka_external/requirements.txt"));
    let pinned = pinned.expect("the pin");
    let version = pinned.strip_prefix("noida-db==").and_then(|rest| rest.split(' ').next());
    let on = format!("noida-db {}, not Apache Kafka", version.expect("a version"));
    let page = fs::read_to_string(here.join("../../docs/reference/guarantees.md")).expect("a page");
    let mock = Mock::empty();
    for (target, is_transactional) in
        [("`kafka`", true), ("`kafka`, `transactional = false`", false)]
    {
        let sink = Kafka::new(KafkaConfig { is_transactional, ..mock.config() });
        let row = format!("\n| {target} | {} | {on} |\n", sink.guarantee());
        assert!(page.contains(&row), "{row}");
    }
}
