//! A batch that is interrupted at any of its steps, before or behind it, is whole in the end and
//! nowhere twice; also not in between, nor by somebody who has lost the sink.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use unbroken_core::record::{Body, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::JournalId;

use super::disk::Disk;
use super::keeper::Keeper;
use super::place::{Held, Place, Put, Swapped, Version};
use crate::holder::Holder;
use crate::{Batch, Checkpoint, Claim, Fence, Opened, Selection, SinkError};

const ID: &str = "0190000000007000800000000000abcd";
const ROWS: u64 = 60;

/// Fails at one of its steps.
#[derive(Clone)]
struct Failing {
    disk: Disk,
    /// Steps that change something, so far.
    steps: Arc<AtomicU64>,
    /// The one that fails, and whether it was done all the same.
    fails: Option<(u64, bool)>,
}

impl Failing {
    async fn new(dir: &Path, fails: Option<(u64, bool)>) -> Self {
        let disk = Disk::new(dir.to_owned()).await.expect("a directory");
        Self { disk, steps: Arc::default(), fails }
    }

    async fn step<T>(
        &self,
        step: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let cut = || SinkError::unreachable("being tried")("cut");
        let number = self.steps.fetch_add(1, Relaxed);
        match self.fails.filter(|(at, _)| *at == number) {
            None => step.await,
            Some((_, false)) => Err(cut()),
            Some((_, true)) => {
                step.await?;
                Err(cut())
            }
        }
    }
}

impl Place for Failing {
    async fn read(&self) -> Result<Option<Held>, SinkError> {
        self.disk.read().await
    }

    async fn swap(&self, held: Option<&Version>, text: Vec<u8>) -> Result<Swapped, SinkError> {
        self.step(self.disk.swap(held, text)).await
    }

    async fn put(&self, name: &str, file: Bytes) -> Result<Put, SinkError> {
        self.step(self.disk.put(name, file)).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, SinkError> {
        self.disk.get(name).await
    }

    async fn holds(&self, name: &str) -> Result<bool, SinkError> {
        self.disk.holds(name).await
    }

    async fn days(&self) -> Result<Vec<String>, SinkError> {
        self.disk.days().await
    }

    async fn files(&self, day: &str) -> Result<Vec<String>, SinkError> {
        self.disk.files(day).await
    }
}

fn journal() -> JournalId {
    ID.parse().expect("an id")
}

fn claim() -> Claim {
    Claim { sink: "test".into(), journal: journal(), end_offset: ROWS, adopt: false }
}

/// Neighbours are of different days.
fn batch(base: Checkpoint, end: u64) -> Batch {
    let record = |offset: u64| Record {
        stream: "a/s".into(),
        received_at: UnixMicros((offset as i64 % 3) * 86_400_000_000),
        body: Body::Forgotten { key: "anna".into() },
    };
    let rows = (base.next_offset..end).map(|offset| (offset, record(offset))).collect();
    let next = Checkpoint::in_log(journal(), end);
    Batch::of_rows(Some(base), next, rows, Arc::<Selection>::default())
}

async fn open(place: &Failing) -> Result<(Keeper<Failing>, Opened), SinkError> {
    Keeper::open(place.clone(), "test", &claim(), Holder::new()).await
}

/// As the pump goes on: from the checkpoint, in batches of a size.
async fn go_on(place: &Failing, size: u64) -> Result<(), SinkError> {
    let (mut keeper, opened) = open(place).await?;
    let mut until = opened.until;
    let mut at = match opened.checkpoint {
        Some(checkpoint) => checkpoint,
        None => {
            let first = Checkpoint::in_log(journal(), 0);
            keeper.commit(opened.fence, &Batch::of_nothing(None, first)).await?;
            first
        }
    };
    while at.next_offset < ROWS {
        let size = ROWS.min(at.next_offset + size);
        let next = batch(at, until.take().map_or(size, |until| until.next_offset));
        keeper.commit(opened.fence, &next).await?;
        at = next.next;
    }
    Ok(())
}

/// How often each offset is in the files.
fn rows(dir: &Path) -> BTreeMap<u64, u32> {
    let mut rows = BTreeMap::new();
    for day in fs::read_dir(dir).expect("it is there") {
        let day = day.expect("an entry").path();
        for file in fs::read_dir(&day).into_iter().flatten() {
            let file = File::open(file.expect("an entry").path()).expect("a file");
            let reader = SerializedFileReader::new(file).expect("a whole file");
            for row in reader.get_row_iter(None).expect("rows") {
                let offset = row.expect("a row").get_long(1).expect("an offset");
                *rows.entry(offset as u64).or_default() += 1;
            }
        }
    }
    rows
}

fn once() -> BTreeMap<u64, u32> {
    (0..ROWS).map(|offset| (offset, 1)).collect()
}

#[tokio::test]
async fn a_batch_that_is_interrupted_anywhere_is_there_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = Failing::new(dir.path(), None).await;
    go_on(&whole, 10).await.expect("nothing fails");
    assert_eq!(rows(dir.path()), once());
    let steps = whole.steps.load(Relaxed);
    assert!(steps > 20, "{steps}");
    for at in 0..steps {
        for is_done in [false, true] {
            let dir = tempfile::tempdir().expect("a directory");
            let failing = Failing::new(dir.path(), Some((at, is_done))).await;
            go_on(&failing, 10).await.expect_err("it is cut");
            let seen = rows(dir.path());
            assert!(seen.values().all(|count| *count == 1), "{at} {is_done}: {seen:?}");
            // Cut in another size from now on.
            let after = Failing::new(dir.path(), None).await;
            go_on(&after, 7).await.expect("nothing fails any more");
            assert_eq!(rows(dir.path()), once(), "{at} {is_done}");
        }
    }
}

