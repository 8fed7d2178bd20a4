//! How a sink is doing, as told to people and programs.

use serde::{Deserialize, Serialize};
use unbroken_core::time::UnixMicros;
use unbroken_sink::Progress;

/// How one sink is doing. Counts are since the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// What it writes to.
    pub target: String,
    /// What it promises of each record.
    pub guarantee: String,
    /// What it is about, in one word.
    pub phase: String,
    /// Everything before this offset is in the target; `None`: the target has not been asked yet.
    pub next_offset: Option<u64>,
    /// Records of the log that are not in the target yet.
    pub lag: Option<u64>,
    /// Records committed.
    pub records: u64,
    /// Batches committed.
    pub batches: u64,
    /// Records put aside, since the target refuses them.
    pub parked: u64,
    /// Commits and opens that failed.
    pub failures: u64,
    /// Records that retention deleted before the target had them.
    pub lapsed: u64,
    /// Since when it does not run, if it does not.
    pub since: Option<UnixMicros>,
    /// Why.
    pub why: Option<String>,
    /// What a person should do, if anything.
    pub todo: Option<String>,
}

impl SinkStatus {
    /// As it is now, where the log ends at an offset.
    pub fn of(name: &str, target: &str, progress: &Progress, end_offset: u64) -> Self {
        let (counts, trouble) = (progress.counts(), progress.trouble());
        let needed_from = progress.needed_from();
        let guarantee = progress.guarantee().map(|it| it.to_string()).unwrap_or_default();
        let todo = trouble.as_ref().map(|it| it.todo.clone()).filter(|todo| !todo.is_empty());
        Self {
            name: name.to_owned(),
            target: target.to_owned(),
            guarantee,
            phase: progress.doing().word().to_owned(),
            next_offset: needed_from.map(|_| counts.next_offset),
            lag: needed_from.map(|needed_from| end_offset.saturating_sub(needed_from)),
            records: counts.records,
            batches: counts.batches,
            parked: counts.parked,
            failures: counts.failures,
            lapsed: counts.lapsed,
            since: trouble.as_ref().map(|it| it.since),
            why: trouble.map(|it| it.why),
            todo,
        }
    }
}
