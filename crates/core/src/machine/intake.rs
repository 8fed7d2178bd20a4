//! Frames in, records out: identity, order, holes.

use std::collections::BTreeMap;

use crate::connector::{Class, Coverage, Decoded, Event, Failure, Item, Numbering, Replay};
use crate::ids::{ConnId, Key, Label};
use crate::machine::context::Cx;
use crate::machine::link::{Link, Parked, Stage};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::{Jump, Stream};
use crate::machine::timer::Timer;
use crate::machine::{CloseHow, Phase, Proof, Rung};
use crate::position::Position;
use crate::record::{Body, Effect, GapCause, QUARANTINE_BYTES_MAX, Quarantined};

impl Stream {
    /// A frame has come.
    pub(super) fn handle_frame(&mut self, cx: &mut Cx<'_>, conn: ConnId, decoded: Decoded) {
        if self.is_first(conn) {
            self.hear(cx);
            self.watch_schema(cx, &decoded.items);
        }
        let Decoded { subscription, epoch, items } = decoded;
        let mut ordinals = Ordinals::default();
        if !cx.caps().position_unique {
            self.note_frame_end(conn, subscription.as_ref(), &items);
        }
        for item in items {
            if !self.has_conn(conn) {
                return;
            }
            match item {
                Item::Ack { position } => {
                    self.handle_ack(cx, conn, subscription.clone(), epoch.clone(), position);
                }
                Item::Event(event) => {
                    let ordinal = match cx.caps().position_unique {
                        true => 0,
                        false => ordinals.next(&event),
                    };
                    let event = Parked { event, ordinal, received_at: cx.now.wall, conn };
                    self.handle_event(cx, conn, subscription.as_ref(), epoch.as_ref(), event);
                }
                Item::More => {}
                Item::Dark { keys, why } => self.handle_dark(cx, conn, keys, why),
                Item::Heartbeat { position } => {
                    self.handle_heartbeat(cx, conn, subscription.as_ref(), position);
                }
                Item::Bookmark { at } => self.handle_bookmark(cx, conn, at),
                Item::Refusal(failure) => self.handle_refusal(cx, conn, failure),
                Item::Closing { within_ms } => self.handle_closing(cx, conn, within_ms),
                Item::Unknown => self.note_unknown(conn),
                Item::Poison { reason, bytes } => self.quarantine(cx, conn, reason, bytes),
                Item::Withheld { reason, shape, length, digest } => {
                    let bytes = shape.slice(..shape.len().min(QUARANTINE_BYTES_MAX));
                    let kept = Quarantined { conn: Some(conn), reason, length, digest, bytes };
                    self.write_quarantined(cx, conn, kept);
                }
                Item::Unread { reason, length } => self.note_unread(cx, conn, reason, length),
            }
        }
        if self.is_first(conn) {
            self.doubt_schema(cx);
            self.settle_frame(cx);
        }
        self.check_join(cx);
    }

    /// Up to where a frame of ours goes, and whether what it ends with may go on in the next one.
    fn note_frame_end(&mut self, conn: ConnId, subscription: Option<&Label>, items: &[Item]) {
        let Some(link) = self.link_mut(conn) else { return };
        let last = items.iter().filter_map(|item| match item {
            Item::Event(event) => event.sequence,
            _ => None,
        });
        let is_ours = link.subscription.is_none() || link.subscription.as_ref() == subscription;
        if let Some(last) = last.max().filter(|_| is_ours) {
            link.frame_end = Some((last, items.contains(&Item::More)));
        }
    }

    /// Something came on the first socket: it is alive.
    pub(super) fn hear(&mut self, cx: &mut Cx<'_>) {
        self.heard_at = cx.now.at;
        if !cx.mutated(Mutant::SilenceBelieved) {
            self.timers.set(Timer::Idle, cx.now.at + cx.config.timing.idle_ms);
        }
        self.timers.set(Timer::Ping, cx.now.at + cx.config.timing.ping_ms);
    }

