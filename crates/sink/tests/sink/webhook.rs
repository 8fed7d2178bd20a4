//! Events posted to a real listener. The way there is a test's own; the service's is tried with
//! the whole.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unbroken_core::record::{Body, Origin, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_sink::{
    Batch, Checkpoint, DeadLetter, DeadLetters, Doing, Ended, Lapse, PostAnswer, Posting,
    PumpConfig, Sink, SinkError, Webhook, WebhookConfig,
};

use crate::house::{House, change, quick};
use crate::overtaken::each_once;
use crate::receiver::{Receiver, Reply};
use crate::shelf::{Held, Target};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An endpoint, and where a sink of it keeps its checkpoint.
pub(crate) struct Endpoint {
    dir: TempDir,
    pub(crate) receiver: Receiver,
    pub(crate) bytes_max: usize,
    secrets: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    pub(crate) fn new() -> Self {
        Self::of(Receiver::start())
    }

    fn of(receiver: Receiver) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, receiver, bytes_max: 1 << 20, secrets: Arc::default() }
    }

    pub(crate) fn answering(rule: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::of(Receiver::with(rule))
    }

    /// One that refuses what has this in it.
    pub(crate) fn refusing(what: &'static str) -> Self {
        Self::answering(move |body| match body.contains(what) {
            true => Reply::Status(422),
            false => Reply::Taken,
        })
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.dir.path().join("sinks.db")
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        let Some(file) = DeadLetters::open(&self.db()).expect("it is ours") else { return letters };
        let keep = |letter| {
            letters.push(letter);
            Ok::<_, SinkError>(())
        };
        file.each(Some("test"), keep).expect("it can be read");
        letters
    }

    pub(crate) fn redrive(&self) -> usize {
        let file = DeadLetters::open(&self.db()).expect("it is ours").expect("it is there");
        file.redrive(None).expect("it can be written")
    }

    /// The ids of all events that were taken, and again if they were taken again.
    pub(crate) fn all_ids(&self) -> Vec<String> {
        let id = |event: Value| event["id"].as_str().expect("an id").to_owned();
        self.receiver.taken().into_iter().map(id).collect()
    }

    /// What was asked, in short: the key and how it was answered.
    pub(crate) fn keys(&self) -> Vec<(String, Reply)> {
        let asked = self.receiver.asked().into_iter();
        asked.map(|asked| (asked.header("webhook-id").to_owned(), asked.reply)).collect()
    }
}

impl Endpoint {
    /// A sink that goes there by another way.
    pub(crate) fn by(&self, address: SocketAddr) -> Webhook {
        let secrets = Arc::clone(&self.secrets);
        Webhook::new(WebhookConfig {
            name: "test".to_owned(),
            db: self.db(),
            bytes_max: self.bytes_max,
            post: Arc::new(move |posting| {
                Box::pin(async move {
                    let posted = post(address, posting).await;
                    posted.map_err(SinkError::unreachable("posting"))
                })
            }),
            secrets: Arc::new(move || {
                let secrets = secrets.lock().expect("nobody panics with it").clone();
                Box::pin(async move { Ok(secrets) })
            }),
        })
    }
}

impl Target for Endpoint {
    fn sink(&self) -> impl Sink + 'static {
        self.by(self.receiver.address())
    }

    fn ids(&self) -> Vec<String> {
        once(self.receiver.taken())
    }

    fn aside(&self) -> Option<usize> {
        Some(self.letters().len())
    }

    fn like(&self, held: &Held) -> Vec<String> {
        each_once(held)
    }
}

/// Each once, in the order in which they came first; a reader can do the same by the id. What came
/// again must be the same.
pub(crate) fn once(taken: impl IntoIterator<Item = Value>) -> Vec<String> {
    let (mut first, mut ids) = (BTreeMap::new(), Vec::new());
    for event in taken {
        let id = event["id"].as_str().expect("an id").to_owned();
        match first.get(&id) {
            None => {
                ids.push(id.clone());
                first.insert(id, event);
            }
            Some(known) => assert_eq!(*known, event, "another event of the same id"),
        }
    }
    ids
}

/// A request of HTTP/1.1 on a connection of its own.
async fn post(address: SocketAddr, posting: Posting) -> Result<PostAnswer, std::io::Error> {
    let mut stream = TcpStream::connect(address).await?;
    let mut head = format!("POST /in?key=h00k HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in &posting.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("connection: close\r\ncontent-length: {}\r\n\r\n", posting.body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(posting.body.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    // It may leave the connection open: the head is all that is wanted.
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => break,
            bytes => answer.extend_from_slice(&piece[..bytes]),
        }
    }
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let after = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
    let seconds = after.and_then(|value| value.parse().ok());
    Ok(PostAnswer { status, retry_after: seconds.map(Duration::from_secs) })
}

