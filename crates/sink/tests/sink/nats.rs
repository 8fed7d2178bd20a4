//! A stream in a NATS server.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use unbroken_core::record::{Body, Change, Origin, digest};
use unbroken_sink::{
    Batch, Checkpoint, Cut, Doing, Ended, Nats, NatsConfig, Parked, Sink, SinkError, nats_servers,
};

use crate::house::{House, change, quick};
use crate::jetstream_server::{JetStream, Told};
use crate::retention::a_lapse_is_behind_what_was_there;
use crate::roads::trust;
use crate::shelf::{Target, too_large};

/// A server's settings.
pub(crate) const LARGE_BATCHES: &str = "jetstream { limits { batch { max_msgs: 10000 } } }";

/// A stream of a server.
pub(crate) struct Channel(pub(crate) JetStream);

pub(crate) const STREAM: &str = "UNBROKEN";
pub(crate) const PREFIX: &str = "record.house-1";

impl Channel {
    pub(crate) fn new() -> Self {
        Self(JetStream::start())
    }

    fn config(&self, name: &str) -> NatsConfig {
        Self::config_of(name, &self.0.url())
    }

    pub(crate) fn config_of(name: &str, url: &str) -> NatsConfig {
        NatsConfig {
            name: name.to_owned(),
            servers: nats_servers(url, None).expect("a URL"),
            tls: trust(&[]),
            login: None,
            stream: STREAM.to_owned(),
            prefix: PREFIX.to_owned(),
            replicas: 1,
            batch_messages_max: 1_000,
            keep: None,
        }
    }

    pub(crate) fn named(&self, name: &str) -> Nats {
        Nats::new(self.config(name))
    }

    /// Of a server that takes more at once, or is said to.
    pub(crate) fn taking(&self, batch_messages_max: usize) -> Nats {
        Nats::new(NatsConfig { batch_messages_max, ..self.config("test") })
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.messages(STREAM, PREFIX)
    }

    /// In how many batches its messages came.
    pub(crate) fn parts(&self) -> usize {
        let told = self.told();
        let ids = told.iter().filter_map(|told| {
            told.headers.lines().find(|line| line.starts_with("Nats-Batch-Id: "))
        });
        ids.collect::<BTreeSet<_>>().len()
    }

    /// What the checkpoint says.
    pub(crate) fn checkpoint(&self) -> Value {
        let told = self.told();
        let last = told.iter().rfind(|told| told.subject.ends_with(".checkpoint"));
        serde_json::from_slice(&last.expect("a checkpoint").body).expect("JSON")
    }

    /// Makes a stream with settings of a person's own.
    pub(crate) fn make(&self, settings: &Value) {
        self.set("CREATE", settings);
    }

    /// Gives it others.
    pub(crate) fn change(&self, settings: &Value) {
        self.set("UPDATE", settings);
    }

    /// Where the last message of a subject is.
    pub(crate) fn last(&self, subject: &str) -> u64 {
        self.newest(subject)["seq"].as_u64().expect("a number")
    }

    /// Whether the last message is no checkpoint, which every batch ends with.
    pub(crate) fn ends_in_a_chain(&self) -> bool {
        let subject = &self.newest(&format!("{PREFIX}.>"))["subject"];
        subject.as_str().is_some_and(|subject| !subject.ends_with(".checkpoint"))
    }

    /// With the power that its machine loses.
    pub(crate) fn loses_its_end(&mut self) {
        self.0.kill();
        let messages = self.0.streams().join(STREAM).join("msgs");
        let files = fs::read_dir(&messages).expect("it is there");
        let mut blocks: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
        blocks.retain(|path| path.extension().is_some_and(|ending| ending == "blk"));
        blocks.sort();
        let block = blocks.last().expect("a file");
        let bytes = fs::metadata(block).expect("it is there").len();
        let file = OpenOptions::new().write(true).open(block).expect("it is ours");
        file.set_len(bytes - 20_000).expect("it is shortened");
        self.0.start_again();
    }

    fn newest(&self, subject: &str) -> Value {
        let asked = json!({ "last_by_subj": subject });
        self.0.api(&format!("STREAM.MSG.GET.{STREAM}"), &asked)["message"].take()
    }

    fn set(&self, how: &str, settings: &Value) {
        let mut config = json!({
            "name": STREAM, "subjects": [format!("{PREFIX}.>")], "storage": "file",
            "allow_atomic": true, "allow_msg_ttl": true, "allow_rollup_hdrs": true,
        });
        for (key, value) in settings.as_object().expect("settings") {
            config[key] = value.clone();
        }
        let told = self.0.api(&format!("STREAM.{how}.{STREAM}"), &config);
        assert!(told.get("error").is_none(), "{told}");
    }
}

