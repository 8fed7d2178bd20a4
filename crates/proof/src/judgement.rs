//! The end: the log read back from its disk and held against the vendor's ledger, `verify`, and the
//! fold of the log against what the machine had seen.

use std::path::Path;
use std::sync::Arc;

use unbroken_core::fold::StreamFold;
use unbroken_journal::verify::{VerifyOptions, verify};
use unbroken_journal::{JournalError, Reader};
use unbroken_sim::verdict::judge as judge_evidence;
use unbroken_sim::{Body as Rows, Verdict};

use crate::evidence::Collector;
use crate::log::DIR;
use crate::simulation::{Process, Simulation};
use crate::violation::Violation;

/// What a value may be wrong for while it is called Live, beside one audit and its grace, in
/// milliseconds: the road there and back, and a page that comes as late as it may.
const ROAD_MS_MAX: u64 = 2_000;

impl Simulation {
    /// A process has stopped, and all it had handed over is durable: the log adds up to what its
    /// machine had seen.
    pub(crate) fn compare(&mut self, process: &Process) {
        let seen = process.driver.machine.seen(&self.stream);
        let held = process.log.state().streams.get(&self.stream).map(without_payloads);
        if seen != held.as_ref() {
            self.witness.blame("StateIsFold", difference(seen, held.as_ref()));
        }
    }
}

/// Judges what is on the disk.
pub(crate) fn judge(simulation: &mut Simulation) -> (Verdict, Option<Violation>) {
    match read(simulation) {
        Ok((verdict, found)) => (verdict, found),
        Err(error) => {
            let detail = error.to_string();
            (Verdict::default(), Some(Violation { what: "LogReadsBack".to_owned(), detail }))
        }
    }
}

fn read(simulation: &mut Simulation) -> Result<(Verdict, Option<Violation>), JournalError> {
    let disk: Arc<dyn unbroken_journal::disk::Disk> = Arc::new(simulation.archive.disk.clone());
    let mut options = VerifyOptions::new(Path::new(DIR));
    options.disk = Arc::clone(&disk);
    let report = verify(&options)?;
    if let Some(finding) = report.findings.first() {
        let detail = format!("{finding:?}");
        return Ok((Verdict::default(), Some(Violation { what: "verify".to_owned(), detail })));
    }
    let reader = Reader::open_on(disk, Path::new(DIR))?;
    let mut collector = Collector::new(&simulation.clocks, &simulation.archive);
    let mut batches = reader.batches(0)?;
    while let Some(batch) = batches.next_batch()? {
        collector.add(&batch);
    }
    let now_us = simulation.agenda.now_us();
    let evidence = collector.finish(now_us);
    let mut truth = simulation.vendor.truth();
    truth.latency_ms = simulation.plan.setting.latency_us * 2 / 1_000;
    let verdict = judge_evidence(&truth, &evidence);
    let timing = simulation.source.machine_config(0).timing;
    let stale_ms_max = match simulation.plan.setting.body {
        Rows::State => timing.audit_ms + timing.grace_ms + ROAD_MS_MAX,
        // No baseline tells of state: after a loss a key is wrong, and marked so, until its next
        // event.
        Rows::Schedules => u64::MAX,
    };
    let failures = verdict.failures(stale_ms_max);
    let found = failures.first().map(|(figure, value)| {
        let example = verdict.examples.iter().find(|example| example.figure == *figure);
        let detail = format!("{value}; all: {failures:?}; first: {example:?}");
        Violation { what: (*figure).to_owned(), detail }
    });
    Ok((verdict, found))
}

/// The log's bytes go into the trace.
pub(crate) fn note_disk(simulation: &mut Simulation) {
    let disk = &simulation.archive.disk;
    for name in disk.names(Path::new(DIR)) {
        let contents = disk.contents(&Path::new(DIR).join(&name));
        simulation.witness.note(&(name, contents));
    }
}

/// As the machine folds, which keeps no payloads.
fn without_payloads(fold: &StreamFold) -> StreamFold {
    let mut fold = fold.clone();
    fold.keys.values_mut().for_each(|state| state.payload = bytes::Bytes::new());
    if let Some(staged) = &mut fold.staged {
        staged.items.values_mut().for_each(|state| state.payload = bytes::Bytes::new());
    }
    fold
}

fn difference(seen: Option<&StreamFold>, held: Option<&StreamFold>) -> String {
    let (Some(seen), Some(held)) = (seen, held) else {
        return format!("seen {}, held {}", seen.is_some(), held.is_some());
    };
    let keys = seen.keys.iter().filter(|(key, state)| held.keys.get(key) != Some(state)).count();
    format!(
        "position {:?} against {:?}; {keys} of {} keys differ",
        seen.position,
        held.position,
        seen.keys.len()
    )
}