/// Batches of as much as there is, so that the endpoint alone decides on requests.
pub(crate) fn large() -> PumpConfig {
    let mut config = quick();
    config.cut.records_max = 5_000;
    config
}

#[tokio::test]
async fn events_are_posted_in_cloudevents_batch_format_with_names_of_their_own() {
    let (mut endpoint, mut house) = (Endpoint::new(), House::new());
    endpoint.bytes_max = 10_000;
    house.events(300);
    house.drain(endpoint.sink(), large()).await.stop().await;
    assert_eq!(endpoint.all_ids(), house.ids_from(0), "each once, where nothing fails");
    let asked = endpoint.receiver.asked();
    assert!(asked.len() > 5, "{}", asked.len());
    let mut next = 0;
    for request in &asked {
        assert!(request.body.len() <= 10_000, "{}", request.body.len());
        let kind = "application/cloudevents-batch+json; charset=utf-8";
        assert_eq!(request.header("content-type"), kind);
        assert_eq!(request.header("webhook-signature"), "", "there is no secret");
        let last = next + request.events().len() - 1;
        let key = format!("test:{}:{next}:{last}", house.journal());
        assert_eq!(request.header("webhook-id"), key);
        assert_eq!(request.header("idempotency-key"), format!("\"{key}\""));
        next = last + 1;
    }
    let event = &asked[0].events()[3];
    assert_eq!((&event["specversion"], &event["type"]), (&"1.0".into(), &"unbroken.change".into()));
    assert_eq!(event["data"]["payload"]["n"], 3);
    assert!(!endpoint.dir.path().join("out").exists());
}

/// The check is Python's own `hmac`, and takes the secret as the specification says.
const VERIFY: &str = r#"
import base64, hashlib, hmac, json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    at = asked["webhook-timestamp"]
    assert abs(time.time() - int(at)) < 300, at
    content = f'{asked["webhook-id"]}.{at}.'.encode() + asked["body"].encode()
    for key in [base64.b64decode(sys.argv[1].removeprefix("whsec_")), sys.argv[2].encode()]:
        made = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        assert made in asked["webhook-signature"].split(" "), asked
    print("good")
"#;

#[tokio::test]
async fn each_request_is_signed_with_every_secret_as_another_program_finds() {
    let (mut endpoint, mut house) = (Endpoint::new(), House::new());
    endpoint.bytes_max = 8_000;
    let plain = "a plain text, with an ü";
    *endpoint.secrets.lock().expect("free") = vec![SECRET.to_owned(), plain.to_owned()];
    house.events(100);
    house.drain(endpoint.sink(), large()).await.stop().await;
    let asked = endpoint.receiver.asked();
    let lines: Vec<String> = asked
        .iter()
        .map(|asked| {
            let mut line = serde_json::Map::new();
            for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                line.insert(name.to_owned(), asked.header(name).into());
            }
            line.insert("body".to_owned(), asked.body.clone().into());
            Value::Object(line).to_string()
        })
        .collect();
    let verified = |text: String| {
        let file = endpoint.dir.path().join("asked");
        fs::write(&file, text).expect("room");
        let input = fs::File::open(file).expect("it was written");
        let mut python = Command::new("python3");
        python.args(["-c", VERIFY, SECRET, plain]).stdin(Stdio::from(input));
        python.output().expect("it is installed")
    };
    let told = verified(lines.join("\n"));
    let good = String::from_utf8_lossy(&told.stdout).lines().count();
    assert_eq!(good, lines.len(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(good > 2);
    let forged = verified(lines[0].replace("agent-0", "agent-9"));
    assert!(!forged.status.success(), "a body that was changed is found");
}

#[tokio::test]
async fn a_request_that_is_too_large_is_cut_and_an_event_that_is_too_large_put_aside() {
    let endpoint = Endpoint::answering(|body| match body.len() {
        0..4_000 => Reply::Taken,
        _ => Reply::Status(413),
    });
    let mut house = House::new();
    house.events(200);
    let mut large_one = change(0, Origin::Live);
    large_one.payload = format!("{{\"text\":\"{}\"}}", "x".repeat(9_000)).into_bytes().into();
    house.append([Body::Change(large_one)]);
    house.events(200);
    let running = house.drain(endpoint.sink(), large()).await;
    assert_eq!(running.progress.counts().parked, 1);
    assert_eq!(running.progress.counts().failures, 0);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    let aside = expected.remove(200);
    assert_eq!(endpoint.all_ids(), expected, "in order, and none of them twice");
    let letters = endpoint.letters();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].offset == 200 && letters[0].why.contains("HTTP 413"), "{letters:?}");
    let event: Value = serde_json::from_str(&letters[0].event).expect("JSON");
    assert_eq!(event["id"], aside);
    // It is remembered what the endpoint takes: not every request is refused first.
    let refused = endpoint.keys().iter().filter(|(_, reply)| *reply != Reply::Taken).count();
    assert!(refused < 12, "{refused}");
}

