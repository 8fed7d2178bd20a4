//! What a machine reported, in plain words and in one line.

use std::collections::BTreeMap;

use unbroken::render::{count, counted, duration_ms};
use unbroken_core::ids::{GapId, StreamId};
use unbroken_core::machine::{Report, Rung};
use unbroken_core::record::GapOutcome;

/// Steps beyond this many are counted, not told: the story is one line.
const STEPS_MAX: usize = 4;

/// The reports of one episode.
#[derive(Debug, Default)]
pub(super) struct Narration {
    steps: Vec<(String, u32)>,
    way: Option<String>,
    asked: Option<u64>,
    duplicates: u64,
    foreign: u64,
    gaps: BTreeMap<(StreamId, GapId), Option<GapOutcome>>,
}

impl Narration {
    /// Takes in one report.
    pub(super) fn add(&mut self, report: &Report) {
        match report {
            Report::Lost { failure, .. } => self.step(plain(failure.what.as_str())),
            Report::Stale { what, .. } => self.stale(what.as_str()),
            Report::SnapshotRefused { why, .. } => self.step(format!("snapshot refused: {why}")),
            Report::Installed { rows, changed, deleted, .. } => {
                self.step(snapshot_words(*rows, *changed, *deleted));
            }
            Report::Rung { rung, after, .. } => {
                self.asked = *after;
                self.way = Some(way_words(*rung, *after));
            }
            Report::Duplicates { count, .. } => self.duplicates += count,
            Report::Foreign { count, .. } => self.foreign += count,
            Report::GapOpened { stream, gap, .. } => {
                self.gaps.insert((stream.clone(), *gap), None);
            }
            Report::GapClosed { stream, gap, outcome } => {
                self.gaps.insert((stream.clone(), *gap), Some(*outcome));
            }
            Report::Alarm { what, .. } => self.step(format!("alarm: {what}")),
            Report::SchemaChanged { strange, frames, .. } => {
                self.step(format!("{strange} of {frames} frames not understood"));
            }
            Report::Proved { .. }
            | Report::Phase { .. }
            | Report::OverBudget { .. }
            | Report::Unknown { .. }
            | Report::SchemaKnown { .. } => {}
        }
    }

    /// The line's middle and end: what happened, how it was overcome, what is left of it.
    pub(super) fn tell(&self, recovery_ms: u64, stayed_live: bool) -> String {
        let mut parts: Vec<String> = self.steps.iter().take(STEPS_MAX).map(step_words).collect();
        if self.steps.len() > STEPS_MAX {
            let more = u64::try_from(self.steps.len() - STEPS_MAX).unwrap_or(u64::MAX);
            parts.push(counted(more, "more step"));
        }
        let installed = self.steps.iter().any(|(step, _)| step.starts_with("snapshot "));
        if let Some(way) = self.way.as_ref().filter(|_| !installed) {
            parts.push(way.clone());
        }
        if self.duplicates > 0 {
            parts.push(format!("{} dropped", counted(self.duplicates, "repeated event")));
        }
        if self.foreign > 0 {
            parts
                .push(format!("{} of an old subscription dropped", counted(self.foreign, "frame")));
        }
        parts.push(if stayed_live {
            format!("stayed live, {}", self.remains())
        } else {
            format!("live again after {}, {}", duration_ms(recovery_ms), self.remains())
        });
        parts.join(" → ")
    }

    /// The last row of a gap wins: an unrecoverable one may yet be repaired.
    fn remains(&self) -> String {
        let rows = |wanted: &[Option<GapOutcome>]| {
            let found = self.gaps.values().filter(|outcome| wanted.contains(outcome)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        let lost = rows(&[Some(GapOutcome::Unrecoverable)]);
        let unproven = rows(&[Some(GapOutcome::Unproven), Some(GapOutcome::Summarised)]);
        match (rows(&[None]), lost, unproven) {
            (1.., _, _) => "a gap is still open".to_owned(),
            (0, 1.., _) => format!("{} lost by the vendor, on record", counted(lost, "interval")),
            (0, 0, 1..) => format!("{} marked unproven", counted(unproven, "interval")),
            (0, 0, 0) if rows(&[Some(GapOutcome::Drift)]) > 0 => {
                "drift found and corrected".to_owned()
            }
            (0, 0, 0) => "nothing lost".to_owned(),
        }
    }

    /// The refusal is told in place of the loss that it is the cause of.
    fn stale(&mut self, what: &str) {
        let cause = plain(what);
        if self.steps.last().is_some_and(|(step, _)| *step == cause) {
            self.steps.pop();
        }
        // What a vendor does in silence has no words of the vendor's: then ours say it all.
        let in_silence = what.starts_with("the stream ");
        self.step(match self.asked.filter(|_| !in_silence) {
            Some(after) => format!("refused: position {after} is too old"),
            None => format!("refused: {cause}"),
        });
    }

    /// What happens to several streams, one after the other, is told once.
    fn step(&mut self, step: String) {
        match self.steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, times)) => *times += 1,
            None => self.steps.push((step, 1)),
        }
    }
}

