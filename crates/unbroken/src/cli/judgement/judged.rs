//! A data directory judged: its log read back from disk and held against the truth, and checked by
//! `verify` as well.

use std::path::Path;
use std::time::Duration;

use unbroken::control::Status;
use unbroken::place::journal_dir;
use unbroken::render::wall_now;
use unbroken_core::machine::Timing;
use unbroken_core::time::UnixMicros;
use unbroken_journal::Reader;
use unbroken_sim::verdict::judge;
use unbroken_sim::{PollTruth, Truth, Verdict, judge_poll};

use super::evidence::Witnesses;
use super::gaps::GapTally;
use crate::cli::error::CliError;
use crate::cli::settings::Place;
use crate::cli::verify::Checked;

/// How long a pipeline may take to have everything once the vendor has fallen silent.
pub(crate) const QUIESCENCE_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) gaps: GapTally,
    pub(crate) checked: Checked,
    /// The longest that a value may be wrong while called live: one audit and its grace.
    pub(crate) stale_live_ms_bound: u64,
}

impl Judgement {
    /// Judges what is in `data_dir`. `deaths` are the moments at which a process that wrote it was
    /// killed: from its last record on nothing was live.
    pub(crate) fn of(
        data_dir: &Path,
        truth: &Truth,
        timing: &Timing,
        deaths: &[UnixMicros],
    ) -> Result<Self, CliError> {
        Self::of_witnesses(Self::read(data_dir, deaths)?, data_dir, truth, timing)
    }

    fn read(data_dir: &Path, deaths: &[UnixMicros]) -> Result<Witnesses, CliError> {
        let reader = Reader::open(journal_dir(data_dir))?;
        let mut witnesses = Witnesses::default();
        let mut deaths = deaths.iter().peekable();
        let mut batches = reader.batches(reader.oldest_offset()?)?;
        while let Some(batch) = batches.next_batch()? {
            while deaths.next_if(|death| **death <= batch.written_at).is_some() {
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

    /// Judges what is in `data_dir`, of a vendor that was polled.
    pub(crate) fn of_polled(
        data_dir: &Path,
        truth: &PollTruth,
        timing: &Timing,
    ) -> Result<Self, CliError> {
        let evidence = Self::read(data_dir, &[])?.finish(wall_now());
        Ok(Self {
            verdict: judge_poll(truth, &evidence),
            gaps: GapTally::of(&evidence),
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
        let evidence = witnesses.finish(wall_now());
        let gaps = GapTally::of(&evidence);
        let verdict = judge(truth, &evidence);
        let checked = Checked::read(&Place { data_dir: data_dir.to_owned() })?;
        let stale_live_ms_bound = timing.audit_ms + timing.grace_ms;
        Ok(Self { verdict, gaps, checked, stale_live_ms_bound })
    }

    /// Clean by the verdict, and clean by `verify`.
    pub(crate) fn is_clean(&self) -> bool {
        self.verdict.is_clean(self.stale_live_ms_bound) && self.checked.is_clean()
    }
}

/// Whether a pipeline has what the vendor has made: live, no gap open, and the last event durable.
pub(crate) fn is_quiet(status: &Status, truth: &Truth) -> bool {
    has_all(status, truth.events.last().map(|event| event.wall_us))
}

/// The same, of a vendor whose newest event was made at `newest_us`.
pub(crate) fn has_all(status: &Status, newest_us: Option<i64>) -> bool {
    let streams = || status.sources.iter().flat_map(|source| &source.streams);
    let Some(newest_us) = newest_us else { return true };
    // Timestamps on the wire are in milliseconds.
    let last_ms = newest_us / 1_000;
    streams().next().is_some()
        && streams().all(|stream| {
            stream.is_live()
                && stream.gaps_open == 0
                && stream.event_at.is_some_and(|at| at.0 / 1_000 >= last_ms)
        })
}
