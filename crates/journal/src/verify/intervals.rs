//! What begins must end: snapshot brackets and ledger rows.

use std::collections::BTreeMap;

use unbroken_core::fold::{Fold, StreamFold};
use unbroken_core::ids::{GapId, SnapshotId, StreamId};
use unbroken_core::record::{Body, Change, GapClosed, GapOpened, Record, SnapshotEnd};

use crate::verify::FindingKind;

/// What is open, by stream. Known from the log's beginning, or from an image on.
#[derive(Debug, Default)]
pub(crate) struct Intervals {
    streams: BTreeMap<StreamId, Open>,
}

#[derive(Debug, Default)]
struct Open {
    bracket: Option<Bracket>,
    /// Every row that was seen to begin; ended ones may be told again, narrower.
    gaps: BTreeMap<GapId, GapOpened>,
    /// Rows up to here began before the log that is left.
    gaps_before: Option<GapId>,
}

#[derive(Debug)]
struct Bracket {
    snapshot: SnapshotId,
    /// `None` where it began before the log that is left: an image holds its items by key and not
    /// one by one.
    items: Option<Items>,
}

#[derive(Debug, Default)]
struct Items {
    count: u64,
    digest: u128,
}

impl Intervals {
    /// As they are at the place of an image.
    pub(crate) fn of_image(fold: &Fold) -> Self {
        let streams = fold.streams.iter().map(|(id, stream)| (id.clone(), Open::of(stream)));
        Self { streams: streams.collect() }
    }

    pub(crate) fn check(&mut self, record: &Record, found: &mut impl FnMut(FindingKind, String)) {
        let is_interval = matches!(
            record.body,
            Body::SnapshotBegin(_)
                | Body::SnapshotItem { .. }
                | Body::SnapshotEnd(_)
                | Body::SnapshotAbort { .. }
                | Body::GapOpened(_)
                | Body::GapClosed(_)
        );
        if !is_interval {
            return;
        }
        let stream = &record.stream;
        let open = self.streams.entry(stream.clone()).or_default();
        let mut found = |kind, text: String| found(kind, format!("{stream}: {text}"));
        match &record.body {
            Body::SnapshotBegin(begin) => open.begin(begin.snapshot, &mut found),
            Body::SnapshotItem { snapshot, change } => open.item(*snapshot, change, &mut found),
            Body::SnapshotEnd(end) => open.end(end, &mut found),
            Body::SnapshotAbort { snapshot } => open.abort(*snapshot, &mut found),
            Body::GapOpened(gap) => open.gap_opened(gap, &mut found),
            Body::GapClosed(gap) => open.gap_closed(gap, &mut found),
            _ => {}
        }
    }
}

fn unpaired() -> FindingKind {
    FindingKind::BracketUnpaired
}

impl Open {
    fn of(stream: &StreamFold) -> Self {
        let bracket =
            stream.staged.as_ref().map(|staged| Bracket { snapshot: staged.snapshot, items: None });
        let gaps = stream.open_gaps.iter().map(|(id, gap)| (*id, gap.opened.clone())).collect();
        Self { bracket, gaps, gaps_before: Some(stream.last_gap) }
    }

    fn begin(&mut self, snapshot: SnapshotId, found: &mut impl FnMut(FindingKind, String)) {
        if let Some(open) = &self.bracket {
            let text = format!("snapshot {snapshot} begins inside snapshot {}", open.snapshot);
            found(unpaired(), text);
        }
        self.bracket = Some(Bracket { snapshot, items: Some(Items::default()) });
    }

    fn item(
        &mut self,
        snapshot: SnapshotId,
        change: &Change,
        found: &mut impl FnMut(FindingKind, String),
    ) {
        match self.bracket.as_mut().filter(|bracket| bracket.snapshot == snapshot) {
            Some(bracket) => {
                if let Some(items) = &mut bracket.items {
                    items.count += 1;
                    items.digest ^= change.digest;
                }
            }
            None => found(unpaired(), format!("item of snapshot {snapshot}, which is not open")),
        }
    }

    fn end(&mut self, end: &SnapshotEnd, found: &mut impl FnMut(FindingKind, String)) {
        let snapshot = end.snapshot;
        let Some(bracket) = self.bracket.take().filter(|open| open.snapshot == snapshot) else {
            return found(unpaired(), format!("end of snapshot {snapshot}, which is not open"));
        };
        let Some(items) = bracket.items else { return };
        if items.count != end.count {
            let text = format!("snapshot {snapshot} has {} items of {}", items.count, end.count);
            found(FindingKind::BracketTorn, text);
        } else if items.digest != end.digest {
            let text = format!("snapshot {snapshot} has other items than its end says");
            found(FindingKind::BracketTorn, text);
        }
    }

    fn abort(&mut self, snapshot: SnapshotId, found: &mut impl FnMut(FindingKind, String)) {
        let is_open = self.bracket.take().is_some_and(|open| open.snapshot == snapshot);
        if !is_open {
            found(unpaired(), format!("abort of snapshot {snapshot}, which is not open"));
        }
    }

    fn gap_opened(&mut self, gap: &GapOpened, found: &mut impl FnMut(FindingKind, String)) {
        let was_before = self.gaps_before.is_some_and(|before| gap.gap <= before);
        if was_before || self.gaps.contains_key(&gap.gap) {
            found(FindingKind::GapReopened, format!("gap {} begins again", gap.gap));
        }
        self.gaps.insert(gap.gap, gap.clone());
    }

    fn gap_closed(&mut self, gap: &GapClosed, found: &mut impl FnMut(FindingKind, String)) {
        let id = gap.gap;
        let Some(opened) = self.gaps.get(&id) else {
            if self.gaps_before.is_none_or(|before| id > before) {
                found(FindingKind::GapNotOpened, format!("gap {id} ends but never began"));
            }
            return;
        };
        // Late events narrow a row from its beginning.
        if gap.after < opened.after || opened.cause != gap.cause {
            let text = format!("gap {id} ends with an earlier beginning or another cause");
            found(FindingKind::GapIncoherent, text);
        }
        let (after, through) = (gap.after, gap.through);
        if let (Some(after), Some(through)) = (after, through)
            && after.epoch == through.epoch
            && through < after
        {
            let text = format!("gap {id} ends at {through}, before it begins at {after}");
            found(FindingKind::GapIncoherent, text);
        }
    }
}