pub(crate) fn refuses(word: &'static str) -> impl FnMut(&str) -> Reply + Send {
    move |body| if body.contains(word) { Reply::Status(422) } else { Reply::Taken }
}

/// However short the pump's own delay is.
#[tokio::test]
async fn an_endpoint_that_asks_for_time_is_given_it() {
    let mut asked = 0;
    let endpoint = Endpoint::answering(move |_| {
        asked += 1;
        if asked == 1 { Reply::Later(429, 2) } else { Reply::Taken }
    });
    let mut house = House::new();
    house.events(10);
    let running = house.pump(endpoint.sink(), large());
    running.until("it waits", |it| it.counts().failures == 1).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("HTTP 429"), "{trouble:?}");
    running.until("it has everything", |it| it.counts().next_offset == 10).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    let asked = endpoint.receiver.asked();
    assert_eq!(asked.len(), 2);
    let waited = asked[1].at - asked[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn an_endpoint_that_wants_another_secret_is_given_it_when_it_is_there() {
    let (endpoint, mut house) = (Endpoint::answering(|_| Reply::Status(401)), House::new());
    house.events(10);
    let running = house.pump(endpoint.sink(), large());
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("HTTP 401") && trouble.todo.contains("secret"), "{trouble:?}");
    *endpoint.secrets.lock().expect("free") = vec!["another".to_owned()];
    endpoint.receiver.answer_by(|_| Reply::Taken);
    running.until("it goes on", |it| it.counts().next_offset == 10).await;
    assert_eq!(running.progress.counts().parked, 0);
    assert_eq!(running.stop().await, Ended::Stopped);
    let asked = endpoint.receiver.asked();
    assert!(asked.last().expect("one").header("webhook-signature").starts_with("v1,"));
}

/// Where it was begun, it is ended: also in batches that are smaller than the one that it was of.
#[tokio::test]
async fn a_request_comes_again_under_its_key_though_batches_are_smaller() {
    let mut endpoint = Endpoint::answering(|_| Reply::TakenWithoutAWord);
    endpoint.bytes_max = 10_000;
    let mut house = House::new();
    house.events(300);
    let running = house.pump(endpoint.sink(), large());
    running.until("it failed", |it| it.counts().failures >= 1).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    let first = endpoint.keys()[0].0.clone();
    endpoint.receiver.answer_by(|_| Reply::Taken);
    let mut config = large();
    config.cut.records_max = 7;
    house.drain(endpoint.sink(), config).await.stop().await;
    let keys = endpoint.keys();
    assert!(keys.iter().filter(|(key, _)| *key == first).count() > 1, "{keys:?}");
    let again = keys.iter().position(|(_, reply)| matches!(reply, Reply::Taken));
    assert_eq!(keys[again.expect("one is taken")].0, first);
    assert_eq!(endpoint.ids(), house.ids_from(0));
}

/// The answer is lost: the same request comes again, with the same key, also from a process that
/// was started anew, and when more of the log is there by then.
#[tokio::test]
async fn a_request_whose_answer_is_lost_comes_again_as_it_was() {
    let endpoint = Endpoint::answering(|_| Reply::TakenWithoutAWord);
    let mut house = House::new();
    house.events(10);
    let running = house.pump(endpoint.sink(), large());
    running.until("it failed", |it| it.counts().failures >= 2).await;
    house.events(30);
    running.until("it failed", |it| it.counts().failures >= 5).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    endpoint.receiver.answer_by(|_| Reply::Taken);
    house.drain(endpoint.sink(), large()).await.stop().await;
    assert_eq!(endpoint.ids(), house.ids_from(0));
    let again = endpoint.all_ids().len() - endpoint.ids().len();
    assert!(again >= 50, "the endpoint took the first ones again and again: {again}");
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for asked in endpoint.receiver.asked() {
        let key = asked.header("idempotency-key").to_owned();
        let known = bodies.entry(key).or_insert_with(|| asked.body.clone());
        assert_eq!(*known, asked.body);
    }
    // Who knows keys alone has every event once.
    let expected = ["0:9", "10:39"].map(|range| format!("\"test:{}:{range}\"", house.journal()));
    assert!(bodies.keys().eq(&expected), "{:?}", bodies.keys());
}

