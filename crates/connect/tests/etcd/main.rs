//! The etcd profile against a real server that nobody here wrote.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod driven;
mod server;

use std::time::Duration;

use unbroken_connect::config::SourceConfig;
use unbroken_connect::source::Source;
use unbroken_connect::transport::{SocketEvent, Sockets};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Decoded, Event, Item, Page};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Fetch, Message};

use crate::server::Etcd;

fn source(etcd: &Etcd, more: &str) -> Source {
    let port = etcd.port;
    let text = format!(
        r#"
        name = "etcd"
        api = "http://127.0.0.1:{port}"
        stream = "ws://127.0.0.1:{port}"
        limits = {{ in_flight_bytes_max = 8192 }}
        [profile]
        extends = "etcd"
        variables = {{ prefix = "agents/" }}
        {more}
        "#
    );
    let config: SourceConfig = toml::from_str(&text).unwrap();
    Source::new(config).unwrap()
}

/// A subscription, read frame by frame.
struct Watch {
    sockets: Sockets,
    frames: std::collections::VecDeque<Decoded>,
}

impl Watch {
    async fn open(source: &Source, after: Option<u64>) -> Self {
        let after = after.map(After::Sequence);
        let mut socket = source.open(after.as_ref(), None).await.unwrap();
        let subscribe = Message::Subscribe { after };
        let subscribe = source.message(&subscribe, None, None).unwrap().unwrap();
        socket.send(subscribe).unwrap();
        let mut sockets = Sockets::default();
        sockets.insert(ConnId(1), socket);
        Self { sockets, frames: Default::default() }
    }

    async fn next(&mut self, source: &Source) -> Decoded {
        while self.frames.is_empty() {
            let mut batch = Vec::new();
            let read = self.sockets.next_batch(&mut batch);
            tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
            for (_, event) in batch {
                match event {
                    SocketEvent::Frame(frame) => self.frames.push_back(source.decode(&frame)),
                    SocketEvent::Alive => {}
                    SocketEvent::Told(told) => panic!("{told:?}"),
                    SocketEvent::Ended(ended) => panic!("{ended:?}"),
                }
            }
        }
        self.frames.pop_front().unwrap()
    }

    /// Reads events until there are `count` of them.
    async fn events(&mut self, source: &Source, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            for item in self.next(source).await.items {
                match item {
                    Item::Event(event) => events.push(event),
                    other => panic!("{other:?}"),
                }
            }
        }
        events
    }
}

fn brief(event: &Event) -> (&str, Option<u64>, bool, &[u8]) {
    (event.key.as_str(), event.sequence, event.deleted, &event.payload)
}

#[tokio::test]
async fn pages_share_one_instant_although_keys_change_between_them() {
    let etcd = Etcd::start().await;
    for n in 0..25 {
        etcd.put(&format!("agents/{n:02}"), "before").await;
    }
    let tag = etcd.put("other/x", "not ours").await;
    let source = source(&etcd, "snapshot = { limit = 10 }");
    let head = source.fetch(&Fetch::Head, None, None).await.unwrap();
    assert_eq!((head.tag, head.rows.len()), (Some(tag), 0));

    let mut what = Fetch::First;
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let page = source.fetch(&what, None, None).await.unwrap();
        etcd.put("agents/24", "after").await;
        etcd.put("agents/99", "after").await;
        let next = page.next.clone();
        pages.push(page);
        match next {
            Some(label) => what = Fetch::Next(label),
            None => break,
        }
    }
    assert_eq!(pages.iter().map(|page| page.rows.len()).collect::<Vec<_>>(), [10, 10, 5]);
    for page in &pages {
        assert_eq!((page.tag, &page.snapshot_id), (Some(tag), &pages[0].snapshot_id));
        assert_eq!(page.epoch, head.epoch);
        assert!(page.epoch.is_some() && page.snapshot_id.is_some());
    }
    let rows: Vec<_> = pages.iter().flat_map(|page| &page.rows).collect();
    assert!(rows.iter().all(|row| row.payload == "before"));
    assert_eq!(rows[24].key.as_str(), "agents/24");
}

#[tokio::test]
async fn a_watch_replays_and_its_events_equal_the_rows() {
    let etcd = Etcd::start().await;
    let before = etcd.put("agents/a", "1").await;
    let txn = etcd.put_all(&[("agents/a", "2"), ("agents/b", ""), ("other/x", "no")]).await;
    let gone = etcd.delete("agents/b").await;
    let source = source(&etcd, "");

    let mut watch = Watch::open(&source, Some(before)).await;
    let ack = watch.next(&source).await;
    assert_eq!(ack.items, [Item::Ack { position: None }], "it does not say where events begin");
    let events = watch.events(&source, 3).await;
    assert_eq!(
        events.iter().map(brief).collect::<Vec<_>>(),
        [
            ("agents/a", Some(txn), false, b"2".as_slice()),
            ("agents/b", Some(txn), false, b"".as_slice()),
            ("agents/b", Some(gone), true, b"".as_slice()),
        ]
    );
    let live = etcd.put("agents/c", "3").await;
    let events = [events, watch.events(&source, 1).await].concat();
    assert_eq!(brief(&events[3]), ("agents/c", Some(live), false, b"3".as_slice()));

    let page = source.fetch(&Fetch::First, None, None).await.unwrap();
    assert_eq!(page.epoch, ack.epoch);
    let rows: Vec<_> = page.rows.iter().map(|row| (&row.key, row.version, row.digest)).collect();
    let expected: Vec<_> =
        [&events[0], &events[3]].map(|event| (&event.key, event.sequence, event.digest)).into();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_watch_without_position_says_where_its_events_begin() {
    let etcd = Etcd::start().await;
    let head = etcd.put("other/x", "1").await;
    let source = source(&etcd, "");
    let mut watch = Watch::open(&source, None).await;
    let ack = watch.next(&source).await;
    assert_eq!(ack.items, [Item::Ack { position: Some(head) }]);
    assert!(ack.subscription.is_some() && ack.epoch.is_some());
    let first = etcd.put("agents/a", "1").await;
    assert_eq!(watch.events(&source, 1).await[0].sequence, Some(first));
}

#[tokio::test]
async fn a_compacted_position_is_refused_with_the_oldest_that_misses_nothing() {
    let etcd = Etcd::start().await;
    let before = etcd.put("agents/a", "1").await;
    etcd.put("agents/b", "2").await;
    let compacted = etcd.delete("agents/b").await;
    let last = etcd.put("agents/a", "3").await;
    etcd.compact(compacted).await;
    let source = source(&etcd, "");

    let mut watch = Watch::open(&source, Some(before)).await;
    let floor = loop {
        match watch.next(&source).await.items.as_slice() {
            [Item::Ack { position: None }] => {}
            [Item::Refusal(failure)] => match failure.class {
                Class::Stale { floor } => break floor.unwrap(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(floor, compacted);

    let mut watch = Watch::open(&source, Some(floor)).await;
    assert_eq!(watch.next(&source).await.items, [Item::Ack { position: None }]);
    assert_eq!(brief(&watch.events(&source, 1).await[0]).1, Some(last));

    // Why nothing older is a floor although etcd accepts it: the deletion is not served, silently.
    let mut watch = Watch::open(&source, Some(floor - 1)).await;
    assert_eq!(watch.next(&source).await.items, [Item::Ack { position: None }]);
    assert_eq!(brief(&watch.events(&source, 1).await[0]).1, Some(last));
}
