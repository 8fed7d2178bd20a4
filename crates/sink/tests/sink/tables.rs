//! Files of Parquet, in a directory and in an object store.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use unbroken_sink::{AskOptions, Doing, Ended, Parquet, ParquetConfig, Sink, SinkError};

use crate::house::{House, config};
use crate::mortal::Mortal;
use crate::object_store::{Bucket, python, script};
use crate::overtaken::{in_files, in_order};
use crate::shelf::{Held, Target};

/// Files in a directory.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// In the order of logs and offsets.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for day in fs::read_dir(self.dir()).expect("it is there") {
            let day = day.expect("an entry").path();
            if day.is_dir() {
                let entries = fs::read_dir(day).expect("a day");
                files.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
        }
        files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        files
    }
}

impl Target for Files {
    fn sink(&self) -> impl Sink + 'static {
        Parquet::new("test", ParquetConfig::Dir(self.dir()))
    }

    fn ids(&self) -> Vec<String> {
        let files = self.files().into_iter();
        files.flat_map(|path| ids_of(File::open(path).expect("a file"))).collect()
    }

    fn whole(&self) -> Vec<String> {
        in_order(self.ids())
    }

    fn like(&self, held: &Held) -> Vec<String> {
        in_files(held)
    }
}

fn ids_of(file: impl ChunkReader + 'static) -> Vec<String> {
    let reader = SerializedFileReader::new(file).expect("a whole file");
    let rows = reader.get_row_iter(None).expect("rows");
    let id = |row: parquet::record::Row| {
        let log = row.get_string(0).expect("a log");
        format!("{log}:{}", row.get_long(1).expect("an offset"))
    };
    rows.map(|row| id(row.expect("a row"))).collect()
}

/// The rows of a query, as DuckDB has them, their columns with `|` between them.
pub(crate) fn duckdb(query: &str) -> Vec<String> {
    let told = python().arg(script("query.py")).arg(query).output().expect("python3");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("text").lines().map(str::to_owned).collect()
}

impl Bucket {
    /// A sink that goes to the server by another way.
    pub(crate) fn by(&self, endpoint: &str) -> Parquet {
        let (url, options) = (format!("s3://{}/out", self.name), Self::options_by(endpoint));
        let options: AskOptions = Arc::new(move || {
            let options = options.clone();
            Box::pin(async move { Ok(options) })
        });
        Parquet::new("test", ParquetConfig::Store { url, options, ca: None })
    }
}

impl Target for Bucket {
    fn sink(&self) -> impl Sink + 'static {
        self.by(&self.endpoint)
    }

    fn ids(&self) -> Vec<String> {
        self.ask("ids").lines().map(str::to_owned).collect()
    }

    fn whole(&self) -> Vec<String> {
        in_order(self.ids())
    }

    fn like(&self, held: &Held) -> Vec<String> {
        in_files(held)
    }
}

/// What DuckDB and pandas make of the files, types and all, beside the records themselves.
#[tokio::test]
async fn duckdb_and_pandas_read_what_the_log_holds() {
    let (files, mut house) = (Files::new(), House::new());
    house.events(500);
    house.drain(files.sink(), config()).await.stop().await;
    assert_eq!(files.files().len(), 8, "one of each batch of 70");
    let file = File::open(&files.files()[0]).expect("a file");
    let file = SerializedFileReader::new(file).expect("a whole file");
    let columns = file.metadata().row_group(0).columns();
    let is_zstd =
        |column: &ColumnChunkMetaData| matches!(column.compression(), Compression::ZSTD(_));
    assert!(columns.iter().all(is_zstd), "{columns:?}");
    let mut python = python();
    python.arg(script("readers.py")).arg(files.dir());
    let told = python.output().expect("python3");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).expect("text");
    let mut lines = told.lines();
    let types = "log VARCHAR, log_offset BIGINT, record VARCHAR, stream VARCHAR, key VARCHAR, \
        epoch BIGINT, position UBIGINT, ordinal INTEGER, event_id VARCHAR, kind VARCHAR, \
        origin VARCHAR, effect VARCHAR, deleted BOOLEAN, occurred_at TIMESTAMP WITH TIME ZONE, \
        received_at TIMESTAMP WITH TIME ZONE, snapshot UBIGINT, payload VARCHAR, \
        payload_bytes BLOB, data VARCHAR, day DATE";
    assert_eq!(lines.next(), Some(types));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), 500);
    for (n, row) in rows.iter().enumerate() {
        let payload = format!("{{\"n\":{n},\"text\":\"a line \\n and ü\"}}");
        let told = format!("{n} change cx/a agent-{} state live {n} 1000000 {payload}", n % 7);
        assert_eq!(*row, told);
    }
}

