//! Whatever befalls the store's file, the log has it all: replayed from there, every table is what
//! it was. What cannot be seen at once is seen by `verify`, and what is refused says what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use unbroken_core::record::digest;
use unbroken_store::{
    Checkpoint, Log, LogBatch, Store, StoreError, open_or_build, rebuild, verify_store,
};

use crate::world::{Draw, MemoryLog, filled_log};

/// By table: its rows, and the hash of all that is in them.
type Contents = BTreeMap<String, (usize, u128)>;

fn contents(path: &Path) -> rusqlite::Result<Contents> {
    let connection = Connection::open(path)?;
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let names: Vec<String> = connection
        .prepare(names)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    names
        .into_iter()
        .map(|name| {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2"))?;
            let (columns, mut rows, mut all) = (statement.column_count(), 0, Vec::new());
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                rows += 1;
                for column in 0..columns {
                    write(&mut all, row.get_ref(column)?);
                }
            }
            Ok((name, (rows, digest(&all))))
        })
        .collect()
}

/// With its type and length, so that no two rows look alike.
fn write(all: &mut Vec<u8>, value: ValueRef<'_>) {
    let bytes: &[u8] = match &value {
        ValueRef::Null => &[],
        ValueRef::Integer(number) => &number.to_le_bytes(),
        ValueRef::Real(number) => &number.to_le_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
    };
    all.extend_from_slice(format!("{:?} {} ", value.data_type(), bytes.len()).as_bytes());
    all.extend_from_slice(bytes);
}

/// A log, what a store made from it holds, and a store that was fed from it bit by bit.
struct Scene {
    dir: tempfile::TempDir,
    log: MemoryLog,
    rng: Rng,
    whole: Contents,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut draw = Draw::well_formed(seed);
        let log = filled_log(&mut draw);
        let reference = dir.path().join("reference.sqlite");
        rebuild(&reference, &log).unwrap();
        let whole = contents(&reference).unwrap();
        assert!(whole.len() > 8 && whole["events"].0 > 100, "{whole:?}");
        Self { dir, log, rng: draw.rng, whole }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store.sqlite")
    }

    /// Fed in groups up to a batch; killed there, with its write-ahead log beside it, or closed.
    fn fed(&mut self, batches: usize) -> PathBuf {
        let path = self.dir.path().join("running.sqlite");
        let killed = self.path();
        for name in [&path, &killed] {
            remove(name);
        }
        let all: Vec<LogBatch> = self.log.held().batches.clone();
        let mut store = Store::open(&path, &self.log.extent().unwrap()).unwrap();
        let mut rest = &all[..batches];
        while !rest.is_empty() {
            let (group, later) = rest.split_at(self.rng.usize(1..=rest.len().min(30)));
            store.feed(group).unwrap();
            rest = later;
        }
        if self.rng.bool() {
            drop(store);
            copy(&path, &killed);
        } else {
            copy(&path, &killed);
            drop(store);
        }
        killed
    }

    /// As the service does at its start, and then up to the log's end.
    fn go_on(&self) -> Result<Checkpoint, StoreError> {
        let mut store = open_or_build(&self.path(), &self.log)?;
        store.feed(&self.log.held().batches.clone())?;
        store.sync()?;
        Ok(store.checkpoint().clone())
    }

    fn rebuilt(&self, what: &str) {
        rebuild(&self.path(), &self.log).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(contents(&self.path()).unwrap(), self.whole, "{what}: rebuilt");
        assert!(verify_store(&self.path(), &self.log).unwrap().is_clean(), "{what}: rebuilt");
    }
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{ending}", path.display()));
    }
}

/// With what is in the write-ahead log only: what a process leaves that is killed.
fn copy(from: &Path, to: &Path) {
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", from.display());
        if Path::new(&from).exists() {
            fs::copy(from, format!("{}{ending}", to.display())).unwrap();
        }
    }
}