/// Of what is neither a checkpoint nor a dead letter.
fn event_id(told: &Told) -> Option<String> {
    let is_record = !told.subject.ends_with(".checkpoint") && !told.subject.ends_with("letters");
    let event: Value = is_record.then(|| serde_json::from_slice(&told.body).expect("JSON"))?;
    Some(event["id"].as_str().expect("an id").to_owned())
}

impl Target for Channel {
    fn sink(&self) -> impl Sink + 'static {
        self.named("test")
    }

    fn ids(&self) -> Vec<String> {
        self.told().iter().filter_map(event_id).collect()
    }

    fn odd(&self, change: Change) -> Change {
        too_large(change)
    }

    fn aside(&self) -> Option<usize> {
        let is_letter = |told: &&Told| told.subject.ends_with(".dead_letters");
        Some(self.told().iter().filter(is_letter).count())
    }
}

/// The server is killed again and again, in the middle of whatever it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_every_record_once_and_in_order() {
    let (mut channel, mut house) = (Channel::new(), House::new());
    let running = house.pump(channel.sink(), quick());
    for round in 0..6_u64 {
        house.events(3_000);
        let offset = 3_000 * round + 500;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        channel.0.kill();
        channel.0.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 18_000).await;
    assert!(running.progress.counts().failures >= 6, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), house.ids_from(0));
}

#[tokio::test]
async fn two_that_make_the_stream_at_once_make_it_once() {
    let (channel, house) = (Channel::new(), House::new());
    let (mut one, mut other) = (channel.named("test"), channel.named("test"));
    let claim = house.claim();
    let (one, other) = tokio::join!(one.open(&claim), other.open(&claim));
    let (one, other) = (one.expect("it is made"), other.expect("it is made"));
    assert_ne!(one.fence, other.fence);
    let refused = channel.named("other").open(&claim).await.expect_err("it is another's");
    assert!(matches!(&refused, SinkError::Blocked(_)) && refused.to_string().contains("`test`"));
}

/// More than the server takes at once, and no multiple of it, into a stream that remembers ids for
/// as long as streams do unless they are told otherwise.
#[tokio::test]
async fn a_large_batch_is_committed_in_parts() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.make(&json!({}));
    house.events(4_321);
    let mut config = quick();
    config.cut.records_max = 5_000;
    let running = house.drain(channel.sink(), config).await;
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), house.ids_from(0));
    assert_eq!(channel.parts(), 5, "four full ones and a rest");
    let told = channel.told();
    let checkpoints = told.iter().filter(|told| told.subject.ends_with(".checkpoint"));
    assert_eq!(checkpoints.count(), 1, "each replaces the one before");
    assert_eq!(told[0].subject, format!("{PREFIX}.cx.a.change"));
    assert!(told[0].headers.contains("Content-Type: application/cloudevents+json"));
}

#[tokio::test]
async fn an_event_that_is_too_large_is_a_dead_letter() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    let mut bad = change(100, Origin::Live);
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes();
    (bad.digest, bad.payload) = (digest(&payload), payload.into());
    house.append([Body::Change(bad), Body::Change(change(101, Origin::Live))]);
    house.events(50);
    let running = house.drain(channel.sink(), quick()).await;
    assert_eq!(running.progress.counts().parked, 1);
    assert_eq!(running.progress.counts().failures, 0);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    let id = expected.remove(100);
    assert_eq!(channel.ids(), expected);
    let told = channel.told();
    let mut letters = told.iter().filter(|told| told.subject.ends_with(".dead_letters"));
    let letter = letters.next().expect("a letter");
    assert!(letters.next().is_none());
    assert!(letter.headers.contains(&format!("Unbroken-Id: {id}")), "{}", letter.headers);
    assert!(letter.headers.contains("Unbroken-Why: its event has 1049"), "{}", letter.headers);
    let event: Value = serde_json::from_slice(&letter.body).expect("JSON");
    assert_eq!((&event["id"], &event["subject"]), (&json!(id), &json!("agent-2")));
    assert!(event.get("data").is_none());
}

#[tokio::test]
async fn a_server_that_takes_more_at_once_is_given_more_and_another_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("settings");
    fs::write(&settings, LARGE_BATCHES).expect("room");
    let settings = settings.display().to_string();
    let large = Channel(JetStream::with(&["-js", "-c", &settings]));
    let mut house = House::new();
    house.events(4_321);
    let mut config = quick();
    config.cut.records_max = 5_000;
    let running = house.drain(large.taking(5_000), config.clone()).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!((large.parts(), large.ids()), (1, house.ids_from(0)));
    let channel = Channel::new();
    let running = house.pump(channel.taking(5_000), config);
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.todo.contains("`batch_messages_max`"), "{trouble:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
}

