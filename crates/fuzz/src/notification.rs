//! Notifications of Genesys Cloud: `<digit of the topic><frame>`.

use std::sync::LazyLock;

use bytes::Bytes;
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::connector::Item;

const CONFIG: &str = r#"
name = "genesys"
profile = "genesys"
api = "http://127.0.0.1:9"
stream = "ws://127.0.0.1:9"
agents = ["u", "v"]
[genesys]
topics = ["adherence", "conversations", "presence", "routing_status", "activity"]
queues = ["q"]
[auth]
grant = "token"
token = "t"
"#;

/// The same source, looking at each of its streams in turn. Nothing is asked of any address.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let source = || {
        let config: SourceConfig = toml::from_str(CONFIG).unwrap_or_else(|e| panic!("{e}"));
        Source::new(config).unwrap_or_else(|error| panic!("{error}"))
    };
    let streams = source().streams().to_vec();
    let looking = |stream| {
        let mut source = source();
        source.look_at(stream);
        source
    };
    streams.iter().map(looking).collect()
});

/// Whatever arrives: it is read without a panic, twice the same; an event has a key, and its
/// payload is a part of what came.
pub fn check(input: &[u8]) -> bool {
    let Some((choice, frame)) = input.split_first() else { return false };
    let sources = &*SOURCES;
    let source = &sources[usize::from(choice.wrapping_sub(b'0')) % sources.len()];
    let frame = Bytes::copy_from_slice(frame);
    let decoded = source.decode(&frame);
    assert_eq!(decoded, source.decode(&frame), "{}: two readings differ", source.stream());
    for item in &decoded.items {
        if let Item::Event(event) = item {
            assert!(!event.key.as_str().is_empty(), "an event without a key");
            assert!(event.payload.len() <= frame.len(), "more payload than came");
        }
    }
    decoded.items.iter().any(|item| matches!(item, Item::Event(_)))
}