    fn handle_event(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        subscription: Option<&Label>,
        epoch: Option<&Label>,
        event: Parked,
    ) {
        let ours = |link: &Link| {
            let owned = link.owns(subscription) || cx.mutated(Mutant::ForeignFramesTaken);
            link.stage == Stage::Subscribed && owned
        };
        if !self.link_mut(conn).is_some_and(|link| ours(link)) {
            return self.count_foreign();
        }
        let needed = !matches!(cx.caps().position, Numbering::None | Numbering::Opaque);
        if needed && event.event.sequence.is_none() {
            let reason = Label::from("an event without a position on a numbered stream");
            return self.quarantine(cx, conn, reason, event.event.payload);
        }
        self.poison_run = 0;
        if self.is_spare(conn) {
            return self.park_spare(cx, epoch, event);
        }
        if self.meet_epoch(cx, epoch) {
            self.take_event(cx, event);
        }
    }

    /// Takes an event of the first socket in the present (or coming) numbering.
    pub(super) fn take_event(&mut self, cx: &mut Cx<'_>, mut event: Parked) {
        let Some(link) = &mut self.link else { return };
        let rebasing = link.rung == Rung::Rebase && link.proof.is_none();
        if link.new_epoch.is_some() && !rebasing {
            link.parked.push(event);
            let held_max = cx.config.timing.held_max;
            if link.parked.len() as u64 > held_max {
                self.overflow(cx);
            } else {
                self.reevaluate(cx);
            }
            return;
        }
        if self.is_no_news(cx, &event.event) {
            return self.count_duplicate();
        }
        if !self.number(cx, &mut event) {
            return;
        }
        match event.event.sequence.filter(|_| cx.caps().position != Numbering::None) {
            Some(sequence) => self.take_positioned(cx, event, sequence),
            None => self.take_unpositioned(cx, event),
        }
    }

    fn take_positioned(&mut self, cx: &mut Cx<'_>, mut event: Parked, mut at: u64) {
        let Some(link) = &self.link else { return };
        if link.anchor.is_some() && link.proof.is_none() && !self.meet_anchor(cx, &event, at) {
            return;
        }
        // A ledger row may have been opened before it: then a number is left out for the hole.
        if event.event.bookmark.is_some() {
            self.number(cx, &mut event);
            at = event.event.sequence.unwrap_or(at);
        }
        let Some(link) = &self.link else { return };
        let unproven = link.proof.is_none() && matches!(link.rung, Rung::Resume | Rung::Rebase);
        let contiguous = cx.caps().position == Numbering::Contiguous;
        let rebasing = unproven && link.rung == Rung::Rebase;
        let held = match rebasing {
            true => link.asked,
            false if cx.mutated(Mutant::DedupAgainstDurable) => {
                self.durable.map(|p| p.sequence).or(self.held_sequence())
            }
            false => self.held_sequence(),
        };
        if held.is_some_and(|held| at <= held) {
            // What comes again shows as well as anything new that the stream begins where it was
            // asked to.
            let begins = link.anchor.is_none() && link.asked.is_some_and(|asked| at == asked + 1);
            if contiguous && unproven && !rebasing && begins {
                self.handle_proof(cx, Proof::Next);
            }
            return if rebasing { self.count_duplicate() } else { self.take_old(cx, event, at) };
        }
        let next = held.is_some_and(|held| at == held + 1);
        if contiguous && next {
            if unproven {
                self.handle_proof(cx, Proof::Next);
            }
            self.apply(cx, event, Some(at));
            return self.drain_held(cx);
        }
        if link.holed {
            return self.hold(cx, event, at);
        }
        let first_known = link.first.is_some() || link.base.is_some();
        let is_held = !cx.mutated(Mutant::HoleNotHeld);
        if contiguous && (held.is_some() || !first_known) && is_held {
            return self.hold(cx, event, at);
        }
        if !contiguous {
            self.pass_held(cx, at);
        }
        let identity = (self.position(at), event.event.key.clone(), event.ordinal);
        if self.seen.ahead.contains(&identity) && !cx.mutated(Mutant::AheadForgotten) {
            return self.count_duplicate();
        }
        self.apply(cx, event, Some(at));
    }

    /// Compares an event with the one that must come back first. True if it is to be taken as a new
    /// event.
    fn meet_anchor(&mut self, cx: &mut Cx<'_>, event: &Parked, at: u64) -> bool {
        let unique = cx.caps().position_unique;
        let contiguous = cx.caps().position == Numbering::Contiguous;
        let Some(link) = &mut self.link else { return false };
        let Some(anchor) = link.anchor else { return true };
        let expected = anchor.position.sequence;
        if at < expected {
            self.count_duplicate();
            return false;
        }
        if at == expected {
            let digest = if event.event.deleted { 0 } else { event.event.digest };
            let seen = link.anchor_seen.unwrap_or(0) ^ digest;
            link.anchor_seen = Some(seen);
            self.count_duplicate();
            if unique {
                self.weigh_anchor(cx);
            }
            return false;
        }
        if link.anchor_seen.is_some() {
            return self.weigh_anchor(cx);
        }
        if contiguous && cx.caps().tells_numberings() {
            return true;
        }
        self.handle_clamp(cx);
        if self.link.as_ref().is_some_and(|link| link.new_epoch.is_some()) {
            self.take_event(cx, event.clone());
            return false;
        }
        self.link.is_some()
    }

