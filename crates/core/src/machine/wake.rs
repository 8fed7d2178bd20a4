//! What each timer and each piece of news means to a stream.

use crate::connector::{Class, Connections, Failure};
use crate::ids::Label;
use crate::machine::context::Cx;
use crate::machine::stream::{Jump, Stream};
use crate::machine::timer::Timer;
use crate::machine::token::is_final;
use crate::machine::{Blocked, CloseHow, Input, Message, Output, Phase};

/// A failure that is only lateness.
pub(super) fn late(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: Label::from(what) }
}

impl Stream {
    /// Whether an input is about this stream.
    pub(super) fn claims(&self, input: &Input) -> bool {
        match input {
            Input::Page { request, .. } | Input::PageFailed { request, .. } => {
                self.run.as_ref().is_some_and(|run| run.request == Some(*request))
                    || self.awaits_history(*request)
            }
            Input::HistoryPage { request, .. } => self.awaits_history(*request),
            Input::Opened { conn }
            | Input::Refused { conn, .. }
            | Input::Closed { conn, .. }
            | Input::Frame { conn, .. }
            | Input::Reading { conn, .. } => self.has_conn(*conn),
            Input::KeysChanged { stream }
            | Input::Resync { stream, .. }
            | Input::Pause { stream, .. }
            | Input::Resume { stream, .. } => *stream == self.id,
            _ => false,
        }
    }

