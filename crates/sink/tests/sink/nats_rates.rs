//! Messages into NATS by a sink, beside two loops that publish the same bodies one by one: the one
//! as NATS's own bench tool does it unless it is told otherwise (five hundred, then all answers to
//! them are waited for), the other with some thousand answers outstanding all the time:
//! `make sink-rates`. Here only that all come to the same.

use std::fs;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::json;
use unbroken_render::write_cloudevent;
use unbroken_sink::{Cut, SinkThread};

use crate::house::{House, config};
use crate::jetstream_server::JetStream;
use crate::nats::{Channel, LARGE_BATCHES};
use crate::rates::{event, number, processor, wait};

/// How a loop waits for the answers.
#[derive(Clone, Copy, Debug)]
enum Loop {
    /// As `nats bench js pub` does it.
    Bench,
    /// As fast as one client can.
    Window,
}

impl Loop {
    fn may_send(self, sent: u64, answered: u64) -> bool {
        match self {
            Self::Bench => !sent.is_multiple_of(500) || sent == answered,
            Self::Window => sent - answered < 4_000,
        }
    }

    fn stream(self) -> String {
        format!("{self:?}").to_uppercase()
    }
}

/// Every message is answered for.
async fn publish_one_by_one(channel: &Channel, how: Loop, bodies: Vec<Bytes>) -> Duration {
    let (stream, subject) = (how.stream(), format!("loop.{}", how.stream()));
    let settings = json!({ "name": stream, "subjects": [subject], "storage": "file" });
    channel.0.api(&format!("STREAM.CREATE.{stream}"), &settings);
    let client = async_nats::connect(channel.0.url()).await.expect("it listens");
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.expect("it listens");
    let (count, begun) = (bodies.len() as u64, Instant::now());
    let publishing = async {
        let (sent, answered) = (std::cell::Cell::new(0_u64), std::cell::Cell::new(0_u64));
        let wake = tokio::sync::Notify::new();
        let send = async {
            for body in bodies {
                while !how.may_send(sent.get(), answered.get()) {
                    wake.notified().await;
                }
                let mut headers = HeaderMap::new();
                headers.insert("Content-Type", "application/cloudevents+json");
                let (subject, inbox) = (subject.clone(), inbox.clone());
                let sending = client.publish_with_reply_and_headers(subject, inbox, headers, body);
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
fn a_sink_publishes_what_loops_publish() {
    let (rows, rounds) = (number("RATE_ROWS", 2_000), number("RATE_ROUNDS", 1));
    let mut house = House::new();
    for first in (0..rows).step_by(1_000) {
        house.append((first..rows.min(first + 1_000)).map(event));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("settings");
    fs::write(&settings, LARGE_BATCHES).expect("room");
    let settings = settings.display().to_string();
    let ways = [("in chains", 1_000), ("in parts", 1_000), ("in parts", 10_000)];
    for (how, at_once) in (0..rounds).flat_map(|_| ways) {
        let channel = Channel(match at_once {
            1_000 => JetStream::start(),
            _ => JetStream::with(&["-js", "-c", &settings]),
        });
        if how == "in parts" {
            // It remembers ids for long.
            channel.make(&json!({}));
        }
        let mut config = config();
        config.cut = Cut {
            records_max: 10 * (at_once - 1),
            bytes: 8 << 20,
            linger: Duration::from_millis(250),
        };
        let (begun, used) = (Instant::now(), processor());
        let sink = channel.taking(at_once);
        let thread = SinkThread::start(sink, house.reader.clone(), config);
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
        let runtime = runtime.expect("a runtime");
        let [bench, window] = [Loop::Bench, Loop::Window]
            .map(|how| runtime.block_on(publish_one_by_one(&channel, how, bodies.clone())));
        let count = |stream: &str| {
            let told = channel.0.api(&format!("STREAM.INFO.{stream}"), &json!({}));
            told["state"]["messages"].as_u64().expect("a number")
        };
        // The sink's has a checkpoint beside the records.
        assert_eq!([count("UNBROKEN"), count("BENCH"), count("WINDOW")], [rows + 1, rows, rows]);
        let rate = |time: Duration| rows as f64 / time.as_secs_f64();
        println!(
            "{rows} messages {how}, {at_once} at once: sink {:.0}/s ({:.1} us of processor each), \
             as the bench tool {:.0}/s: \
             {:.2}, with 4000 outstanding {:.0}/s: {:.2}",
            rate(sink),
            used as f64 / rows as f64,
            rate(bench),
            rate(sink) / rate(bench),
            rate(window),
            rate(sink) / rate(window),
        );
    }
}
