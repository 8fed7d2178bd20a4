//! All points of the product, when each is passed, and what is on disk then.

use unbroken_store::crash::Point as StorePoint;

use super::Point;

/// On which way a process comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// A service starts that has no log yet.
    FirstStart,
    /// A service starts.
    Start,
    /// A service records.
    Run,
    /// A service starts that has no store.
    NoStore,
    /// A service is told to stop.
    Stop,
    /// `unbroken repair` cuts a damaged log.
    Repair,
    /// `unbroken rebuild` replaces a store.
    Rebuild,
}

impl When {
    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstStart => "first start",
            Self::Start => "start",
            Self::Run => "run",
            Self::NoStore => "start without a store",
            Self::Stop => "stop",
            Self::Repair => "repair",
            Self::Rebuild => "rebuild",
        }
    }
}

/// A point on one way. One point may lie on several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// On which way.
    pub when: When,
    /// As it is aimed at.
    pub name: &'static str,
    /// What is on disk.
    pub edge: &'static str,
}

/// Every point, in the order of each way.
pub fn spots() -> Vec<Spot> {
    let ways: [(When, Vec<&'static str>); 7] = [
        (When::FirstStart, [&["directory-made", "locked"][..], SEGMENT, JOURNAL].concat()),
        (When::Start, [TIDY, PUBLISHED, OPENED].concat()),
        (When::Run, [COMMIT, SEAL, SEGMENT, IMAGE, RETAIN, FEED].concat()),
        (When::NoStore, [MAKE_STORE, REBUILD].concat()),
        (When::Stop, [&["drained"][..], IMAGE, SEAL, CLOSED].concat()),
        (When::Repair, [JOURNAL, REPAIR, DAMAGED, &["tail-cut", "tail-synced"]].concat()),
        (When::Rebuild, REBUILD.to_vec()),
    ];
    let of = |(when, names): (When, Vec<&'static str>)| {
        names.into_iter().map(move |name| Spot { when, name, edge: edge(name) })
    };
    ways.into_iter().flat_map(of).collect()
}

const SEGMENT: &[&str] = &[
    "segment-created",
    "segment-torn",
    "segment-written",
    "segment-synced",
    "segment-renamed",
    "segment-installed",
];
const IMAGE: &[&str] = &[
    "image-created",
    "image-torn",
    "image-written",
    "image-synced",
    "image-renamed",
    "image-installed",
];
const JOURNAL: &[&str] = &[
    "journal-created",
    "journal-torn",
    "journal-written",
    "journal-synced",
    "journal-renamed",
    "journal-installed",
];
const PUBLISHED: &[&str] = &[
    "published-created",
    "published-torn",
    "published-written",
    "published-synced",
    "published-renamed",
    "published-installed",
];
const DAMAGED: &[&str] = &[
    "damaged-created",
    "damaged-torn",
    "damaged-written",
    "damaged-synced",
    "damaged-renamed",
    "damaged-installed",
];
const TIDY: &[&str] =
    &["unfinished-removed", "unfinished-removal-synced", "tail-cut", "tail-synced"];
const OPENED: &[&str] = &["log-opened", "control-bound", "started"];
const COMMIT: &[&str] = &[
    "segment-extended",
    "batch-torn",
    "batch-written",
    "batch-synced",
    "end-torn",
    "end-written",
    "told",
];
const SEAL: &[&str] = &["seal-cut", "seal-synced"];
const RETAIN: &[&str] =
    &["image-removed", "image-removal-synced", "segment-removed", "segment-removal-synced"];
const FEED: &[&str] = &["group-begun", "group-written", "group-committed"];
const MAKE_STORE: &[&str] = &["file-created", "schema-created", "store-created"];
const CLOSED: &[&str] = &["log-closed", "sync-begun", "synced", "store-closed"];
const REPAIR: &[&str] =
    &["published-removed", "published-removal-synced", "aside-renamed", "aside-synced"];
const REBUILD: &[&str] = &[
    "rebuild-begun",
    "rebuild-fed",
    "rebuild-built",
    "rebuild-settled",
    "rebuild-renamed",
    "rebuild-done",
];

/// The name by which a point of the store is aimed at.
pub(super) fn store_name(point: StorePoint) -> &'static str {
    match point {
        StorePoint::FileCreated => "file-created",
        StorePoint::SchemaCreated => "schema-created",
        StorePoint::StoreCreated => "store-created",
        StorePoint::GroupBegun => "group-begun",
        StorePoint::GroupWritten => "group-written",
        StorePoint::GroupCommitted => "group-committed",
        StorePoint::SyncBegun => "sync-begun",
        StorePoint::Synced => "synced",
        StorePoint::RebuildBegun => "rebuild-begun",
        StorePoint::RebuildFed => "rebuild-fed",
        StorePoint::RebuildBuilt => "rebuild-built",
        StorePoint::RebuildSettled => "rebuild-settled",
        StorePoint::RebuildRenamed => "rebuild-renamed",
        StorePoint::RebuildDone => "rebuild-done",
    }
}