/// Stands still at one of its steps while somebody else takes the sink.
async fn zombie(dir: &Path, at: u64) {
    let place = Failing::new(dir, Some((at, false))).await;
    let (mut keeper, opened) = open(&place).await.expect("it is free");
    let first = Checkpoint::in_log(journal(), 0);
    let begun = Batch::of_nothing(None, first);
    let mut failed = keeper.commit(opened.fence, &begun).await.is_err();
    if !failed {
        failed = keeper.commit(opened.fence, &batch(first, 10)).await.is_err();
    }
    assert!(failed, "it is stopped at step {at}");
    let newer = Failing::new(dir, None).await;
    go_on(&newer, 7).await.expect("it has the sink");
    assert_eq!(rows(dir), once(), "{at}");
    // The older one goes on with what it was about to do, and beyond.
    let late = keeper.commit(opened.fence, &batch(first, 10)).await;
    assert!(matches!(late, Err(SinkError::Fenced)), "{at}: {late:?}");
    for offset in 0..3 {
        let day = batch(Checkpoint::in_log(journal(), offset), offset + 1);
        let stem = super::names::stem(1, &batch(first, 10));
        let (_, record) = day.entries().next().expect("a row");
        let name = super::names::file(&super::names::day(record.received_at), &stem);
        let put = newer.disk.put(&name, Bytes::from_static(b"late")).await;
        assert_eq!(put.expect("room"), Put::IsThere, "{at}");
    }
}

#[tokio::test]
async fn who_has_lost_the_sink_writes_nothing_that_is_not_there() {
    // Steps: two fences, two conditions, the first checkpoint, the batch's names; then its files.
    for at in 6..9 {
        let dir = tempfile::tempdir().expect("a directory");
        zombie(dir.path(), at).await;
    }
}

/// Two that open it at the same time have not both got it.
#[tokio::test]
async fn an_older_fence_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Failing::new(dir.path(), None).await;
    go_on(&place, 10).await.expect("nothing fails");
    let (mut older, old) = open(&place).await.expect("it is there");
    let (_, new) = open(&place).await.expect("it is there");
    assert!(new.fence > old.fence);
    let end = old.checkpoint.expect("one");
    let next = Checkpoint { next_offset: ROWS + 1, ..end };
    for fence in [old.fence, Fence(7)] {
        let fenced = older.commit(fence, &Batch::of_nothing(Some(end), next)).await;
        assert!(matches!(fenced, Err(SinkError::Fenced)), "{fenced:?}");
    }
}