/// What was taken in the middle of a batch that fails is not sent again while the service runs.
#[tokio::test]
async fn what_is_known_to_be_taken_is_not_sent_again() {
    let mut asked = 0;
    let mut endpoint = Endpoint::answering(move |_| {
        asked += 1;
        if asked % 3 == 0 { Reply::Cut } else { Reply::Taken }
    });
    endpoint.bytes_max = 3_000;
    let mut house = House::new();
    house.events(300);
    let running = house.drain(endpoint.sink(), large()).await;
    assert!(running.progress.counts().failures > 3);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(endpoint.all_ids(), house.ids_from(0));
}

/// An instance that has lost the sink asks the endpoint for nothing more.
#[tokio::test]
async fn an_instance_that_was_taken_over_posts_nothing() {
    let (endpoint, mut house) = (Endpoint::new(), House::new());
    house.events(10);
    house.drain(endpoint.sink(), large()).await.stop().await;
    let (mut older, mut newer) = (endpoint.sink(), endpoint.sink());
    let old = older.open(&house.claim()).await.expect("it is there");
    newer.open(&house.claim()).await.expect("it is there");
    house.events(10);
    let base = old.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: 20, ..base };
    let batches = house.reader.batches(10).expect("a log").next_shared().expect("a log");
    let batch = Batch::of_log(Some(base), next, batches.into_iter().collect(), Arc::default());
    let before = endpoint.receiver.asked().len();
    let fenced = older.commit(old.fence, &batch).await.expect_err("it was taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    let fenced = older.tend(old.fence).await.expect_err("it was taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    assert_eq!(endpoint.receiver.asked().len(), before);
}

/// A record that says what was lost is never put aside; and rows of an image, whose offsets are
/// older than what was taken, are sent all the same.
#[tokio::test]
async fn a_lapse_is_insisted_on_and_state_follows_it() {
    let (endpoint, house) = (Endpoint::answering(refuses("unbroken.lapse")), House::new());
    let mut sink = endpoint.sink();
    let fence = sink.open(&house.claim()).await.expect("it is made").fence;
    let at = |offset| Checkpoint::in_log(house.journal(), offset);
    let rows = |offsets: std::ops::Range<u64>| -> Vec<(u64, Record)> {
        let record = |offset| Record {
            stream: "cx/a".into(),
            received_at: UnixMicros(1_000_000),
            body: Body::Change(change(offset, Origin::Live)),
        };
        offsets.map(|offset| (offset, record(offset))).collect()
    };
    sink.commit(fence, &Batch::of_nothing(None, at(500))).await.expect("its first");
    let log = Batch::of_rows(Some(at(500)), at(510), rows(500..510), Arc::default());
    sink.commit(fence, &log).await.expect("it follows");
    let image = Checkpoint::in_image(house.journal(), 900);
    let mut lapse = Batch::of_nothing(Some(at(510)), image);
    lapse.lapse = Some(Lapse { from_offset: 510, to_offset: 900 });
    let refused = sink.commit(fence, &lapse).await.expect_err("it is not taken");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("HTTP 422") && !refused.todo().is_empty());
    endpoint.receiver.answer_by(|_| Reply::Taken);
    sink.commit(fence, &lapse).await.expect("it is taken");
    let next = Checkpoint { next_offset: 40, ..image };
    let state = Batch::of_rows(Some(image), next, rows(20..30), Arc::default());
    sink.commit(fence, &state).await.expect("it follows");
    let journal = house.journal();
    let mut expected: Vec<String> = (500..510).map(|n| format!("{journal}:{n}")).collect();
    expected.push(format!("{journal}:510:lapse:900"));
    expected.extend((20..30).map(|n| format!("{journal}:{n}")));
    assert_eq!(endpoint.all_ids(), expected);
    let keys = endpoint.keys();
    let last = &keys.last().expect("one").0;
    assert_eq!(*last, format!("test:{journal}:image:900:20:29"));
}