#[test]
fn a_store_that_is_gone_or_behind_becomes_the_one_that_a_rebuild_makes() {
    for seed in 0..12 {
        let mut scene = Scene::new(seed);
        let end = scene.log.extent().unwrap().end_offset;
        let all = scene.log.held().batches.len();
        for round in 0..4 {
            let fed = scene.rng.usize(0..=all);
            let path = scene.fed(fed);
            if round == 0 {
                remove(&path);
            }
            assert_eq!(scene.go_on().unwrap().next_offset, end, "seed {seed}");
            assert_eq!(contents(&path).unwrap(), scene.whole, "seed {seed}: fed {fed} of {all}");
        }
        scene.rebuilt(&format!("seed {seed}"));
    }
}

#[test]
fn a_store_that_is_ahead_of_its_log_is_refused_and_made_anew() {
    for seed in 20..28 {
        let mut scene = Scene::new(seed);
        let all = scene.log.held().batches.len();
        let path = scene.fed(all);
        // Cut behind something, so that the store has more.
        let keep = scene.rng.usize(1..all - 10);
        scene.log.held().batches.truncate(keep);
        let error = scene.go_on().unwrap_err();
        assert!(matches!(error, StoreError::BeyondLog { .. }), "seed {seed}: {error}");
        assert!(error.hint().unwrap().contains("unbroken rebuild"), "{error}");
        let reference = scene.dir.path().join("shorter.sqlite");
        rebuild(&reference, &scene.log).unwrap();
        scene.whole = contents(&reference).unwrap();
        scene.rebuilt(&format!("seed {seed}, {}", path.display()));
    }
}

#[test]
fn a_store_that_is_cut_or_damaged_is_refused_or_seen_and_made_anew() {
    let (mut refused, mut seen, mut unharmed) = (0, 0, 0);
    for seed in 40..50 {
        let mut scene = Scene::new(seed);
        let all = scene.log.held().batches.len();
        for round in 0..10 {
            let fed = scene.rng.usize(all / 2..=all);
            let path = scene.fed(fed);
            let what = damage(&path, &mut scene.rng);
            let what = format!("seed {seed}, round {round}: {what}");
            match scene.go_on() {
                Err(StoreError::Foreign { .. }) => refused += 1,
                Err(error) => {
                    let hint = error.hint().unwrap_or_else(|| panic!("{what}: {error:?}"));
                    assert!(hint.contains("unbroken rebuild"), "{what}: {error:?}: {hint}");
                    refused += 1;
                }
                Ok(_) => match contents(&path) {
                    Ok(found) if differing(&found, &scene.whole).is_empty() => unharmed += 1,
                    found => {
                        let checked = verify_store(&path, &scene.log);
                        let is_clean = checked.as_ref().is_ok_and(|checked| checked.is_clean());
                        let wrong = found.map(|found| differing(&found, &scene.whole));
                        assert!(!is_clean, "{what}: {wrong:?} is wrong, and nobody sees it");
                        seen += 1;
                    }
                },
            }
            scene.rebuilt(&what);
        }
    }
    println!("{refused} refused, {seen} seen by verify, {unharmed} unharmed");
    assert!(refused > 20 && seen > 5 && unharmed > 5, "{refused} {seen} {unharmed}");
}

/// The tables that differ, but for what the log's brackets were: `verify` compares what they have
/// published, and not the table that lists them.
fn differing(found: &Contents, whole: &Contents) -> Vec<String> {
    let names = found.keys().chain(whole.keys()).filter(|name| *name != "snapshots");
    names.filter(|name| found.get(*name) != whole.get(*name)).cloned().collect()
}

/// Cuts the file or its write-ahead log somewhere, or flips some bits.
fn damage(path: &Path, rng: &mut Rng) -> String {
    let beside = PathBuf::from(format!("{}-wal", path.display()));
    let path = if beside.exists() && rng.bool() { &beside } else { path };
    let mut bytes = fs::read(path).unwrap();
    let what = if bytes.is_empty() || rng.u8(0..3) == 0 {
        let len = rng.usize(0..=bytes.len());
        bytes.truncate(len);
        format!("cut at byte {len}")
    } else {
        let places: Vec<usize> = (0..rng.usize(1..4)).map(|_| rng.usize(0..bytes.len())).collect();
        for place in &places {
            bytes[*place] ^= 1 << rng.u8(0..8);
        }
        format!("bits flipped in the bytes {places:?}")
    };
    fs::write(path, bytes).unwrap();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}: {what}")
}