/// Whoever sets the checkpoint back would have records in two files.
#[tokio::test]
async fn a_checkpoint_that_was_set_back_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Failing::new(dir.path(), None).await;
    go_on(&place, 10).await.expect("nothing fails");
    let path = dir.path().join(super::place::CHECKPOINT);
    let text = fs::read_to_string(&path).expect("text");
    let begun = text.find("\"begun\":").expect("it is told");
    let rest = text.find("\"since_day\"").expect("it is told");
    let none = format!("{}\"begun\":null,{}", &text[..begun], &text[rest..]);
    let moved = none.replace(&format!("{ID}:50"), &format!("{ID}:15"));
    assert_ne!(moved, none);
    fs::write(&path, moved).expect("room");
    let refused = open(&place).await.map(|_| ()).expect_err("files lie beyond it");
    assert!(refused.to_string().contains("beyond the checkpoint"), "{refused}");
    fs::write(&path, "{}").expect("room");
    let refused = open(&place).await.map(|_| ()).expect_err("it says nothing");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    fs::remove_file(&path).expect("it is there");
    let refused = open(&place).await.map(|_| ()).expect_err("nobody knows");
    assert!(refused.to_string().contains("no checkpoint"), "{refused}");
}

/// A store that takes conditions and does not keep to them, or that answers in another way.
#[derive(Clone)]
struct Odd {
    disk: Disk,
    /// Replaces the checkpoint whatever is asked, where there is none, or where there is one.
    ignores: Option<bool>,
    /// Says of a file that it is there, without having it.
    is_busy: Arc<std::sync::atomic::AtomicBool>,
    /// Has replaced the checkpoint, and says that it has not.
    loses_answers: bool,
    /// Is read once before another instance begins.
    is_early: Arc<std::sync::atomic::AtomicBool>,
}

impl Odd {
    async fn new(dir: &Path) -> Self {
        let disk = Disk::new(dir.to_owned()).await.expect("a directory");
        Self {
            disk,
            ignores: None,
            is_busy: Arc::default(),
            loses_answers: false,
            is_early: Arc::default(),
        }
    }
}

impl Place for Odd {
    async fn read(&self) -> Result<Option<Held>, SinkError> {
        if self.is_early.swap(false, Relaxed) { Ok(None) } else { self.disk.read().await }
    }

    async fn swap(&self, held: Option<&Version>, text: Vec<u8>) -> Result<Swapped, SinkError> {
        let now = self.disk.read().await?.map(|held| held.version);
        let is_ignored = self.ignores == Some(held.is_some());
        let held = if is_ignored { now } else { held.cloned() };
        let swapped = self.disk.swap(held.as_ref(), text).await?;
        // Not while it is opened: then whoever asked opens it anew.
        let is_lost = self.loses_answers && now_is_log(&self.disk).await;
        Ok(if is_lost { Swapped::Lost } else { swapped })
    }

    async fn put(&self, name: &str, file: Bytes) -> Result<Put, SinkError> {
        match self.is_busy.load(Relaxed) {
            true => Ok(Put::IsThere),
            false => self.disk.put(name, file).await,
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, SinkError> {
        self.disk.get(name).await
    }

    async fn holds(&self, name: &str) -> Result<bool, SinkError> {
        self.disk.holds(name).await
    }

    async fn days(&self) -> Result<Vec<String>, SinkError> {
        self.disk.days().await
    }

    async fn files(&self, day: &str) -> Result<Vec<String>, SinkError> {
        self.disk.files(day).await
    }
}

async fn now_is_log(disk: &Disk) -> bool {
    let held = disk.read().await.expect("it can be read");
    held.is_some_and(|held| String::from_utf8_lossy(&held.text).contains("\"log\":1"))
}

#[tokio::test]
async fn a_store_without_conditions_is_refused() {
    for of_one_that_is_there in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let odd = Odd { ignores: Some(of_one_that_is_there), ..Odd::new(dir.path()).await };
        let refused = Keeper::open(odd, "test", &claim(), Holder::new()).await.map(|_| ());
        let refused = refused.expect_err("a record could be there twice");
        assert!(refused.to_string().contains("If-None-Match"), "{refused}");
    }
}

/// Its files lie there a moment later, and so does the checkpoint: it is nobody else's record.
#[tokio::test]
async fn an_instance_that_begins_meanwhile_is_followed_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let odd = Odd::new(dir.path()).await;
    let claim = claim();
    let open = || Keeper::open(odd.clone(), "test", &claim, Holder::new());
    let (mut keeper, opened) = open().await.expect("it is free");
    let first = Checkpoint::in_log(journal(), 0);
    keeper.commit(opened.fence, &Batch::of_nothing(None, first)).await.expect("it has it");
    let begun = batch(first, 10);
    keeper.commit(opened.fence, &begun).await.expect("it has it");
    odd.is_early.store(true, Relaxed);
    let (_, opened) = open().await.expect("it takes it over");
    assert_eq!(opened.checkpoint, Some(begun.next));
}

