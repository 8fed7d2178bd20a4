//! The end of tombstones: a key that was deleted leaves state for good once nothing older of it can
//! come.
//!
//! A tombstone is kept so that an event from before the deletion, which comes after it, does not
//! bring the key back ([`Stream::effect`]). It has done its work when both are past:
//!
//! * **The position.** On a numbered stream everything up to the position (and up to the tag of a
//!   snapshot of all keys) is known for old by its number, whatever its key. A deletion that lies
//!   above, as that of a snapshot of named keys, waits until the stream has come so far.
//! * **The time.** Without positions only the vendor's times tell what is older, and what seems to
//!   have been under way for longer than [`Timing::under_way_ms_max`] is taken for new even beside
//!   a tombstone. So after that time it guards nothing. It is measured on the monotonic clock from
//!   a moment at which the tombstone stood, which is no part of the log: a restart begins anew.
//!
//! And the stream must be Live on one connection: what a new subscription brings before that may be
//! older than its time says, and what a second connection has brought waits unread.
//!
//! [`Timing::under_way_ms_max`]: crate::machine::Timing::under_way_ms_max

use std::collections::BTreeMap;

use crate::connector::SnapshotKind;
use crate::ids::Key;
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::record::{Body, Effect, Record};
use crate::time::Millis;

/// Most tombstones that one step looks at, so that a deletion of all keys neither makes a huge unit
/// nor holds up other streams.
const STEP_MAX: usize = 512;

/// Between two steps, in milliseconds.
const STEP_MS: u64 = 1;

/// The tombstones of a stream in the order in which they were written: exactly those of its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tombstones {
    by_offset: BTreeMap<u64, Key>,
    round: Option<Round>,
}

/// What is to be forgotten next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Round {
    /// All written before this record …
    before: u64,
    /// … stood at this moment.
    stood_at: Millis,
    /// Those before this record have been looked at.
    done: u64,
}

impl Tombstones {
    /// Those of a state that was read from the log.
    pub(super) fn of(stream: &Stream, next_offset: u64, now: Millis) -> Self {
        let dead = stream.seen.keys.iter_unordered().filter(|(_, held)| !held.present);
        let mut tombstones = Self::default();
        tombstones.by_offset.extend(dead.map(|(key, held)| (held.offset, key.clone())));
        tombstones.begin_round(next_offset, now);
        tombstones
    }

    fn begin_round(&mut self, before: u64, stood_at: Millis) {
        let is_any = !self.by_offset.is_empty();
        self.round = is_any.then_some(Round { before, stood_at, done: 0 });
    }

    /// How many there are.
    #[cfg(feature = "proof")]
    pub(super) fn len(&self) -> usize {
        self.by_offset.len()
    }

    /// When they began to wait.
    #[cfg(feature = "proof")]
    pub(super) fn stood_at_mut(&mut self) -> Option<&mut Millis> {
        self.round.as_mut().map(|round| &mut round.stood_at)
    }

    /// Counts offsets anew.
    #[cfg(feature = "proof")]
    pub(super) fn renumber(&mut self, renumbered: impl Fn(u64) -> u64) {
        let held = std::mem::take(&mut self.by_offset);
        self.by_offset = held.into_iter().map(|(at, key)| (renumbered(at), key)).collect();
        if let Some(round) = &mut self.round {
            (round.before, round.done) = (renumbered(round.before), renumbered(round.done));
        }
    }
}

impl Stream {
    /// A record is about to be written: a key gets a tombstone, or is alive again.
    pub(super) fn note_tombstone(&mut self, cx: &Cx<'_>, record: &Record) {
        let change = match &record.body {
            Body::Change(change) if change.effect == Effect::State => change,
            Body::SnapshotItem { change, .. } => change,
            _ => return,
        };
        if !change.deleted && self.tombstones.by_offset.is_empty() {
            return;
        }
        if let Some(held) = self.seen.keys.get(&change.key).filter(|held| !held.present) {
            self.tombstones.by_offset.remove(&held.offset);
        }
        if change.deleted {
            let offset = cx.shared.clock;
            self.tombstones.by_offset.insert(offset, change.key.clone());
            match &mut self.tombstones.round {
                Some(round) if round.stood_at == cx.now.at => round.before = offset + 1,
                Some(_) => {}
                None => {
                    self.tombstones.begin_round(offset + 1, cx.now.at);
                    self.schedule_forgetting(cx);
                }
            }
        }
    }

    /// Sets the time at which tombstones are to be forgotten, if the stream may then.
    pub(super) fn schedule_forgetting(&mut self, cx: &Cx<'_>) {
        if let Some(round) = self.tombstones.round.filter(|_| self.may_forget(cx)) {
            let at = round.stood_at + self.tombstone_ms(cx);
            self.timers.set(Timer::Forget, at.max(cx.now.at));
        }
    }

    /// How long a tombstone stands at least.
    fn tombstone_ms(&self, cx: &Cx<'_>) -> u64 {
        match cx.mutated(Mutant::TombstoneAtOnce) {
            true => 0,
            false => cx.timing().under_way_ms_max(),
        }
    }

    fn may_forget(&self, cx: &Cx<'_>) -> bool {
        let is_sole = self.spare.is_none() || cx.mutated(Mutant::TombstoneInHandover);
        self.is_live() && is_sole && !cx.mutated(Mutant::TombstoneKept)
    }

    /// Tombstones have stood for long enough. Whatever keeps them longer sets the timer when it
    /// ends.
    pub(super) fn handle_forget_timer(&mut self, cx: &mut Cx<'_>) {
        let Some(round) = self.tombstones.round.filter(|_| self.may_forget(cx)) else { return };
        let waiting = self.tombstones.by_offset.range(round.done..round.before);
        let step: Vec<(u64, Key)> =
            waiting.take(STEP_MAX).map(|(at, key)| (*at, key.clone())).collect();
        let last = step.last().map(|(at, _)| *at).filter(|_| step.len() == STEP_MAX);
        for (at, key) in step {
            if self.is_spent(cx, &key) {
                self.tombstones.by_offset.remove(&at);
                self.forget(cx, key);
            }
        }
        if let Some(last) = last {
            self.tombstones.round = Some(Round { done: last + 1, ..round });
            return self.set_timer(cx, Timer::Forget, STEP_MS);
        }
        self.tombstones.begin_round(cx.shared.clock, cx.now.at);
        self.schedule_forgetting(cx);
    }

    /// Whether every older event of the key is known for old without its tombstone.
    fn is_spent(&self, cx: &Cx<'_>, key: &Key) -> bool {
        let seen = &self.seen;
        let version = seen.keys.get(key).and_then(|held| held.version);
        let Some(version) = version.filter(|version| version.epoch == seen.epoch) else {
            return true;
        };
        // Only such tags never go back inside a numbering.
        let is_tagged = cx.caps().snapshot == SnapshotKind::Positioned && !is_opaque(cx);
        let tag = seen.snapshot_tag.filter(|_| is_tagged);
        seen.position.max(tag) >= Some(version) || cx.mutated(Mutant::TombstoneAbovePosition)
    }

    /// The key is as if it had never been, for whatever keeps something of it.
    fn forget(&mut self, cx: &mut Cx<'_>, key: Key) {
        if let Some(link) = self.link.as_mut().filter(|_| !cx.mutated(Mutant::EchoKept)) {
            link.echo.remove(&key);
        }
        self.write(cx, Body::Forgotten { key });
    }
}