/// What is left of a request that was sent and not answered is given, in other requests.
#[tokio::test]
async fn what_is_left_of_a_request_behind_a_lapse_is_given() {
    let small = Retention { age_ms: None, bytes_max: Some(300 * 1024) };
    let (endpoint, mut house) = (Endpoint::answering(|_| Reply::Status(503)), House::with(small));
    house.events(3_000);
    let mut config = large();
    config.cut.records_max = 3_000;
    let running = house.pump(endpoint.sink(), config.clone());
    running.until("it has sent it", |it| it.counts().failures > 0).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    house.events(2_000);
    let oldest = house.reader.oldest_offset().expect("a log");
    assert!(oldest > 0 && oldest < 3_000, "{oldest}");
    endpoint.receiver.answer_by(|_| Reply::Taken);
    let running = house.drain(endpoint.sink(), config).await;
    assert_eq!(running.progress.counts().lapsed, oldest);
    assert_eq!(running.stop().await, Ended::Stopped);
    let ids = endpoint.ids();
    let left = house.ids_from(oldest);
    assert_eq!(ids[ids.len() - left.len()..], left);
}

/// A file that is put back under it has a lower fence than the one who has it.
#[tokio::test]
async fn a_checkpoint_that_was_put_back_is_gone_on_from() {
    let (endpoint, mut house) = (Endpoint::new(), House::new());
    house.events(300);
    let running = house.drain(endpoint.sink(), quick()).await;
    let held = Connection::open(endpoint.db()).expect("a file");
    let row = |query: &str| -> (i64, String) {
        held.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
    };
    let (fence, _) = row("SELECT fence, checkpoint FROM sinks");
    for (lower, to) in [(0, 120), (1, 250)] {
        let to = format!("{}:{to}", house.journal());
        held.execute("UPDATE sinks SET fence = ?1, checkpoint = ?2", (fence - lower, to))
            .expect("it is ours");
        let failures = running.progress.counts().failures;
        house.events(50);
        let end = house.reader.end_offset().expect("a log");
        running.until("it has seen it", |it| it.counts().failures > failures).await;
        running.until("it has everything", |it| it.counts().next_offset == end).await;
    }
    assert!(row("SELECT fence, checkpoint FROM sinks").0 > fence, "no fence is given twice");
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(endpoint.ids(), house.ids_from(0), "the same events under the same ids");
    assert!(endpoint.all_ids().len() >= 400 + 180 + 50);
}

/// Also if some of what it was about to be given had been taken. Its names say how far it goes:
/// with the next try more may be lost.
#[tokio::test]
async fn a_lapse_is_told_behind_requests_of_a_batch_that_was_given_up() {
    let mut asked = 0;
    let first_alone = move |_: &str| {
        asked += 1;
        if asked == 1 { Reply::Taken } else { Reply::Status(503) }
    };
    let (mut endpoint, mut house) = (Endpoint::answering(first_alone), House::new());
    endpoint.bytes_max = 2_000;
    house.events(40);
    let mut sink = endpoint.sink();
    let fence = sink.open(&house.claim()).await.expect("it is made").fence;
    let at = |offset| Checkpoint::in_log(house.journal(), offset);
    sink.commit(fence, &Batch::of_nothing(None, at(0))).await.expect("its first");
    let mut batches = Vec::new();
    let mut reading = house.reader.batches(0).expect("a log");
    while let Some(batch) = reading.next_shared().expect("a log") {
        batches.push(batch);
    }
    let log = Batch::of_log(Some(at(0)), at(40), batches, Arc::default());
    sink.commit(fence, &log).await.expect_err("the second request is not taken");
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    endpoint.receiver.answer_by(|_| Reply::Taken);
    let taken = endpoint.all_ids().len();
    assert!(taken > 0 && taken < 40, "{taken}");
    let lapse = |to_offset| {
        let next = Checkpoint::in_image(house.journal(), to_offset);
        let mut lapse = Batch::of_nothing(Some(at(0)), next);
        lapse.lapse = Some(Lapse { from_offset: 0, to_offset });
        lapse
    };
    sink.commit(fence, &lapse(900)).await.expect("it is taken");
    let journal = house.journal();
    assert_eq!(endpoint.all_ids()[taken..], [format!("{journal}:0:lapse:900")]);
    let (key, _) = endpoint.keys().pop().expect("one");
    assert_eq!(key, format!("test:{journal}:lapse-0-900:lapse-0-900"));
}
