//! noida-db, which speaks Kafka's protocol: somebody else's program, of which there is no source to
//! read. It is pinned by its hash, and runs as nobody in a network of its own, without a route.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use unbroken_sink::rdkafka::ClientConfig;
use unbroken_sink::rdkafka::Message as _;
use unbroken_sink::rdkafka::consumer::{BaseConsumer, Consumer as _};
use unbroken_sink::rdkafka::error::KafkaError;
use unbroken_sink::rdkafka::message::{BorrowedMessage, Headers as _};
use unbroken_sink::rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::ports::free_port;

/// How long it may take to start, or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// It ends with the test.
pub(crate) struct Broker {
    dir: TempDir,
    port: u16,
    process: Child,
}

/// A message as a reader of what is committed has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        assert!(is_alone(), "its network has a way out: play it by `make test-kafka-external`");
        let dir = tempfile::tempdir().expect("a directory");
        let shared = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755));
        shared(dir.path()).expect("it is ours");
        let program = dir.path().join("noida-db");
        fs::copy(installed(), &program).expect("`make test-kafka-external` has installed it");
        shared(&program).expect("it is ours");
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("room");
        chown(&data, Some(NOBODY), Some(NOBODY)).expect("it runs as root, but for the broker");
        let port = free_port();
        let process = spawn(dir.path(), port);
        let broker = Self { dir, port, process };
        broker.wait();
        broker
    }

    pub(crate) fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Until it has written to its disk that there is such a topic. It writes once a second, and
    /// what it acknowledged since then it forgets when it is killed.
    pub(crate) fn has_saved(&self, topic: &str) {
        let begun = Instant::now();
        let path = self.dir.path().join("data/kafka.json");
        while !fs::read_to_string(&path).is_ok_and(|text| text.contains(topic)) {
            assert!(begun.elapsed() < PATIENCE, "it saves");
            sleep(Duration::from_millis(10));
        }
    }

    /// Without a chance to say or write anything more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was ours");
    }

    /// With everything that it has acknowledged on its disk. On SIGTERM it saves and goes on to
    /// acknowledge until it ends, which any producer loses; told by its own command it hears nobody
    /// any more when it saves. It takes commands a moment after it has opened its port.
    pub(crate) fn end(&mut self) {
        let begun = Instant::now();
        let stop = ["stop", "kafka", "--data-dir", "."];
        loop {
            let told = as_nobody(self.dir.path()).args(stop).output().expect("util-linux");
            if told.status.success() {
                return self.kill();
            }
            assert!(begun.elapsed() < PATIENCE, "it takes commands: {told:?}");
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn start_again(&mut self) {
        self.process = spawn(self.dir.path(), self.port);
        self.wait();
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "it starts: {log}");
            sleep(Duration::from_millis(10));
        }
    }

    /// All messages of a topic that are committed, by partition and in order.
    pub(crate) fn messages(&self, topic: &str) -> Vec<Told> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.servers())
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "20")
            .create()
            .expect("a reader");
        let metadata = reader.fetch_metadata(Some(topic), PATIENCE).expect("an answer");
        let count = metadata.topics()[0].partitions().len() as i32;
        let mut wanted = TopicPartitionList::new();
        for partition in 0..count {
            wanted.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        reader.assign(&wanted).expect("it is there");
        let (mut told, mut ended) = (Vec::new(), 0);
        let begun = Instant::now();
        while ended < count {
            assert!(begun.elapsed() < PATIENCE, "{topic} has an end");
            match reader.poll(Duration::from_millis(20)) {
                Some(Ok(message)) => told.push(Told::of(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        told.sort_by_key(|told| told.partition);
        told
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Told {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let text = |bytes: Option<&[u8]>| {
            String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text")
        };
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            key: text(message.key()),
            headers: headers.map(|it| (it.key.to_owned(), text(it.value))).collect(),
            body: message.payload().unwrap_or_default().to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

fn installed() -> PathBuf {
    let cache = std::env::var_os("UNBROKEN_CACHE").map(PathBuf::from);
    let cache =
        cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/unbroken")));
    cache.expect("a home").join("noida/noida_db/noida-db")
}

/// Whether nothing but this machine's own loopback can be reached.
fn is_alone() -> bool {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = devices.lines().skip(2).filter_map(|line| line.split(':').next());
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let has_others = |name: &str| !["lo", "sit0", "tunl0"].contains(&name.trim());
    !devices.is_empty() && !names.into_iter().any(has_others) && routes.lines().count() <= 1
}

/// Its program, in its directory of data.
fn as_nobody(dir: &Path) -> Command {
    let data = dir.join("data");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"])
        .args(["--inh-caps=-all", "--bounding-set=-all"])
        .arg(dir.join("noida-db"))
        .env_clear()
        .env("HOME", &data)
        .current_dir(&data)
        .stdin(Stdio::null());
    command
}

fn spawn(dir: &Path, port: u16) -> Child {
    let log = || File::options().create(true).append(true).open(dir.join("log")).expect("a file");
    as_nobody(dir)
        .args(["start", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir", "."])
        .stdout(log())
        .stderr(log())
        .spawn()
        .expect("util-linux is installed")
}