#[tokio::test]
async fn a_lapse_is_a_message_behind_what_was_there() {
    a_lapse_is_behind_what_was_there(&Channel::new()).await;
}

/// What comes before it in the same batch is committed by then, in parts, and not again.
#[tokio::test]
async fn an_event_that_is_too_large_in_a_later_part_is_put_aside_alone() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(2_500);
    let mut bad = change(2_500, Origin::Live);
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes();
    (bad.digest, bad.payload) = (digest(&payload), payload.into());
    house.append([Body::Change(bad)]);
    house.events(1_500);
    let mut config = quick();
    config.cut = Cut { records_max: 5_000, bytes: 8 << 20, ..config.cut };
    let running = house.drain(channel.sink(), config).await;
    let counts = running.progress.counts();
    assert_eq!((counts.parked, counts.failures), (1, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    expected.remove(2_500);
    assert_eq!(channel.ids(), expected);
}

/// Records that are given again since somebody has set the checkpoint back are there again: a
/// stream only grows.
#[tokio::test]
async fn a_checkpoint_that_was_moved_by_hand_is_gone_on_from() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(300);
    let running = house.drain(channel.sink(), quick()).await;
    let mut checkpoint = channel.checkpoint();
    checkpoint["checkpoint"] = json!(format!("{}:{}", house.journal(), 120));
    channel.0.publish(&format!("{PREFIX}.checkpoint"), &checkpoint.to_string());
    house.events(50);
    running.until("it has seen it", |it| it.counts().failures > 0).await;
    let trouble = running.progress.trouble();
    running.until("it has everything", |it| it.counts().next_offset == 350).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    let twice = house.ids_from(120);
    assert_eq!(channel.ids(), [&house.ids_from(0)[..300], &twice].concat(), "{trouble:?}");
}

/// Each connection raises the fence, so a text that somebody kept has a lower one.
#[tokio::test]
async fn a_checkpoint_of_an_older_fence_is_gone_on_from_by_the_only_instance() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(300);
    let running = house.drain(channel.sink(), quick()).await;
    let mut checkpoint = channel.checkpoint();
    let fence = checkpoint["fence"].as_u64().expect("a number");
    checkpoint["fence"] = json!(fence - 1);
    checkpoint["checkpoint"] = json!(format!("{}:{}", house.journal(), 120));
    channel.0.publish(&format!("{PREFIX}.checkpoint"), &checkpoint.to_string());
    house.events(50);
    running.until("it has everything", |it| it.counts().next_offset == 350).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), [&house.ids_from(0)[..300], &house.ids_from(120)].concat());
    let raised = channel.checkpoint()["fence"].as_u64().expect("a number");
    assert!(raised > fence, "its own was not given again: {raised} and {fence}");
}

