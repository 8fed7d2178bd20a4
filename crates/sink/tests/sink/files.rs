//! Files of JSON lines.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use unbroken_sink::{Doing, Ended, Ndjson, NdjsonConfig, Sink, SinkError};

use crate::house::{House, config};
use crate::retention::a_lapse_is_behind_what_was_there;
use crate::shelf::Target;

/// A directory of small files.
pub(crate) struct Folder(TempDir, u64);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::of_offsets(250)
    }

    /// With files of so many offsets.
    pub(crate) fn of_offsets(file_offsets: u64) -> Self {
        Self(tempfile::tempdir().expect("a directory"), file_offsets)
    }

    fn named(&self, name: &str) -> Ndjson {
        self.of_files(name, self.1)
    }

    fn of_files(&self, name: &str, file_offsets: u64) -> Ndjson {
        let dir = self.0.path().join("out");
        Ndjson::new(name, NdjsonConfig { dir, file_offsets })
    }

    /// The files, in order.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("out")).expect("it is there");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
        files.sort();
        files
    }

    /// All lines, in order.
    fn lines(&self) -> Vec<Value> {
        let texts = self.files().into_iter().map(|path| fs::read_to_string(path).expect("text"));
        let all: String = texts.collect();
        assert!(all.is_empty() || all.ends_with('\n'), "the last line is whole");
        all.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Target for Folder {
    fn sink(&self) -> impl Sink + 'static {
        self.named("test")
    }

    fn ids(&self) -> Vec<String> {
        let id = |line: Value| line["id"].as_str().expect("an id").to_owned();
        self.lines().into_iter().map(id).collect()
    }
}

#[tokio::test]
async fn files_are_named_by_the_offsets_of_their_lines() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(620);
    house.drain(folder.sink(), config()).await.stop().await;
    let mut counts = Vec::new();
    for (n, path) in (0..).zip(folder.files()) {
        let name = format!("{:020}-{:020}.ndjson", n * 250, n * 250 + 249);
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(name.as_str()));
        counts.push(fs::read_to_string(path).expect("text").lines().count());
    }
    assert_eq!(counts, [250, 250, 120]);
    let line = &folder.lines()[3];
    assert_eq!(line["type"], "unbroken.change");
    assert_eq!(line["data"]["payload"]["n"], 3);
}

/// What a crash in the middle of a commit has left is cut before anything is added.
#[tokio::test]
async fn what_was_never_committed_is_cut() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(300);
    house.drain(folder.sink(), config()).await.stop().await;
    let whole = folder.ids();
    let last = folder.files().pop().expect("a file");
    let mut bytes = fs::read(&last).expect("bytes");
    bytes.extend_from_slice(b"{\"id\":\"half a li");
    fs::write(&last, bytes).expect("room");
    let later = last.with_file_name(format!("{:020}-{:020}.ndjson", 500, 749));
    fs::write(&later, b"{\"id\":\"never\"}\n").expect("room");
    let foreign = last.with_file_name("notes.ndjson");
    fs::write(&foreign, b"mine\n").expect("room");
    folder.sink().open(&house.claim()).await.expect("it is there");
    assert!(!later.exists(), "nothing of it was committed");
    let aside = later.with_extension("ndjson.aside");
    assert_eq!(fs::read_to_string(&aside).expect("text"), "{\"id\":\"never\"}\n");
    // It may have been all that was left of something, and is never written over.
    fs::write(&later, b"{\"id\":\"again\"}\n").expect("room");
    folder.sink().open(&house.claim()).await.expect("it is there");
    assert_eq!(fs::read_to_string(aside).expect("text"), "{\"id\":\"never\"}\n");
    let second = later.with_extension("ndjson.aside.2");
    assert_eq!(fs::read_to_string(second).expect("text"), "{\"id\":\"again\"}\n");
    assert_eq!(fs::read_to_string(&foreign).expect("text"), "mine\n", "not ours");
    fs::remove_file(foreign).expect("it is there");
    assert_eq!(folder.ids(), whole);
    house.events(300);
    house.drain(folder.sink(), config()).await.stop().await;
    assert_eq!(folder.ids(), house.ids_from(0));
}

#[tokio::test]
async fn the_directory_of_another_sink_and_a_damaged_checkpoint_are_refused() {
    let (folder, house) = (Folder::new(), House::new());
    let claim = house.claim();
    folder.sink().open(&claim).await.expect("it is made");
    let refused = folder.named("other").open(&claim).await.expect_err("it is another's");
    assert!(matches!(&refused, SinkError::Blocked(_)) && refused.to_string().contains("`test`"));
    let checkpoint = folder.0.path().join("out/checkpoint.json");
    fs::write(checkpoint, b"{").expect("room");
    let refused = folder.sink().open(&claim).await.expect_err("it cannot be read");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    assert!(!refused.todo().is_empty());
}

