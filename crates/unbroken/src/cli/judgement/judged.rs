//! A data directory judged: its log read back from disk and held against the truth, and checked by
//! `verify` as well.

use std::path::Path;
use std::time::Duration;

use unbroken::control::Status;
use unbroken::place::journal_dir;
use unbroken::render::wall_now;
use unbroken_core::machine::Timing;
use unbroken_journal::Reader;
use unbroken_sim::verdict::{Death, judge};
use unbroken_sim::{PollTruth, Truth, Verdict, judge_poll};

use super::evidence::{Testimony, Witnesses};
use super::gaps::GapTally;
use super::history::History;
use super::naming::Naming;
use crate::cli::error::CliError;
use crate::cli::settings::Place;
use crate::cli::verify::Checked;

/// How long a pipeline may take to have everything once the vendor has fallen silent.
pub(crate) const QUIESCENCE_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) gaps: GapTally,
    /// What the vendor's history was good for; `None`: it has none that is known.
    pub(crate) history: Option<History>,
    pub(crate) checked: Checked,
    /// The longest that a value may be wrong while called live: one audit and its grace.
    pub(crate) stale_live_ms_bound: u64,
}

impl Judgement {
    /// Judges what is in `data_dir`.
    pub(crate) fn of(data_dir: &Path, truth: &Truth, naming: Naming) -> Result<Self, CliError> {
        let witnesses = Self::read(data_dir, naming, &[])?;
        Self::of_witnesses(witnesses, data_dir, truth, &Timing::demo())
    }

    /// Reads what is in `data_dir`. `deaths` are those of processes that wrote it: from the last
    /// record of each on nothing was live.
    pub(crate) fn read(
        data_dir: &Path,
        naming: Naming,
        deaths: &[Death],
    ) -> Result<Witnesses, CliError> {
        let reader = Reader::open(journal_dir(data_dir))?;
        let mut witnesses = Witnesses::naming(naming);
        witnesses.bury(deaths);
        let mut deaths = deaths.iter().peekable();
        let mut batches = reader.batches(reader.oldest_offset()?)?;
        while let Some(batch) = batches.next_batch()? {
            while deaths.next_if(|death| death.died_us <= batch.written_at.0).is_some() {
                witnesses.died();
            }
            for (offset, record) in batch.entries() {
                witnesses.add(offset, record);
            }
            for mark in &batch.marks {
                witnesses.mark(mark);
            }
        }
        Ok(witnesses)
    }

    /// Judges what was collected of a vendor that was polled.
    pub(crate) fn of_polled(
        witnesses: Witnesses,
        data_dir: &Path,
        truth: &PollTruth,
        timing: &Timing,
    ) -> Result<Self, CliError> {
        let evidence = witnesses.finish(wall_now()).evidence;
        Ok(Self {
            verdict: judge_poll(truth, &evidence),
            gaps: GapTally::of(&evidence),
            history: None,
            checked: Checked::read(&Place { data_dir: data_dir.to_owned() })?,
            stale_live_ms_bound: timing.audit_ms + timing.grace_ms,
        })
    }

    /// Judges what was collected while the log was written: retention may have taken it since.
    pub(crate) fn of_witnesses(
        witnesses: Witnesses,
        data_dir: &Path,
        truth: &Truth,
        timing: &Timing,
    ) -> Result<Self, CliError> {
        let naming = witnesses.named();
        let Testimony { evidence, facts } = witnesses.finish(wall_now());
        let rows = evidence.ledger.iter().filter(|row| naming.has_facts(&row.stream));
        let history = (naming == Naming::ByKind)
            .then(|| History::of(truth, &rows.collect::<Vec<_>>(), &facts));
        let gaps = GapTally::of(&evidence);
        let verdict = judge(truth, &evidence);
        let checked = Checked::read(&Place { data_dir: data_dir.to_owned() })?;
        let stale_live_ms_bound = timing.audit_ms + timing.grace_ms;
        Ok(Self { verdict, gaps, history, checked, stale_live_ms_bound })
    }

    /// Clean by the verdict, and clean by `verify`.
    pub(crate) fn is_clean(&self) -> bool {
        self.verdict.is_clean(self.stale_live_ms_bound)
            && self.history.as_ref().is_none_or(|history| history.verdict.is_clean())
            && self.checked.is_clean()
    }
}

/// Whether a pipeline has what a silent vendor had made, the newest event at `newest_us`. Where
/// events have no time and history is asked, the log in `data_dir` says whether it has answered;
/// what was sent was read, since heartbeats behind it were.
pub(crate) fn is_quiet(
    status: &Status,
    newest_us: Option<i64>,
    naming: Naming,
    data_dir: &Path,
) -> bool {
    match naming {
        Naming::Plain => has_all(status, newest_us),
        Naming::ByKind => is_at_rest(status) && !owes_history(data_dir),
    }
}

/// A log that cannot be read at this moment has not come to rest.
fn owes_history(data_dir: &Path) -> bool {
    let read = Judgement::read(data_dir, Naming::ByKind, &[]);
    read.map_or(true, |witnesses| witnesses.owes_history())
}

/// Whether every stream is live, and no gap open.
pub(crate) fn is_at_rest(status: &Status) -> bool {
    let mut streams = status.sources.iter().flat_map(|source| &source.streams);
    status.is_live() && streams.all(|stream| stream.gaps_open == 0)
}

/// Whether a pipeline is at rest and the event of this time durable.
pub(crate) fn has_all(status: &Status, newest_us: Option<i64>) -> bool {
    let Some(newest_us) = newest_us else { return true };
    // Timestamps on the wire are in milliseconds.
    let last_ms = newest_us / 1_000;
    let mut streams = status.sources.iter().flat_map(|source| &source.streams);
    is_at_rest(status)
        && streams.all(|stream| stream.event_at.is_some_and(|at| at.0 / 1_000 >= last_ms))
}