/// What the text of a takeover says about the end of the stream is true once.
#[tokio::test]
async fn a_checkpoint_that_was_published_by_hand_deletes_nothing() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    channel.named("test").open(&house.claim()).await.expect("it is there");
    let taken = channel.checkpoint();
    assert!(taken["whole_until"].as_u64().is_some_and(|until| until > 100), "{taken}");
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    channel.0.publish(&format!("{PREFIX}.checkpoint"), &taken.to_string());
    channel.named("test").open(&house.claim()).await.expect("it is there");
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// Whoever took the sink over went away before the remains of a batch were deleted.
#[tokio::test]
async fn what_is_left_of_a_batch_is_taken_out_by_the_next_one() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    let subject = format!("{PREFIX}.checkpoint");
    let whole_until = channel.last(&subject);
    // The server takes no batch in part. It is told by the end of this header as well.
    let header = format!("X-Nats-Batch-Id: unbroken-{:016x}-1-1", digest(PREFIX.as_bytes()) as u64);
    let told = channel.0.publish_with(&format!("{PREFIX}.cx.change"), &header, r#"{"id":"left"}"#);
    assert!(told.get("error").is_none(), "{told}");
    assert_eq!(channel.ids().len(), 101);
    let mut taken = channel.checkpoint();
    taken["fence"] = json!(taken["fence"].as_u64().expect("a number") + 1);
    taken["whole_until"] = json!(whole_until);
    let follows = format!("Nats-Expected-Last-Subject-Sequence: {whole_until}");
    let told = channel.0.publish_with(&subject, &follows, &taken.to_string());
    assert!(told.get("error").is_none(), "{told}");
    channel.named("test").open(&house.claim()).await.expect("it is there");
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// What it has committed while the other one was away lies where that one looks for remains.
#[tokio::test]
async fn a_sink_whose_prefix_lies_below_that_of_another_one_keeps_its_messages() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.make(&json!({ "subjects": ["record.>"] }));
    let above = || {
        let prefix = "record".to_owned();
        Nats::new(NatsConfig { prefix, ..channel.config("above") })
    };
    house.events(100);
    house.drain(above(), quick()).await.stop().await;
    house.drain(channel.sink(), quick()).await.stop().await;
    house.drain(above(), quick()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
    house.events(10);
    house.drain(channel.sink(), quick()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
}

#[tokio::test]
async fn a_dead_letter_that_fits_has_the_text_of_its_event() {
    let (channel, mut house) = (Channel::new(), House::new());
    let mut bad = change(0, Origin::Live);
    let payload = br#"{"z":1.50,"a":1e2}"#;
    (bad.digest, bad.payload) = (digest(payload), payload.to_vec().into());
    house.append([Body::Change(bad)]);
    let mut sink = channel.named("test");
    let fence = sink.open(&house.claim()).await.expect("it is made").fence;
    let next = Checkpoint::in_log(house.journal(), 1);
    let batches = house.reader.batches(0).expect("a log").next_shared().expect("a log");
    let mut batch = Batch::of_log(None, next, batches.into_iter().collect(), Arc::default());
    batch.parked.push(Parked { offset: 0, why: "a test".to_owned() });
    sink.commit(fence, &batch).await.expect("it is taken");
    let told = channel.told();
    let letter = told.iter().find(|told| told.subject.ends_with(".dead_letters"));
    let text = String::from_utf8_lossy(&letter.expect("a letter").body);
    assert!(text.contains(r#""payload":{"z":1.50,"a":1e2}"#), "{text}");
}

#[tokio::test]
async fn messages_without_their_checkpoint_are_left_alone() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    let purged = json!({ "filter": format!("{PREFIX}.checkpoint") });
    channel.0.api(&format!("STREAM.PURGE.{STREAM}"), &purged);
    let refused = channel.named("test").open(&house.claim()).await.expect_err("it is gone");
    assert!(refused.to_string().contains("no checkpoint"), "{refused}");
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// The end of the stream's file is lost with the power, in the middle of a batch.
#[tokio::test]
async fn what_a_power_cut_leaves_of_a_batch_is_taken_out() {
    let (mut channel, mut house) = (Channel::new(), House::new());
    house.events(210);
    house.drain(channel.sink(), quick()).await.stop().await;
    channel.loses_its_end();
    let held = channel.ids().len();
    assert!((141..210).contains(&held), "{held} are left, and the checkpoint is that of 140");
    assert!(channel.checkpoint()["checkpoint"].as_str().expect("one").ends_with(":140"));
    house.events(30);
    // Somebody opens it, and goes away before anything is committed.
    channel.named("test").open(&house.claim()).await.expect("it is there");
    house.drain(channel.sink(), quick()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// What would lose the checkpoint, or does not take a batch, is refused before anything is written.
#[tokio::test]
async fn a_stream_that_cannot_keep_the_promise_is_refused() {
    let house = House::new();
    for (settings, why) in [
        (json!({ "allow_atomic": false }), "does not allow atomic batches"),
        (json!({ "storage": "memory" }), "is kept in memory"),
        (json!({ "retention": "workqueue" }), "have acknowledged"),
        (json!({ "retention": "interest" }), "have acknowledged"),
        (json!({ "max_age": 60_000_000_000_u64, "duplicate_window": 0 }), "by their age"),
        (json!({ "max_msgs": 9, "subjects": [format!("{PREFIX}.>"), "x"] }), "push out"),
        (json!({ "subjects": [format!("{PREFIX}.*")] }), "every subject below"),
        (json!({ "deny_delete": true }), "lets nothing be deleted"),
        (json!({ "sources": [{ "name": "OTHER" }] }), "has `sources`"),
        (json!({ "no_ack": true }), "answers nothing"),
        (json!({ "max_msg_size": 1_000 }), "messages of up to 1000 bytes"),
        (json!({ "subject_transform": { "src": ">", "dest": "t.>" } }), "renames"),
    ] {
        let channel = Channel::new();
        channel.make(&settings);
        let refused = channel.named("test").open(&house.claim()).await.expect_err(why);
        assert!(matches!(&refused, SinkError::Blocked(_)), "{settings}: {refused:?}");
        assert!(refused.to_string().contains(why), "{settings}: {refused}");
        assert!(!refused.todo().is_empty());
        let info = channel.0.api(&format!("STREAM.INFO.{STREAM}"), &Value::Null);
        assert_eq!(info["state"]["last_seq"], 0, "{settings}");
    }
}

/// A person's own stream, where each of its limits allows what is needed.
#[tokio::test]
async fn a_stream_of_a_person_s_own_is_used_as_it_is() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.make(&json!({
        "allow_rollup_hdrs": false, "allow_msg_ttl": false, "max_msgs": 50, "max_msg_size": 9_000,
    }));
    house.events(310);
    let running = house.drain(channel.sink(), quick()).await;
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    let (ids, all) = (channel.ids(), house.ids_from(0));
    assert!((40..50).contains(&ids.len()), "the newest ones, and checkpoints");
    assert_eq!(ids, all[all.len() - ids.len()..]);
    let other = Channel::new();
    other.make(&json!({ "allow_msg_ttl": false }));
    let keep = Some(Duration::from_secs(60));
    let mut sink = Nats::new(NatsConfig { keep, ..other.config("test") });
    let refused = sink.open(&house.claim()).await.expect_err("messages cannot say it");
    assert!(refused.to_string().contains("how long it is kept"), "{refused}");
}

/// An account may ask of each stream that it says how large it gets.
#[tokio::test]
async fn a_stream_that_the_account_does_not_let_be_made_is_made_by_hand() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("settings");
    let jetstream = "jetstream { max_file: 100M, max_bytes_required: true }";
    let account = format!("T {{ users [{{ user: t, password: t }}], {jetstream} }}");
    fs::write(&settings, format!("accounts {{ {account} }}\nno_auth_user: t\n")).expect("room");
    let settings = settings.display().to_string();
    let (channel, mut house) = (Channel(JetStream::with(&["-js", "-c", &settings])), House::new());
    let refused = channel.named("test").open(&house.claim()).await.expect_err("it says nothing");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("(error 10113)"), "{refused}");
    assert!(refused.todo().contains("`max_bytes`"), "{}", refused.todo());
    channel.make(&json!({ "max_bytes": 50_000_000 }));
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// Messages go when their time has come, also through a kill; the checkpoint stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_kept_for_a_time_and_the_checkpoint_for_ever() {
    let (mut channel, mut house) = (Channel::new(), House::new());
    let keep = Some(Duration::from_secs(1));
    let sink = || Nats::new(NatsConfig { keep, ..channel.config("test") });
    house.events(200);
    house.drain(sink(), quick()).await.stop().await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(channel.ids(), [""; 0]);
        assert!(channel.checkpoint()["checkpoint"].as_str().expect("one").ends_with(":200"));
        channel.0.kill();
        channel.0.start_again();
    }
    house.events(10);
    let sink = Nats::new(NatsConfig { keep, ..channel.config("test") });
    house.drain(sink, quick()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(200));
}

/// Whoever has lost the sink learns so with its next commit, and leaves nothing.
#[tokio::test]
async fn a_zombie_commits_nothing() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    let (mut zombie, mut newer) = (channel.named("test"), channel.named("test"));
    let old = zombie.open(&house.claim()).await.expect("it is there");
    let new = newer.open(&house.claim()).await.expect("it is there");
    house.events(10);
    let held = old.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: 110, ..held };
    let batches = house.reader.batches(100).expect("a log").next_shared().expect("a log");
    let batch = Batch::of_log(Some(held), next, batches.into_iter().collect(), Arc::default());
    assert_eq!(batch.entries().count(), 10);
    let fenced = zombie.commit(old.fence, &batch).await.expect_err("it has been taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    assert_eq!(channel.checkpoint()["fence"], new.fence.0);
    assert_eq!(channel.checkpoint()["checkpoint"], held.to_string());
    assert_eq!(channel.ids(), house.ids_from(0)[..100]);
}

#[tokio::test]
async fn a_server_without_jetstream_is_said_to_have_none() {
    let channel = Channel(JetStream::with(&[]));
    let refused = channel.named("test").open(&House::new().claim()).await.expect_err("none");
    assert!(refused.to_string().contains("JetStream is not enabled"), "{refused}");
}

/// A full stream holds the sink up, and nothing else.
#[tokio::test]
async fn a_stream_that_is_full_is_waited_for() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.make(&json!({ "max_msgs": 150, "discard": "new" }));
    house.events(300);
    let running = house.pump(channel.sink(), quick());
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.todo.contains("make room"), "{trouble:?}");
    channel.change(&json!({ "discard": "new", "max_msgs": 1_000 }));
    running.until("it goes on", |it| it.counts().next_offset == 300).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), house.ids_from(0));
}
