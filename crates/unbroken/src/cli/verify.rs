//! `unbroken verify`: reads everything again and says what is wrong with it.

use std::io;

use serde_json::{Value, json};
use unbroken::feed::JournalLog;
use unbroken::place;
use unbroken::render::{Paint, count, counted};
use unbroken_core::record::GapOpened;
use unbroken_journal::Reader;
use unbroken_journal::verify::{Report, VerifyOptions, verify};
use unbroken_store::{StoreReader, Verification, verify_store};

use super::answer::Answer;
use super::args::VerifyArgs;
use super::error::CliError;
use super::output::Output;
use super::settings::Place;

/// What was found in log and store.
pub(crate) struct Checked {
    pub(crate) log: Report,
    /// `None`: there is no store, which is no fault: it can be made again at any time.
    pub(crate) store: Option<Verification>,
}

impl Checked {
    /// Reads log and store; neither is changed.
    pub(crate) fn read(place: &Place) -> Result<Self, CliError> {
        let dir = place::journal_dir(&place.data_dir);
        let path = place::store_path(&place.data_dir);
        let mut options = VerifyOptions::new(&dir);
        options.expected_end = store_checkpoint(&place.data_dir)?;
        let log = verify(&options)?;
        let store = match path.exists() {
            true if log.findings.is_empty() => {
                Some(verify_store(&path, &JournalLog(Reader::open(&dir)?))?)
            }
            _ => None,
        };
        Ok(Self { log, store })
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.log.findings.is_empty() && self.store.as_ref().is_none_or(Verification::is_clean)
    }
}

pub(crate) fn run(args: &VerifyArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let checked = Checked::read(&place)?;
    let mut out = Output::new();
    if args.json {
        out.json(&to_json(&checked))?;
    } else {
        out.text(&render(&checked, Paint::of(&io::stdout())))?;
    }
    out.flush()?;
    Ok(if checked.is_clean() { Answer::Yes } else { Answer::No })
}

/// What the store holds of this journal must be in the log.
fn store_checkpoint(data_dir: &std::path::Path) -> Result<Option<u64>, CliError> {
    let path = place::store_path(data_dir);
    if !path.exists() {
        return Ok(None);
    }
    let checkpoint = StoreReader::open(&path)?.checkpoint()?;
    let journal = Reader::open(place::journal_dir(data_dir))?.journal().to_string();
    Ok((checkpoint.journal_id == journal).then_some(checkpoint.next_offset))
}

fn render(checked: &Checked, paint: Paint) -> String {
    let log = &checked.log;
    let mut text = format!(
        "log    {} in {} and {} read: {} to {}\n",
        counted(log.records, "record"),
        counted(log.batches, "batch").replace("batchs", "batches"),
        counted(log.segments, "segment"),
        count(log.oldest_offset),
        count(log.end_offset),
    );
    for finding in &log.findings {
        text.push_str(&format!("       {} {finding}\n", paint.bad("✘")));
    }
    if log.findings.is_empty() {
        text.push_str(&format!(
            "       {} whole: chain, checksums, offsets, order, duplicates, brackets, ledger\n",
            paint.good("✔")
        ));
    }
    if let Some(torn) = &log.torn_tail {
        text.push_str(&format!(
            "       {} at the end of {} were never acknowledged; the next start cuts them\n",
            counted(torn.bytes, "byte"),
            torn.file,
        ));
    }
    for open in &log.open_gaps {
        let GapOpened { gap, cause, .. } = &open.gap;
        let why = unbroken::words::cause_plainly(*cause);
        text.push_str(&format!("       gap {gap} of {} is still open: {why}\n", open.stream));
    }
    text.push_str(&render_store(checked, paint));
    text
}

fn render_store(checked: &Checked, paint: Paint) -> String {
    let Some(store) = &checked.store else {
        return if checked.log.findings.is_empty() {
            "store  is not there; `unbroken rebuild` makes it from the log\n".to_owned()
        } else {
            "store  not compared: the log has to be right first\n".to_owned()
        };
    };
    let mut text = format!(
        "store  {} and {} compared with the log up to {}\n",
        counted(store.rows_checked, "row"),
        counted(store.keys_checked, "key"),
        count(store.checkpoint),
    );
    for finding in &store.findings {
        text.push_str(&format!("       {} {finding}\n", paint.bad("✘")));
    }
    let kept = u64::try_from(store.findings.len()).unwrap_or(u64::MAX);
    if store.findings_count > kept {
        text.push_str(&format!("       and {} more\n", count(store.findings_count - kept)));
    }
    if store.is_clean() {
        text.push_str(&format!("       {} equals the fold of the log\n", paint.good("✔")));
    } else {
        text.push_str("       `unbroken rebuild` makes it again from the log\n");
    }
    text
}

/// The findings as one object.
pub(crate) fn to_json(checked: &Checked) -> Value {
    let log = &checked.log;
    let findings: Vec<Value> = log
        .findings
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.name(), "file": finding.file, "position": finding.position,
                "offset": finding.offset, "text": finding.text,
            })
        })
        .collect();
    json!({
        "clean": checked.is_clean(),
        "log": {
            "journal": log.journal.to_string(), "oldest_offset": log.oldest_offset,
            "end_offset": log.end_offset, "segments": log.segments, "batches": log.batches,
            "records": log.records, "images_equal": log.images_equal,
            "torn_tail_bytes": log.torn_tail.as_ref().map(|torn| torn.bytes),
            "gaps_open": log.open_gaps.len(), "findings": findings,
        },
        "store": checked.store.as_ref().map(|store| json!({
            "checkpoint": store.checkpoint, "log_end": store.log_end,
            "rows_checked": store.rows_checked, "rows_unchecked": store.rows_unchecked,
            "keys_checked": store.keys_checked, "findings_count": store.findings_count,
            "findings": store.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
    })
}
