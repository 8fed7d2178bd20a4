//! One transaction: the records of a group of batches, laid into the tables.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Transaction, params};
use unbroken_core::directive::Act;
use unbroken_core::ids::Label;
use unbroken_core::record::{Body, Change, Effect, GapOutcome, Mark, Origin, Record, SnapshotEnd};
use unbroken_core::time::UnixMicros;

use crate::bracket;
use crate::column::{payload, signed, split};
use crate::ledger;
use crate::stream::Streams;
use crate::words::Word;

/// A key's newest value in this group. Only that one is written: a key that changes a thousand
/// times in a group costs one state write.
struct Pending<'r> {
    stream: i64,
    offset: u64,
    received_at: UnixMicros,
    change: &'r Change,
}

/// See the module.
pub(crate) struct Group<'t, 'r> {
    tx: &'t Transaction<'t>,
    streams: &'t mut Streams,
    insert_event: CachedStatement<'t>,
    pending: HashMap<i64, Pending<'r>>,
    /// Events are kept from here on.
    first_offset: u64,
    /// Take an item of a bracket whose Begin was not seen as belonging to an open one: the log
    /// begins in the middle of it.
    adopt: bool,
}

impl<'t, 'r> Group<'t, 'r> {
    pub(crate) fn begin(
        tx: &'t Transaction<'t>,
        streams: &'t mut Streams,
        first_offset: u64,
        adopt: bool,
    ) -> rusqlite::Result<Self> {
        let insert_event = tx.prepare_cached(
            "INSERT INTO events (offset, stream, epoch, position, ordinal, agent, event_id, kind,
                 origin, effect, deleted, occurred_at, received_at, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        Ok(Self { tx, streams, insert_event, pending: HashMap::new(), first_offset, adopt })
    }

    /// Adds one record; offsets must come in order.
    pub(crate) fn apply(&mut self, offset: u64, record: &'r Record) -> rusqlite::Result<()> {
        let stream = self.streams.stream(self.tx, &record.stream)?;
        let at = record.received_at;
        if let Body::Change(change) = &record.body {
            return self.apply_change(offset, record, change);
        }
        stream.changed = true;
        match &record.body {
            Body::Change(_) => {}
            Body::SnapshotBegin(begin) => bracket::begin(self.tx, stream, offset, at, begin)?,
            Body::SnapshotItem { snapshot, change } => {
                if self.adopt && stream.state.staged.is_none() {
                    stream.state.staged = Some(*snapshot);
                }
                if stream.state.staged == Some(*snapshot) {
                    bracket::stage(self.tx, stream, offset, at, *snapshot, change)?;
                }
            }
            Body::SnapshotEnd(end) => return self.apply_end(offset, record, end),
            Body::SnapshotAbort { snapshot } => {
                bracket::abort(self.tx, stream, offset, at, *snapshot)?;
            }
            Body::GapOpened(gap) => ledger::open_gap(self.tx, stream.id, offset, gap)?,
            Body::GapClosed(gap) => {
                if !gap.reconciled && gap.outcome != GapOutcome::Summarised {
                    stream.state.stale_before = Some((offset, gap.wall_from));
                }
                stream.state.covered_at.get_or_insert(gap.wall_to);
                ledger::close_gap(self.tx, stream.id, offset, gap)?;
            }
            Body::Progress { position, .. } => stream.state.advance(*position),
            Body::EpochChanged { epoch, name } => {
                stream.state.change_epoch(*epoch, name.as_ref());
            }
            Body::Quarantined(poison) => {
                ledger::quarantine(self.tx, stream.id, offset, at, poison)?
            }
            Body::Connection(turn) => {
                stream.state.turn(turn, at);
                ledger::insert_turn(self.tx, stream.id, offset, at, turn)?;
            }
            Body::Directive(directive) => match &directive.act {
                Act::Pause | Act::Resume => {}
                Act::SetPosition { position, .. } => stream.state.set_position(*position),
                Act::ForgetPosition { epoch } => stream.state.change_epoch(*epoch, None),
            },
            // What the vendor is still to be asked is no row of a table until it has answered.
            Body::HistoryOwed(_) | Body::HistoryForgone { .. } => {}
            Body::Forgotten { key } => {
                if let Some(agent) = stream.forget_key(self.tx, key)? {
                    self.pending.remove(&agent);
                    self.tx
                        .prepare_cached("DELETE FROM agents WHERE agent = ?1")?
                        .execute([agent])?;
                }
            }
        }
        Ok(())
    }

    /// Moves a stream's position.
    pub(crate) fn mark(&mut self, mark: &Mark) -> rusqlite::Result<()> {
        let stream = self.streams.stream(self.tx, &mark.stream)?;
        stream.state.advance(mark.position);
        stream.changed = true;
        Ok(())
    }

    /// Writes what was held back. The transaction is left to the caller.
    pub(crate) fn finish(mut self) -> rusqlite::Result<()> {
        self.write_pending()?;
        self.streams.save(self.tx)
    }

    fn apply_change(
        &mut self,
        offset: u64,
        record: &Record,
        change: &'r Change,
    ) -> rusqlite::Result<()> {
        let stream = self.streams.stream(self.tx, &record.stream)?;
        let agent = match change.effect {
            Effect::State => stream.key(self.tx, &change.key)?,
            Effect::History => stream.past_key(self.tx, &change.key)?,
        };
        if matches!(change.origin, Origin::Live | Origin::Replay) {
            stream.state.covered_at = Some(change.occurred_at.unwrap_or(record.received_at));
            stream.changed = true;
        }
        let (epoch, position) = split(change.position);
        self.insert_event.execute(params![
            signed(offset),
            stream.id,
            epoch,
            position,
            change.ordinal,
            agent,
            change.event_id.as_ref().map(Label::as_str),
            change.kind.as_ref().map(Label::as_str),
            change.origin.word(),
            change.effect.word(),
            change.deleted,
            change.occurred_at.map(|at| at.0),
            record.received_at.0,
            payload(&change.payload),
        ])?;
        if change.effect == Effect::State {
            let received_at = record.received_at;
            let value = Pending { stream: stream.id, offset, received_at, change };
            self.pending.insert(agent, value);
        }
        Ok(())
    }

    fn apply_end(
        &mut self,
        offset: u64,
        record: &Record,
        end: &SnapshotEnd,
    ) -> rusqlite::Result<()> {
        // An item loses against a later write of its key; that one must be in the table for it.
        self.write_pending()?;
        let stream = self.streams.stream(self.tx, &record.stream)?;
        if stream.state.staged == Some(end.snapshot) {
            bracket::publish(self.tx, stream.id, self.first_offset)?;
            stream.state.staged = None;
        } else if let Some(other) = stream.state.staged {
            bracket::abort(self.tx, stream, offset, record.received_at, other)?;
        }
        stream.state.end_snapshot(end);
        bracket::end(self.tx, stream.id, offset, record.received_at, end)
    }

    fn write_pending(&mut self) -> rusqlite::Result<()> {
        let mut upsert = self.tx.prepare_cached(
            "INSERT INTO agents (agent, stream, offset, epoch, position, present, digest,
                 occurred_at, received_at, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (agent) DO UPDATE SET offset = excluded.offset, epoch = excluded.epoch,
                 position = excluded.position, present = excluded.present,
                 digest = excluded.digest, occurred_at = excluded.occurred_at,
                 received_at = excluded.received_at, payload = excluded.payload",
        )?;
        // In the table's order: neighbours are on one page.
        let mut pending: Vec<_> = self.pending.drain().collect();
        pending.sort_unstable_by_key(|(agent, _)| *agent);
        for (agent, value) in pending {
            let change = value.change;
            let (epoch, position) = split(change.position);
            upsert.execute(params![
                agent,
                value.stream,
                signed(value.offset),
                epoch,
                position,
                !change.deleted,
                change.digest.to_be_bytes().as_slice(),
                change.occurred_at.map(|at| at.0),
                value.received_at.0,
                payload(if change.deleted { &[] } else { &change.payload }),
            ])?;
        }
        Ok(())
    }
}