/// Without the checkpoint nobody knows what of the files was committed: nothing of them is touched.
#[tokio::test]
async fn files_without_their_checkpoint_are_left_alone() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(300);
    house.drain(folder.sink(), config()).await.stop().await;
    let whole = folder.ids();
    fs::remove_file(folder.0.path().join("out/checkpoint.json")).expect("it is there");
    let refused = folder.sink().open(&house.claim()).await.expect_err("it could only be guessed");
    assert!(refused.to_string().contains("no checkpoint"), "{refused}");
    assert_eq!(folder.ids(), whole);
}

/// What was committed and is not there any more is not made up.
#[tokio::test]
async fn a_file_that_was_shortened_or_removed_is_refused() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(300);
    house.drain(folder.sink(), config()).await.stop().await;
    let last = folder.files().pop().expect("a file");
    let bytes = fs::read(&last).expect("bytes");
    fs::write(&last, &bytes[..bytes.len() - 10]).expect("room");
    let refused = folder.sink().open(&house.claim()).await.expect_err("a line is gone");
    assert!(refused.to_string().contains("were committed"), "{refused}");
    fs::remove_file(&last).expect("it is there");
    let refused = folder.sink().open(&house.claim()).await.expect_err("all lines are gone");
    assert!(refused.to_string().contains("has 0 bytes"), "{refused}");
}

/// Whoever removes it while it runs is told so, and not that another instance has the sink.
#[tokio::test]
async fn a_checkpoint_that_is_removed_under_a_sink_is_missed() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(300);
    let running = house.drain(folder.sink(), config()).await;
    fs::remove_file(folder.0.path().join("out/checkpoint.json")).expect("it is there");
    house.events(1);
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("no checkpoint"), "{trouble:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// What is behind an older checkpoint is cut or put aside, and given again.
#[tokio::test]
async fn a_checkpoint_that_was_put_back_is_gone_on_from() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(300);
    let running = house.drain(folder.sink(), config()).await;
    let path = folder.0.path().join("out/checkpoint.json");
    let before = fs::read(&path).expect("it is there");
    house.events(400);
    running.until("it goes on", |it| it.counts().next_offset == 700).await;
    fs::write(&path, &before).expect("room");
    house.events(50);
    running.until("it has seen it", |it| it.counts().failures > 0).await;
    running.until("it has everything", |it| it.counts().next_offset == 750).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(folder.ids(), house.ids_from(0));
    fs::write(&path, before).expect("room");
    house.drain(folder.sink(), config()).await.stop().await;
    assert_eq!(folder.ids(), house.ids_from(0));
}

/// Its fence is lower than that of the one who has it, which is nobody else.
#[tokio::test]
async fn a_directory_that_was_put_back_is_gone_on_with() {
    let (folder, mut house) = (Folder::new(), House::new());
    house.events(50);
    house.drain(folder.sink(), config()).await.stop().await;
    let path = folder.0.path().join("out/checkpoint.json");
    let before = fs::read(&path).expect("it is there");
    let running = house.pump(folder.sink(), config());
    running.until("it has it", |it| it.doing() == Doing::Running).await;
    let fence = |path: &PathBuf| -> u64 {
        let state: Value =
            serde_json::from_slice(&fs::read(path).expect("it is there")).expect("JSON");
        state["fence"].as_u64().expect("a number")
    };
    let taken = fence(&path);
    fs::write(&path, before).expect("room");
    assert!(fence(&path) < taken);
    house.events(50);
    running.until("it has everything", |it| it.counts().next_offset == 100).await;
    assert!(fence(&path) > taken, "no fence is given twice");
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(folder.ids(), house.ids_from(0));
}

#[tokio::test]
async fn a_lapse_is_a_line_behind_what_was_there() {
    a_lapse_is_behind_what_was_there(&Folder::new()).await;
}

/// A range that is changed in the configuration holds for the files that are begun from then on.
#[tokio::test]
async fn files_of_another_size_follow_those_that_are_there() {
    let (folder, mut house) = (Folder::new(), House::new());
    for (file_offsets, count) in [(250, 750), (1_000, 600), (1_000, 200), (100, 300), (7, 50)] {
        house.events(count);
        let sink = folder.of_files("test", file_offsets);
        house.drain(sink, config()).await.stop().await;
        folder.sink().open(&house.claim()).await.expect("it is there");
        assert_eq!(folder.ids(), house.ids_from(0), "{file_offsets}");
    }
}
