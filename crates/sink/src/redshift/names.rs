//! Names of objects. Each says whose it is: of which schema (its folder), and what is no batch's
//! for ever, of which instance. So nobody overwrites what somebody else is loading.

use unbroken_journal::JournalId;

use crate::{Batch, Fence, Phase};

/// Where the files of batches are, in a schema's folder.
pub(super) const BATCHES: &str = "batch";

/// Where is kept what has no place in a column.
pub(super) const KEPT: &str = "kept";

/// The endings of a batch's two objects.
const ENDINGS: [&str; 2] = [".parquet", ".manifest"];

/// The part of a name that is the same for both objects of a batch: the instance, the log, and the
/// range of its offsets. A batch that is given again to the same instance has another number: a
/// request that was given up may arrive late, and it is not the same batch if a row was put aside.
pub(super) fn stem(fence: Fence, batch: &Batch, number: u64) -> String {
    let next = batch.next.next_offset;
    let (first, kind) = match batch.base {
        Some(base) => match base.phase {
            Phase::Image { until } => (base.next_offset, format!("-state-{until}")),
            Phase::Log => (base.next_offset, String::new()),
        },
        None => (next, String::new()),
    };
    let last = next.max(first + 1) - 1;
    let log = batch.journal();
    format!("{:010}-{log}-{first:020}-{last:020}{kind}-{number}", fence.0)
}

/// Of which instance an object of a batch is; `None`: it is none.
pub(super) fn fence_of(name: &str) -> Option<Fence> {
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
    let (fence, rest) = stem.split_once('-')?;
    let (log, _range) = rest.split_once('-')?;
    let is_ours = fence.len() >= 10 && log.parse::<JournalId>().is_ok();
    is_ours.then_some(Fence(fence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use unbroken_journal::JournalId;

    use super::{fence_of, stem};
    use crate::{Batch, Checkpoint, Fence};

    #[test]
    fn a_name_says_whose_the_object_is() {
        let journal: JournalId = "0190000000007000800000000000abcd".parse().expect("an id");
        let [base, next] = [7, 10].map(|offset| Checkpoint::in_log(journal, offset));
        let stem = stem(Fence(3), &Batch::of_nothing(Some(base), next), 1);
        let range = "00000000000000000007-00000000000000000009";
        assert_eq!(stem, format!("0000000003-{journal}-{range}-1"));
        for ending in [".parquet", ".manifest"] {
            assert_eq!(fence_of(&format!("{stem}{ending}")), Some(Fence(3)));
        }
        for other in [&stem, "notes.parquet", "3-7-9.manifest", "0000000003-x-7-9-1.parquet"] {
            assert_eq!(fence_of(other), None, "{other}");
        }
    }
}
