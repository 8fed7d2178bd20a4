//! A stream that a person has paused: unsubscribed, and nothing is asked of the vendor.
//!
//! The pause is a record, so it outlives the process, and the log says who left the hole that a
//! vendor without replay makes of it. A resume of a paused stream is what follows any outage.

use crate::directive::{Act, Directive};
use crate::fold::Paused;
use crate::ids::Label;
use crate::machine::Phase;
use crate::machine::context::Cx;
use crate::machine::outage::Outage;
use crate::machine::stream::{Jump, Stream};
use crate::record::Body;

impl Stream {
    pub(super) fn is_paused(&self) -> bool {
        self.seen.paused.is_some()
    }

    pub(super) fn handle_pause(&mut self, cx: &mut Cx<'_>, by: Label, why: Label) {
        if self.is_paused() {
            return;
        }
        self.leave(cx, "paused");
        self.write_directive(cx, Act::Pause, by, why);
        self.jump = Jump::Unwritten;
        self.live_since = None;
    }

    /// Paused in the full sense once everything is on disk.
    pub(super) fn rest_if_durable(&mut self, cx: &mut Cx<'_>) {
        let Some(Paused { since, by }) = self.seen.paused.clone() else { return };
        if self.jump == Jump::None {
            self.set_phase(cx, Phase::Paused { since, by });
        }
    }

    /// The outage before the pause says nothing of the vendor that is met after it.
    pub(super) fn handle_resume(&mut self, cx: &mut Cx<'_>, by: Label, why: Label) {
        if !self.is_paused() {
            return;
        }
        self.write_directive(cx, Act::Resume, by, why);
        self.outage = Outage::default();
        self.begin_attempt(cx);
    }

    pub(super) fn write_directive(&mut self, cx: &mut Cx<'_>, act: Act, by: Label, why: Label) {
        self.write(cx, Body::Directive(Directive { act, by, why }));
    }
}
