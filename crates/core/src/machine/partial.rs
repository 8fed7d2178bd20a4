//! A subscription that leaves out a part of the wanted keys: what it brings is recorded, but the
//! stream is not Live, and an open row of the ledger says so until a confirmation covers all keys.

use crate::fold::OpenGap;
use crate::ids::{ConnId, Label};
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::record::{GapCause, GapOpened};

impl Stream {
    /// The vendor says how many of the wanted keys this subscription does not cover.
    pub(super) fn handle_dark(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        keys: u64,
        why: Option<Label>,
    ) {
        if cx.mutated(Mutant::PartialGoesLive) {
            return;
        }
        if let Some(link) = self.link_mut(conn).filter(|link| keys > link.dark) {
            link.dark = keys;
            link.dark_why = why;
            if self.is_first(conn) {
                self.note_dark(cx);
            }
        }
    }

    /// The first socket may cover only a part of the keys: if so, the stream is not Live.
    pub(super) fn note_dark(&mut self, cx: &mut Cx<'_>) {
        let keys = self.link.as_ref().map_or(0, |link| link.dark);
        if keys == 0 {
            return;
        }
        let why = self.link.as_ref().and_then(|link| link.dark_why.as_ref());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        self.alarm(cx, format!("{keys} of the wanted keys are not in the subscription{why}"));
        let open = |gap: &OpenGap| gap.opened.cause == GapCause::Partial;
        if !self.seen.open_gaps.values().any(open) {
            self.write_gap(cx, GapCause::Partial);
        }
        self.resync_owed = true;
        if self.is_live() {
            self.doubt(cx, "a part of the keys is not in the subscription");
            self.settle(cx);
        }
    }

    pub(super) fn is_dark(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.dark > 0)
    }

    /// Open rows that the present socket can end: a row for keys that it leaves out stays open.
    pub(super) fn gaps_to_close(&self) -> Vec<OpenGap> {
        let dark = self.is_dark();
        let gaps = self.seen.open_gaps.values();
        gaps.filter(|gap| !dark || gap.opened.cause != GapCause::Partial).cloned().collect()
    }

    /// Whether an open row is the same interval of doubt as one that would be opened now.
    pub(super) fn is_same_doubt(&self, cx: &Cx<'_>, gap: &OpenGap) -> bool {
        let GapOpened { after, cause, .. } = gap.opened;
        // Of a position that was forgotten, or of a numbering that has ended, the row is all that
        // is left, until something of the present numbering is held.
        let ended = self.seen.position.is_none() && !cx.mutated(Mutant::EndedDoubtForgotten);
        let here = after == self.seen.position || ended;
        gap.first.is_none() && here && cause != GapCause::Partial
    }
}