    /// What came back at the anchor is complete: it must be what is held. False if the attempt is
    /// over.
    fn weigh_anchor(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(link) = &self.link else { return false };
        match (link.anchor, link.anchor_seen) {
            (Some(anchor), Some(seen))
                if anchor.digest == seen || cx.mutated(Mutant::CanaryNotCompared) =>
            {
                self.handle_proof(cx, Proof::Anchor);
                self.drain_held(cx);
                true
            }
            (Some(_), Some(_)) => {
                self.leave_epoch(cx, "the last event held came back different");
                false
            }
            _ => true,
        }
    }

    /// An event at or below what is held: a duplicate, a late one, or a sign of another numbering.
    fn take_old(&mut self, cx: &mut Cx<'_>, event: Parked, at: u64) {
        let position = self.position(at);
        let doubted = self.outage.stale_since.is_some();
        let Some(link) = &mut self.link else { return };
        if doubted && link.rung == Rung::Overlap && link.first.is_none() && !link.settled {
            let name = self.seen.epoch_name.clone();
            link.new_epoch = Some(crate::machine::link::NewEpoch::named(name));
            link.parked.push(event);
            self.outage.new_epoch = true;
            return self.reevaluate(cx);
        }
        let late = link.late.as_mut().filter(|late| at > late.floor && position <= late.tag);
        let Some(late) = late else { return self.count_duplicate() };
        late.floor = at;
        link.fruitful = true;
        let change = self.change(&event, Some(position), Effect::History);
        self.write_at(cx, event.received_at, Body::Change(change));
        self.narrow(cx, at);
    }

    fn take_unpositioned(&mut self, cx: &mut Cx<'_>, event: Parked) {
        let Some(link) = &mut self.link else { return };
        let key = &event.event.key;
        if !cx.mutated(Mutant::ExpectedForgotten)
            && let Some(expected) = link.expected.get_mut(key)
            && let Some(index) = expected.iter().position(|told| *told == event.event.identity)
        {
            // Both deliver in order: what stands before it came before this one was served.
            expected.drain(..=index);
            link.echo.insert(key.clone(), event.event.identity);
            return self.count_duplicate();
        }
        let is_compared = !cx.mutated(Mutant::EchoTaken);
        if link.echo.get(key) == Some(&event.event.identity) && is_compared {
            return self.count_duplicate();
        }
        self.apply(cx, event, None);
    }

    /// Waits for the events before it.
    fn hold(&mut self, cx: &mut Cx<'_>, event: Parked, at: u64) {
        if let Some(link) = self.link.as_mut().filter(|link| link.conn == event.conn) {
            link.fruitful = true;
        }
        if self.held.insert(at, event).is_some() {
            self.count_duplicate();
        }
        if self.held.len() as u64 > cx.timing().held_max {
            return self.overflow(cx);
        }
        if !self.timers.is_set(Timer::Hole) {
            self.set_timer(cx, Timer::Hole, cx.timing().reorder_ms);
            self.fetch_ahead(cx);
        }
    }