/// Without the address: on this machine there is only one vendor.
fn plain(what: &str) -> String {
    let address = ["ws://", "wss://", "http://", "https://"]
        .iter()
        .filter_map(|scheme| what.find(&format!(" of {scheme}")))
        .min();
    what.get(..address.unwrap_or(what.len())).unwrap_or(what).to_owned()
}

fn step_words((step, times): &(String, u32)) -> String {
    if *times == 1 { step.clone() } else { format!("{step} ({times} times)") }
}

fn snapshot_words(rows: u64, changed: u64, deleted: u64) -> String {
    let mut words = format!("snapshot {}, {} changed", counted(rows, "row"), count(changed));
    if deleted > 0 {
        words.push_str(&format!(", {} gone", count(deleted)));
    }
    words
}

fn way_words(rung: Rung, after: Option<u64>) -> String {
    match (rung, after) {
        (Rung::Resume, Some(after)) => format!("asked for all after {after}"),
        (Rung::Resume, None) => "resumed".to_owned(),
        (Rung::Floor, _) => "asked from the oldest event kept".to_owned(),
        (Rung::Rebase, _) => "began again from a snapshot".to_owned(),
        (Rung::Overlap, _) => "subscribed afresh, snapshot beside it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::connector::{Class, Failure};
    use unbroken_core::ids::{ConnId, GapId, SnapshotId, StreamId};
    use unbroken_core::machine::{Report, Rung};
    use unbroken_core::record::{GapCause, GapOutcome, Witness};

    use super::Narration;

    fn stream() -> StreamId {
        "demo/adherence".into()
    }

    fn lost(what: &str) -> Report {
        let failure =
            Failure { class: Class::Retry { after_ms: None }, code: None, what: what.into() };
        Report::Lost { stream: stream(), conn: ConnId(1), failure }
    }

    #[test]
    fn a_refusal_is_told_from_cause_to_outcome() {
        let mut narration = Narration::default();
        narration
            .add(&Report::Stale { stream: stream(), what: "position 10432 is too old".into() });
        narration.add(&Report::Rung { stream: stream(), rung: Rung::Rebase, after: Some(10_500) });
        narration.add(&Report::GapOpened {
            stream: stream(),
            gap: GapId(1),
            cause: GapCause::Refused,
        });
        narration.add(&Report::Installed {
            stream: stream(),
            snapshot: SnapshotId(1),
            rows: 250,
            changed: 31,
            deleted: 0,
            tag: None,
            witness: Witness::Resumed,
        });
        assert!(narration.tell(84, false).ends_with("a gap is still open"));
        let outcome = GapOutcome::Unrecoverable;
        narration.add(&Report::GapClosed { stream: stream(), gap: GapId(1), outcome });
        assert_eq!(
            narration.tell(84, false),
            "refused: position 10432 is too old → snapshot 250 rows, 31 changed → live again \
             after 84 ms, 1 interval lost by the vendor, on record"
        );
    }

    #[test]
    fn what_happens_again_is_counted_and_not_repeated() {
        let mut narration = Narration::default();
        narration.add(&lost("handshake refused"));
        narration.add(&lost("handshake refused"));
        narration.add(&Report::Rung { stream: stream(), rung: Rung::Resume, after: Some(7) });
        assert_eq!(
            narration.tell(40, false),
            "handshake refused (2 times) → asked for all after 7 → live again after 40 ms, nothing \
             lost"
        );
    }

    #[test]
    fn duplicates_that_disturb_nobody_are_told_so() {
        let mut narration = Narration::default();
        narration.add(&Report::Duplicates { stream: stream(), count: 312 });
        assert_eq!(
            narration.tell(0, true),
            "312 repeated events dropped → stayed live, nothing lost"
        );
    }
}