    /// Takes an input that this stream claims.
    pub(super) fn handle_news(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Page { request, page } => self.handle_page(cx, request, page),
            Input::HistoryPage { page, .. } => self.handle_history_page(cx, page),
            Input::PageFailed { request, failure } if self.awaits_history(request) => {
                self.handle_history_failed(cx, failure);
            }
            Input::PageFailed { request, failure } => {
                self.handle_page_failed(cx, Some(request), failure);
            }
            Input::Opened { conn } => self.handle_opened(cx, conn),
            Input::Refused { conn, failure } => self.handle_refused(cx, conn, failure),
            Input::Closed { conn, by, failure } => self.handle_closed(cx, conn, by, failure),
            Input::Frame { conn, decoded } => self.handle_frame(cx, conn, decoded),
            Input::Reading { conn, resumed } if self.is_first(conn) => {
                self.handle_reading(cx, resumed);
            }
            Input::KeysChanged { .. } => self.handle_keys_changed(cx),
            Input::Resync { keys: None, .. } => self.handle_resync(cx),
            Input::Resync { keys: Some(keys), .. } => self.handle_keyed_resync(cx, keys),
            Input::Pause { by, why, .. } => self.handle_pause(cx, by, why),
            Input::Resume { by, why, .. } => self.handle_resume(cx, by, why),
            _ => {}
        }
    }

    pub(super) fn handle_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(timer) = self.timers.take_due(cx.now.at) {
            self.handle_timer(cx, timer);
        }
    }

    fn handle_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) {
        match timer {
            Timer::Retry if self.is_dark() => {
                self.give_up(cx, CloseHow::Polite, late("a part of the keys is not subscribed"));
            }
            Timer::Retry => self.begin_attempt(cx),
            Timer::Connect => {
                if let Some(link) = self.link.take() {
                    cx.emit(Output::Close { conn: link.conn, how: CloseHow::Drop });
                    self.fail(cx, Some(&link), late("the handshake took too long"));
                }
            }
            Timer::Subscribe => {
                self.give_up(cx, CloseHow::Drop, late("the confirmation took too long"));
            }
            Timer::Prove => self.handle_prove_timer(cx),
            Timer::Idle => self.give_up(cx, CloseHow::Drop, late("silent for too long")),
            Timer::Ping => {
                if let Some(link) = &self.link {
                    cx.emit(Output::Send { conn: link.conn, message: Message::Ping });
                    self.set_timer(cx, Timer::Ping, cx.timing().ping_ms);
                }
            }
            Timer::Hole => self.handle_hole_timer(cx),
            Timer::Page => self.handle_page_failed(cx, None, late("the page took too long")),
            Timer::Refetch => self.handle_refetch_timer(cx),
            Timer::Audit => self.handle_audit_timer(cx),
            Timer::Grace => self.handle_grace_timer(cx),
            Timer::Behind => self.handle_behind_timer(cx),
            Timer::History => self.handle_history_timer(cx),
            Timer::Forget => self.handle_forget_timer(cx),
            Timer::Handover => self.handle_handover_timer(cx),
            Timer::Backpressure => {
                // The unit of this input, which records the close, is behind all that is behind:
                // on a connection opened before it is durable nothing could be read.
                self.jump = Jump::Unwritten;
                self.give_up(
                    cx,
                    CloseHow::Drop,
                    late("backpressure: the journal is too far behind"),
                );
            }
            Timer::Renew | Timer::Token => {}
        }
    }

    /// Silence while we do not read is ours, so the deadlines that measure the vendor stand still.
    fn handle_reading(&mut self, cx: &mut Cx<'_>, resumed: bool) {
        let Some(link) = &mut self.link else { return };
        if link.paused != resumed {
            return;
        }
        link.paused = !resumed;
        if resumed {
            self.timers.stop(Timer::Backpressure);
            self.hear(cx);
            if !self.held.is_empty() || self.is_holed() {
                self.set_timer(cx, Timer::Hole, cx.timing().reorder_ms);
            }
            if self.phase == Phase::CatchingUp && self.run.is_none() {
                self.set_timer(cx, Timer::Prove, cx.timing().prove_ms);
            }
        } else {
            for timer in [Timer::Idle, Timer::Ping, Timer::Hole, Timer::Prove, Timer::Behind] {
                self.timers.stop(timer);
            }
            self.set_timer(cx, Timer::Backpressure, cx.timing().backpressure_ms);
        }
    }

    pub(super) fn handle_token(&mut self, cx: &mut Cx<'_>) {
        if self.phase == Phase::Authorizing {
            return self.begin_attempt(cx);
        }
        if self.link.as_ref().is_some_and(|link| cx.caps().token_bound || link.leaving) {
            if let Some(link) = &mut self.link {
                link.leaving = true;
            }
            self.begin_handover(cx);
        }
    }

    pub(super) fn handle_token_refused(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        if self.phase != Phase::Authorizing {
            return;
        }
        if is_final(failure) {
            return self.block(cx, Blocked::Auth { failure: failure.clone() });
        }
        self.wait_with_backoff(cx, failure);
    }

    fn handle_keys_changed(&mut self, cx: &mut Cx<'_>) {
        self.resync_owed = true;
        self.deletes_expected = true;
        if self.is_live() && cx.caps().connections == Connections::Many {
            if let Some(link) = &mut self.link {
                link.leaving = true;
            }
            // It was subscribed to the keys from before.
            self.drop_spare_as(cx, "the keys have changed");
            self.begin_handover(cx);
        } else if self.link.is_some() {
            self.give_up(cx, CloseHow::Polite, late("the keys have changed"));
        } else if matches!(self.phase, Phase::Blocked { .. }) {
            self.begin_attempt(cx);
        }
    }

    fn handle_resync(&mut self, cx: &mut Cx<'_>) {
        match &self.phase {
            Phase::Live { .. } => self.begin_reconcile(cx, None),
            Phase::Blocked { .. } => {
                self.deletes_expected = true;
                self.begin_attempt(cx);
            }
            _ => self.resync_owed = true,
        }
    }

    pub(super) fn handle_shutdown(&mut self, cx: &mut Cx<'_>) {
        self.leave(cx, "shutdown");
    }

    /// Ends everything that is under way with the vendor, and waits for the journal.
    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, why: &str) {
        for mut link in [self.link.take(), self.spare.take()].into_iter().flatten() {
            self.stash_events(cx, &mut link);
            self.close(cx, link.conn, CloseHow::Polite, why);
        }
        self.report_counts(cx);
        self.drop_attempt();
        self.set_phase(cx, Phase::Draining);
    }
}
