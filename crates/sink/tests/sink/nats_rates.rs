//! Messages into NATS by a sink, beside a loop that publishes the same bodies one by one, with some
//! thousand answers outstanding: `make sink-rates`. Here only that both come to the same.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::json;
use unbroken_render::write_cloudevent;
use unbroken_sink::{Cut, SinkThread};

use crate::house::{House, config};
use crate::nats::Channel;
use crate::rates::{event, number, processor, wait};
use crate::shelf::Target;

/// Answers that the loop lets be outstanding.
const OUTSTANDING: u64 = 4_000;

/// As fast as one client can, with every message answered for.
async fn publish_one_by_one(channel: &Channel, bodies: Vec<Bytes>) -> Duration {
    let settings = json!({ "name": "LOOP", "subjects": ["loop.>"], "storage": "file" });
    channel.0.api("STREAM.CREATE.LOOP", &settings);
    let client = async_nats::connect(channel.0.url()).await.expect("it listens");
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.expect("it listens");
    let (count, begun) = (bodies.len() as u64, Instant::now());
    let publishing = async {
        let (sent, answered) = (std::cell::Cell::new(0_u64), std::cell::Cell::new(0_u64));
        let wake = tokio::sync::Notify::new();
        let send = async {
            for body in bodies {
                while sent.get() - answered.get() >= OUTSTANDING {
                    wake.notified().await;
                }
                let mut headers = HeaderMap::new();
                headers.insert("Content-Type", "application/cloudevents+json");
                let sending =
                    client.publish_with_reply_and_headers("loop.a", inbox.clone(), headers, body);
                sending.await.expect("it listens");
                sent.set(sent.get() + 1);
            }
        };
        let hear = async {
            while answered.get() < count {
                let answer = next(&mut answers).await;
                assert!(answer.starts_with(b"{\"stream\""), "{answer:?}");
                answered.set(answered.get() + 1);
                wake.notify_one();
            }
        };
        tokio::join!(send, hear);
    };
    publishing.await;
    begun.elapsed()
}

async fn next(answers: &mut async_nats::Subscriber) -> Bytes {
    use std::pin::Pin;
    let heard = std::future::poll_fn(|context| {
        futures_util::Stream::poll_next(Pin::new(&mut *answers), context)
    });
    heard.await.expect("an answer").payload
}

#[test]
fn a_sink_publishes_what_a_loop_publishes() {
    let (rows, rounds) = (number("RATE_ROWS", 2_000), number("RATE_ROUNDS", 1));
    let mut house = House::new();
    for first in (0..rows).step_by(1_000) {
        house.append((first..rows.min(first + 1_000)).map(event));
    }
    for _ in 0..rounds {
        let channel = Channel::new();
        let mut config = config();
        config.cut = Cut { records_max: 5_000, bytes: 8 << 20, linger: Duration::from_millis(250) };
        let (begun, used) = (Instant::now(), processor());
        let thread = SinkThread::start(channel.sink(), house.reader.clone(), config);
        let thread = thread.expect("a thread");
        wait(thread.progress(), rows);
        let (sink, used) = (begun.elapsed(), processor() - used);
        thread.join();
        let mut bodies = Vec::new();
        let mut batches = house.reader.batches(0).expect("a log");
        while let Some(batch) = batches.next_shared().expect("a log") {
            for (offset, record) in batch.entries_from(0) {
                let mut body = Vec::new();
                write_cloudevent(house.journal(), offset, record, &mut body);
                bodies.push(body.into());
            }
        }
        assert_eq!(bodies.len() as u64, rows);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let one_by_one = runtime.expect("a runtime").block_on(publish_one_by_one(&channel, bodies));
        let count = |stream: &str| {
            let told = channel.0.api(&format!("STREAM.INFO.{stream}"), &json!({}));
            told["state"]["messages"].as_u64().expect("a number")
        };
        // The sink's has a checkpoint beside the records.
        assert_eq!((count("UNBROKEN"), count("LOOP")), (rows + 1, rows));
        let rate = |time: Duration| rows as f64 / time.as_secs_f64();
        println!(
            "{rows} messages: sink {:.0}/s ({:.1} us of processor each), loop {:.0}/s: {:.2}",
            rate(sink),
            used as f64 / rows as f64,
            rate(one_by_one),
            rate(sink) / rate(one_by_one),
        );
    }
}