fn edge(name: &'static str) -> &'static str {
    match name {
        "directory-made" => "the log's directory is there",
        "locked" => "the lock is held",
        "unfinished-removed" => "a file that was left unfinished is gone, not durably",
        "unfinished-removal-synced" => "a file that was left unfinished is gone, durably",
        "tail-cut" => "what lies behind the last whole batch is cut, not durably",
        "tail-synced" => "the log ends behind its last whole batch",
        "segment-extended" => "zeros are written ahead of a batch",
        "batch-torn" => "a part of a batch is written",
        "batch-written" => "a batch is written, not synced",
        "batch-synced" => "a batch is durable, and nobody was told",
        "end-torn" => "the published end is half overwritten",
        "end-written" => "readers know of a batch, and its source does not",
        "seal-cut" => "a segment's zeros are given back, not durably",
        "seal-synced" => "a segment is sealed, and there is no next one",
        "aside-renamed" => "a file behind the damage is put aside, not durably",
        "aside-synced" => "a file behind the damage is put aside, durably",
        "group-begun" => "the store's transaction is open and empty",
        "group-written" => "the store's transaction is written, not committed",
        "group-committed" => "the store has a group, and nobody was told",
        "sync-begun" => "the store's write-ahead log is full",
        "synced" => "the store is synced, and retention was not told",
        "file-created" => "the store's file is there, and empty",
        "schema-created" => "the store has tables, and no checkpoint",
        "store-created" => "the store has a checkpoint, and no records",
        "rebuild-begun" => "the place of a new store is clear",
        "rebuild-fed" => "a new store holds everything, not synced",
        "rebuild-built" => "a new store is whole, beside the old one",
        "rebuild-settled" => "the old store's write-ahead log is gone",
        "rebuild-renamed" => "the new store has the old one's name, not durably",
        "rebuild-done" => "the new store is in place",
        _ => pipeline_edge(name).or_else(|| file_edge(name)).unwrap_or_default(),
    }
}

fn pipeline_edge(name: &str) -> Option<&'static str> {
    let points = [
        (Point::LogOpened, "the log is open, and nothing is started"),
        (Point::ControlBound, "the control socket is there, and not yet its owner's alone"),
        (Point::Started, "everything is started, and no source has connected"),
        (Point::Told, "a batch is durable, and its sources know"),
        (Point::Drained, "the sources have left, and the log is open"),
        (Point::LogClosed, "the log is closed with an image, and the store is behind"),
        (Point::StoreClosed, "everything is closed, and the process has not ended"),
    ];
    points.into_iter().find(|(point, _)| point.name() == name).map(|(_, edge)| edge)
}

/// Files that appear whole or not at all do so in six steps, and go in two.
fn file_edge(name: &str) -> Option<&'static str> {
    let steps = [
        ("-removal-synced", "a file is gone, durably"),
        ("-removed", "a file is gone, not durably"),
        ("-created", "the new file is there, under its unfinished name, and empty"),
        ("-torn", "a part of the new file is written"),
        ("-written", "the new file is written, not synced"),
        ("-synced", "the new file is synced, under its unfinished name"),
        ("-renamed", "the new file has its name, not durably"),
        ("-installed", "the new file has its name, durably"),
    ];
    steps.into_iter().find(|(step, _)| name.ends_with(step)).map(|(_, edge)| edge)
}

#[cfg(test)]
mod tests {
    use super::spots;

    #[test]
    fn every_spot_says_what_is_on_disk_and_is_there_once() {
        let spots = spots();
        for (at, spot) in spots.iter().enumerate() {
            assert!(!spot.edge.is_empty(), "{spot:?}");
            let same = |other: &&super::Spot| (other.when, other.name) == (spot.when, spot.name);
            assert_eq!(spots.iter().filter(same).count(), 1, "{at}: {spot:?}");
        }
        assert!(spots.len() > 90, "{}", spots.len());
    }
}
