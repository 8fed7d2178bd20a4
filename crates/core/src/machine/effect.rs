//! What an event does to state, decided once, when its record is written.

use crate::connector::{Event, EventBody};
use crate::fold::KeyState;
use crate::machine::context::Cx;
use crate::machine::link::Parked;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::position::Position;
use crate::record::{Change, Effect, Origin};

impl Stream {
    /// A newer value of the key (or of all keys) may already be there.
    pub(super) fn effect(&self, cx: &Cx<'_>, event: &Event, position: Option<Position>) -> Effect {
        let held = self.seen.keys.get(&event.key);
        let newer = match position {
            Some(position) => {
                let tagged = self
                    .seen
                    .snapshot_tag
                    .is_some_and(|tag| tag.epoch == position.epoch && position <= tag);
                let versioned = held
                    .and_then(|held| held.version)
                    .is_some_and(|version| version.epoch == position.epoch && version > position);
                tagged || versioned
            }
            None => held.is_some_and(|held| Self::is_outdated(cx, event, held)),
        };
        if newer && !cx.mutated(Mutant::LateEventTouchesState) {
            Effect::History
        } else {
            Effect::State
        }
    }

    /// Of a vendor that tells states: the value held, told again, or one from before it, told late
    /// by a server that lags. What came and went between two answers is not seen anyway.
    pub(super) fn is_no_news(&self, cx: &Cx<'_>, event: &Event) -> bool {
        if cx.caps().event_body != EventBody::State {
            return false;
        }
        let held = self.seen.keys.get(&event.key);
        // Gone is what a key that is not held is anyway; a tombstone may have been forgotten.
        held.map_or(event.deleted, |held| {
            let same =
                held.present != event.deleted && (event.deleted || held.digest == event.digest);
            same || Self::is_outdated(cx, event, held)
        })
    }

    /// Without positions only the vendor's times can say that an event was under way while a newer
    /// value came. What seems to have been under way for longer than a socket may stand still was
    /// not: the vendor's clock was set back, and times from before say nothing of times after.
    fn is_outdated(cx: &Cx<'_>, event: &Event, held: &KeyState) -> bool {
        let (Some(newer), Some(older)) = (held.occurred_at, event.occurred_at) else {
            return false;
        };
        let under_way_ms_max = cx.timing().under_way_ms_max();
        let under_way_us = newer.0.saturating_sub(older.0);
        under_way_us > 0 && under_way_us.unsigned_abs() / 1_000 <= under_way_ms_max
    }

    pub(super) fn change(
        &self,
        parked: &Parked,
        position: Option<Position>,
        effect: Effect,
    ) -> Change {
        let event = &parked.event;
        let replay_until = self.link.as_ref().and_then(|link| link.replay_until);
        let acked = self.link.as_ref().and_then(|link| link.acked).map(|acked| acked.wall);
        let replayed = position.is_some_and(|p| Some(p.sequence) <= replay_until)
            || event.occurred_at.is_some_and(|at| Some(at) < acked);
        let origin = if replayed { Origin::Replay } else { Origin::Live };
        Change {
            key: event.key.clone(),
            position,
            bookmark: event.bookmark.clone(),
            ordinal: parked.ordinal,
            event_id: event.event_id.clone(),
            kind: event.kind.clone(),
            deleted: event.deleted,
            origin,
            effect,
            occurred_at: event.occurred_at,
            digest: if event.deleted { 0 } else { event.digest },
            payload: event.payload.clone(),
        }
    }
}