/// Somebody puts back what the place had before the sink was opened: nobody else has it.
#[tokio::test]
async fn a_checkpoint_that_was_put_back_is_gone_on_with() {
    let (files, mut house) = (Files::new(), House::new());
    house.events(50);
    let running = house.pump(files.sink(), config());
    running.until("it has everything", |it| it.counts().next_offset == 50).await;
    let path = files.dir().join("checkpoint.json");
    let held = fs::read_to_string(&path).expect("it is there");
    let mut state: serde_json::Value = serde_json::from_str(&held).expect("JSON");
    let before = state["fence"].as_u64().expect("a number");
    state["fence"] = (before - 1).into();
    fs::write(&path, state.to_string()).expect("room");
    house.events(50);
    running.until("it has everything", |it| it.counts().next_offset == 100).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(files.ids(), house.ids_from(0));
}

/// The server was made in clear: only what it holds is needed of that.
#[tokio::test]
async fn an_object_store_in_tls_is_trusted_where_its_certificate_is_named() {
    let (mut server, mut house) = (Mortal::start("s3.py"), House::new());
    let bucket = Bucket::of(format!("http://{}", server.address()));
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    server.kill();
    server.speak_tls(Some(&(certificate.pem() + &key.serialize_pem())));
    server.start_again();
    house.events(100);
    let (url, port) = (format!("s3://{}/out", bucket.name), server.address().port());
    let options: AskOptions = Arc::new(move || {
        let options = Bucket::options_by(&format!("https://localhost:{port}"));
        Box::pin(async move { Ok(options) })
    });
    let trusting = |ca: Option<String>| {
        let (url, options, ca) = (url.clone(), Arc::clone(&options), ca.map(String::into_bytes));
        Parquet::new("test", ParquetConfig::Store { url, options, ca })
    };
    let refused = trusting(None).open(&house.claim()).await.expect_err("nobody vouches for it");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert!(refused.todo().contains("ca_file"), "{}", refused.todo());
    let running = house.drain(trusting(Some(certificate.pem())), config()).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    server.kill();
    server.speak_tls(None);
    server.start_again();
    assert_eq!(bucket.ids(), house.ids_from(0));
}

/// Whoever goes on from there would have records in two files.
#[tokio::test]
async fn a_checkpoint_that_was_set_back_in_a_bucket_is_refused() {
    let (bucket, mut house) = (Bucket::new(), House::new());
    house.events(50);
    house.drain(bucket.sink(), config()).await.stop().await;
    bucket.ask("copy:out/checkpoint.json:aside");
    house.events(50);
    let running = house.drain(bucket.sink(), config()).await;
    bucket.ask("copy:aside:out/checkpoint.json");
    house.events(50);
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("beyond the checkpoint"), "{trouble:?}");
    assert!(trouble.todo.contains("restore the checkpoint"), "{trouble:?}");
    running.stop().await;
    assert_eq!(bucket.ids(), house.ids_from(0)[..100]);
}

/// What a person must put right is said with how, and not tried again as if it could pass.
#[tokio::test]
async fn a_bucket_that_is_elsewhere_or_nowhere_is_told_by_what_to_do() {
    let (nowhere, house) = (Bucket::new(), House::new());
    let nowhere = Bucket { name: "no-bucket".to_owned(), endpoint: nowhere.endpoint };
    let elsewhere = Bucket { name: "elsewhere".to_owned(), endpoint: redirecting() };
    for (bucket, what, todo) in [
        (nowhere, "no bucket of this name", "create the bucket"),
        (elsewhere, "in another region", "`aws_region`"),
    ] {
        let refused = bucket.sink().open(&house.claim()).await.expect_err(what);
        assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
        assert!(refused.to_string().contains(what), "{refused}");
        assert!(refused.todo().contains(todo), "{}", refused.todo());
    }
}

/// Answers everything as S3 does whoever asks in another region. It ends with the test's process.
fn redirecting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("a port");
    let body = "<Error><Code>PermanentRedirect</Code></Error>";
    let head = "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: us-west-2\r\n";
    let length = body.len();
    let answer = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut asked = [0; 16 * 1024];
            if client.read(&mut asked).is_ok_and(|length| length > 0) {
                // Who has gone does not hear it.
                let _ = client.write_all(answer.as_bytes());
            }
        }
    });
    format!("http://{at}")
}