    fn overflow(&mut self, cx: &mut Cx<'_>) {
        let class = Class::Retry { after_ms: None };
        let what = Label::from("more events wait than the bound allows");
        self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what });
    }

    fn drain_held(&mut self, cx: &mut Cx<'_>) {
        while let Some((at, event)) = self.held.pop_first() {
            match self.held_sequence() {
                Some(held) if at <= held => self.count_duplicate(),
                Some(held) if at == held + 1 => self.apply(cx, event, Some(at)),
                _ => {
                    self.held.insert(at, event);
                    return self.set_timer(cx, Timer::Hole, cx.timing().reorder_ms);
                }
            }
        }
        self.timers.stop(Timer::Hole);
    }

    /// Events have waited behind holes that this attempt will not fill: each run of them is written
    /// after a ledger row for the hole before it.
    pub(super) fn release_held(&mut self, cx: &mut Cx<'_>, cause: GapCause) {
        while !self.held.is_empty() {
            self.release_run(cx, cause);
        }
        self.timers.stop(Timer::Hole);
    }

    /// The vendor does not serve what lies before the first that wait. Of the holes behind them it
    /// has said nothing: a vendor that replays is asked for those first.
    pub(super) fn release_first(&mut self, cx: &mut Cx<'_>, cause: GapCause) {
        if cx.caps().replay != Replay::FromPosition {
            return self.release_held(cx, cause);
        }
        self.release_run(cx, cause);
        self.timers.stop(Timer::Hole);
        if self.link.is_some() && !self.held.is_empty() {
            self.set_timer(cx, Timer::Hole, cx.timing().reorder_ms);
        }
    }

    /// Writes the events that wait behind the first hole, up to the next one.
    fn release_run(&mut self, cx: &mut Cx<'_>, cause: GapCause) {
        let mut opened_for = None;
        let contiguous = cx.caps().position == Numbering::Contiguous;
        while let Some((at, event)) = self.held.pop_first() {
            match self.held_sequence() {
                Some(held) if at <= held => {
                    self.count_duplicate();
                    continue;
                }
                Some(held) if at == held + 1 => {}
                // Where numbers have holes, what one socket brought in a row is whole.
                _ if !contiguous && opened_for == Some(event.conn) => {}
                _ if opened_for.is_some() => {
                    self.held.insert(at, event);
                    return;
                }
                _ => {
                    opened_for = Some(event.conn);
                    self.open_gap(cx, cause);
                    self.seen.advance(self.position(at.saturating_sub(1)));
                }
            }
            self.apply(cx, event, Some(at));
        }
    }

    /// On a contiguous stream without a known beginning: the lowest of what has come is the first.
    fn establish_first(&mut self, cx: &mut Cx<'_>) {
        let cause = self.gap_cause(cx);
        self.release_first(cx, cause);
        self.reevaluate(cx);
    }

    /// A hole has waited long enough.
    pub(super) fn handle_hole_timer(&mut self, cx: &mut Cx<'_>) {
        let Some(link) = &self.link else { return };
        if link.holed {
            return self.ask_again(cx);
        }
        if self.held.is_empty() || cx.caps().position != Numbering::Contiguous {
            return;
        }
        if link.proof.is_none() && !link.settled {
            match link.rung {
                // What was not understood on this socket may be what is missing: it is asked for
                // again.
                Rung::Resume | Rung::Rebase if link.poisoned_at.is_some() || link.strange => {}
                Rung::Resume | Rung::Rebase => return self.handle_clamp(cx),
                Rung::Overlap if link.first.is_none() && link.base.is_none() => {
                    return self.establish_first(cx);
                }
                Rung::Overlap | Rung::Floor => {}
            }
        }
        let is_second = self.outage.hole_at == self.seen.position;
        if is_second && !cx.mutated(Mutant::HoleAskedForEver) {
            let poisoned = link.poisoned_at.is_some();
            self.outage.overlap = Some(if poisoned { GapCause::Poison } else { GapCause::Hole });
        }
        self.outage.hole_at = self.seen.position;
        let class = Class::Retry { after_ms: None };
        let what = Label::from("a hole in the numbering");
        self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what });
    }

    /// Writes an event and moves the position as far as it is whole.
    pub(super) fn apply(&mut self, cx: &mut Cx<'_>, event: Parked, at: Option<u64>) {
        let position = at.map(|at| self.position(at));
        let effect = self.effect(cx, &event.event, position);
        let change = self.change(&event, position, effect);
        let (key, identity) = (change.key.clone(), event.event.identity);
        let caps = cx.caps();
        let (unique, whole) = (caps.position_unique, caps.position_whole_in_frame);
        if !unique && !whole {
            self.advance_below(at);
        }
        let ends_row = self.seen.open_gaps.values().any(|gap| gap.first.is_none());
        if at.is_some() && ends_row {
            self.jump = Jump::Unwritten;
        }
        self.write_at(cx, event.received_at, Body::Change(change));
        let booked = !is_opaque(cx) || event.event.bookmark.is_some();
        if let Some(position) = position.filter(|_| unique && booked) {
            self.seen.advance(position);
        }
        if self.is_touch_recorded() && !cx.mutated(Mutant::TouchedForgotten) {
            self.touched.insert(key.clone(), at);
        }
        self.end_late(cx);
        let Some(link) = self.link.as_mut().filter(|link| link.conn == event.conn) else { return };
        link.fruitful = true;
        match at {
            Some(at) => {
                link.first.get_or_insert(at);
            }
            None => {
                link.echo.insert(key.clone(), identity);
                if let Some(spare) = &mut self.spare {
                    spare.expected.entry(key).or_default().push(identity);
                    spare.expected_count += 1;
                    spare.expected_at = Some(cx.now.at);
                    if spare.expected_count > cx.timing().held_max {
                        self.drop_spare_as(cx, "more events wait than the bound allows");
                    }
                }
            }
        }
    }

    /// Everything below an event that opens a new position is whole.
    fn advance_below(&mut self, at: Option<u64>) {
        let open = self.seen.ahead.last();
        if let Some(open) = open.filter(|open| at.is_some_and(|at| open.sequence < at)) {
            self.seen.advance(open);
        }
    }

    fn is_touch_recorded(&self) -> bool {
        self.audit.is_recording()
            || self.run.as_ref().is_some_and(|run| run.purpose == Purpose::Reconcile)
    }

    fn handle_heartbeat(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        subscription: Option<&Label>,
        head: Option<u64>,
    ) {
        let ours = self.link.as_ref().is_some_and(|l| l.conn == conn && l.owns(subscription));
        if let Some(head) = head.filter(|_| ours && self.is_live() && !self.is_holed()) {
            if cx.caps().coverage == Coverage::Full {
                self.note_head(cx, head);
            } else {
                self.note_progress(cx, head);
            }
        }
    }

    /// The vendor says that nothing of ours happened up to here.
    fn note_progress(&mut self, cx: &mut Cx<'_>, head: u64) {
        use crate::connector::Ack;
        let provable = cx.caps().ack == Ack::WithPosition && cx.caps().subscription_named;
        let due =
            self.progress_at.is_none_or(|at| cx.now.at.since(at) >= cx.config.timing.progress_ms);
        let increasing = cx.caps().position == Numbering::Increasing;
        if provable && increasing && due && Some(head) > self.held_sequence() {
            self.progress_at = Some(cx.now.at);
            let position = self.position(head);
            self.write(cx, Body::Progress { position, bookmark: None });
        }
    }

    fn handle_refusal(&mut self, cx: &mut Cx<'_>, conn: ConnId, failure: Failure) {
        if self.is_spare(conn) {
            return self.drop_spare(cx, Some(CloseHow::Polite), failure);
        }
        if self.is_first(conn) {
            self.give_up(cx, CloseHow::Polite, failure);
        }
    }

    /// The frame is whole.
    pub(super) fn settle_frame(&mut self, cx: &mut Cx<'_>) {
        let caps = cx.caps();
        if !caps.position_unique && caps.position_whole_in_frame {
            // Only what this socket has brought to its end: a part of a position may be held from
            // an earlier one, or from an earlier life. Of a frame that was split, what it ends
            // with is not whole.
            let end = self.link.as_ref().and_then(|link| link.frame_end);
            let taken = cx.mutated(Mutant::SplitFrameWhole);
            let is_whole = |at: &Position| {
                end.is_some_and(|(end, split)| {
                    at.sequence < end || at.sequence == end && (!split || taken)
                })
            };
            if let Some(whole) = self.seen.ahead.last_where(is_whole) {
                self.seen.advance(whole);
            }
        }
        if self.link.as_ref().is_some_and(|l| l.anchor_seen.is_some() && l.proof.is_none()) {
            self.weigh_anchor(cx);
        }
        let Some(link) = &self.link else { return };
        if self.phase == Phase::CatchingUp && link.settled && self.run.is_none() {
            let waiting = self.seen.converging_until.is_some() || self.audit.is_running();
            if !waiting {
                self.settle(cx);
            }
        } else if self.run.is_some() && !self.is_live() {
            self.reevaluate(cx);
        }
    }
}

/// Which of a frame's events of one position and key an event is.
#[derive(Default)]
struct Ordinals(BTreeMap<(Option<u64>, Key), u16>);

impl Ordinals {
    fn next(&mut self, event: &Event) -> u16 {
        let count = self.0.entry((event.sequence, event.key.clone())).or_default();
        let ordinal = *count;
        *count = count.saturating_add(1);
        ordinal
    }
}