/// It was asked again underneath, and told that somebody has been there: it was we.
#[tokio::test]
async fn a_checkpoint_of_our_own_is_taken_for_ours() {
    let dir = tempfile::tempdir().expect("a directory");
    let odd = Odd { loses_answers: true, ..Odd::new(dir.path()).await };
    let (mut keeper, opened) =
        Keeper::open(odd, "test", &claim(), Holder::new()).await.expect("it is free");
    let first = Checkpoint::in_log(journal(), 0);
    keeper.commit(opened.fence, &Batch::of_nothing(None, first)).await.expect("it was done");
    keeper.commit(opened.fence, &batch(first, 10)).await.expect("it was done");
}

/// A file that somebody else is about to write, and may not, is not counted upon; one that holds
/// something else is not either.
#[tokio::test]
async fn a_file_that_is_only_said_to_be_there_is_not_counted_upon() {
    let dir = tempfile::tempdir().expect("a directory");
    let odd = Odd::new(dir.path()).await;
    let (mut keeper, opened) =
        Keeper::open(odd.clone(), "test", &claim(), Holder::new()).await.expect("it is free");
    let first = Checkpoint::in_log(journal(), 0);
    keeper.commit(opened.fence, &Batch::of_nothing(None, first)).await.expect("room");
    odd.is_busy.store(true, Relaxed);
    // The second time the batch was begun before.
    for _ in 0..2 {
        let failed = keeper.commit(opened.fence, &batch(first, 10)).await;
        assert!(matches!(failed, Err(SinkError::Unreachable { .. })), "{failed:?}");
    }
    odd.is_busy.store(false, Relaxed);
    keeper.commit(opened.fence, &batch(first, 10)).await.expect("room");
    let next = Checkpoint::in_log(journal(), 10);
    let stem = super::names::stem(1, &batch(next, 20));
    let other = super::names::file(&super::names::day(UnixMicros(0)), &stem);
    odd.disk.put(&other, Bytes::from_static(b"mine")).await.expect("room");
    let refused = keeper.commit(opened.fence, &batch(next, 20)).await.expect_err("it is another");
    assert!(refused.to_string().contains("holds something else"), "{refused}");
}

/// A log that does not reach as far as a batch that was begun is another one: it begins anew.
#[tokio::test]
async fn a_batch_that_was_begun_is_given_up_with_the_log_that_it_is_of() {
    let dir = tempfile::tempdir().expect("a directory");
    // The first file of the second batch is there, the others are not.
    let cut = Failing::new(dir.path(), Some((11, false))).await;
    go_on(&cut, 10).await.expect_err("it is cut");
    let rest = rows(dir.path());
    assert!(rest.len() > 10 && rest.len() < 20, "{rest:?}");
    let place = Failing::new(dir.path(), None).await;
    let short = Claim { end_offset: 15, ..claim() };
    let refused = Keeper::open(place.clone(), "test", &short, Holder::new()).await.map(|_| ());
    let refused = refused.expect_err("its end is missing");
    assert!(refused.to_string().contains("beyond the end"), "{refused}");
    let adopting = Claim { adopt: true, ..short };
    let (mut keeper, opened) =
        Keeper::open(place, "test", &adopting, Holder::new()).await.expect("it is told to");
    assert_eq!(opened.checkpoint, Some(Checkpoint::in_log(journal(), 20)));
    assert_eq!(opened.until, None);
    let first = Checkpoint::in_log(journal(), 0);
    let anew = Batch::of_nothing(opened.checkpoint, first);
    keeper.commit(opened.fence, &anew).await.expect("it begins anew");
    keeper.commit(opened.fence, &batch(first, 15)).await.expect("room");
    let names: Vec<_> = fs::read_dir(dir.path().join("day=1970-01-01"))
        .expect("a day")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    assert!(names.iter().any(|name| name.starts_with("log0002-")), "{names:?}");
}
