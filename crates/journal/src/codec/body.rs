//! What a record says, as bytes.

use unbroken_core::directive::{Act, Directive};
use unbroken_core::ids::{ConnId, GapId, Key, Label, SnapshotId};
use unbroken_core::position::Epoch;
use unbroken_core::record::{
    Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened, GapOutcome,
    HistoryOwed, Origin, Quarantined, SnapshotBegin, SnapshotEnd, Turn, Witness,
};
use unbroken_core::time::UnixMicros;

use crate::codec::code::Code;
use crate::codec::put;
use crate::codec::take::{Malformed, Take};
use crate::codec::words::{WordsIn, WordsOut};

const CHANGE: u8 = 0;
const SNAPSHOT_BEGIN: u8 = 1;
const SNAPSHOT_ITEM: u8 = 2;
const SNAPSHOT_END: u8 = 3;
const SNAPSHOT_ABORT: u8 = 4;
const GAP_OPENED: u8 = 5;
const GAP_CLOSED: u8 = 6;
const PROGRESS: u8 = 7;
const EPOCH_CHANGED: u8 = 8;
const QUARANTINED: u8 = 9;
const CONNECTION: u8 = 10;
const FORGOTTEN: u8 = 11;
/// Progress to a bookmark; since format 3.
const BOOKED: u8 = 12;
/// Since format 4.
const DIRECTIVE: u8 = 13;
/// A bracket of named keys; since format 4.
const KEYED_BEGIN: u8 = 14;
/// Its end; since format 4.
const KEYED_END: u8 = 15;
/// Since format 5.
const HISTORY_OWED: u8 = 16;
/// Since format 5.
const HISTORY_FORGONE: u8 = 17;

/// What a body is encoded against: the record's own time, and the words of the batch.
pub(crate) fn encode<'a>(
    out: &mut Vec<u8>,
    body: &'a Body,
    received_at: UnixMicros,
    kinds: &mut WordsOut<'a>,
) {
    match body {
        Body::Change(change) => {
            out.push(CHANGE);
            encode_change(out, change, received_at, kinds);
        }
        Body::SnapshotBegin(begin) => {
            out.push(if begin.keys.is_some() { KEYED_BEGIN } else { SNAPSHOT_BEGIN });
            encode_begin(out, begin);
        }
        Body::SnapshotItem { snapshot, change } => {
            out.push(SNAPSHOT_ITEM);
            put::varint(out, snapshot.0);
            encode_change(out, change, received_at, kinds);
        }
        Body::SnapshotEnd(end) => {
            out.push(if end.keyed { KEYED_END } else { SNAPSHOT_END });
            encode_end(out, end);
        }
        Body::SnapshotAbort { snapshot } => {
            out.push(SNAPSHOT_ABORT);
            put::varint(out, snapshot.0);
        }
        Body::GapOpened(gap) => {
            out.push(GAP_OPENED);
            encode_gap_opened(out, gap);
        }
        Body::GapClosed(gap) => {
            out.push(GAP_CLOSED);
            encode_gap_closed(out, gap);
        }
        Body::Progress { position, bookmark } => {
            out.push(if bookmark.is_some() { BOOKED } else { PROGRESS });
            put::position(out, *position);
            bookmark.iter().for_each(|bookmark| put::bookmark(out, bookmark));
        }
        Body::EpochChanged { epoch, name } => {
            out.push(EPOCH_CHANGED);
            put::varint(out, u64::from(epoch.0));
            put::optional(out, name.as_ref(), |out, name| put::text(out, name.as_str()));
        }
        Body::Quarantined(quarantined) => {
            out.push(QUARANTINED);
            encode_quarantined(out, quarantined);
        }
        Body::Connection(turn) => {
            out.push(CONNECTION);
            encode_turn(out, turn);
        }
        Body::Forgotten { key } => {
            out.push(FORGOTTEN);
            put::text(out, key.as_str());
        }
        Body::Directive(directive) => {
            out.push(DIRECTIVE);
            encode_directive(out, directive);
        }
        Body::HistoryOwed(owed) => {
            out.push(HISTORY_OWED);
            encode_history_owed(out, owed);
        }
        Body::HistoryForgone { gap, why } => encode_history_forgone(out, *gap, why),
    }
}

pub(crate) fn decode(
    take: &mut Take,
    received_at: UnixMicros,
    kinds: &mut WordsIn<Label>,
) -> Result<Body, Malformed> {
    Ok(match take.byte("record kind")? {
        CHANGE => Body::Change(decode_change(take, received_at, kinds)?),
        SNAPSHOT_BEGIN => Body::SnapshotBegin(decode_begin(take, false)?),
        KEYED_BEGIN => Body::SnapshotBegin(decode_begin(take, true)?),
        SNAPSHOT_ITEM => Body::SnapshotItem {
            snapshot: SnapshotId(take.varint("snapshot")?),
            change: decode_change(take, received_at, kinds)?,
        },
        SNAPSHOT_END => Body::SnapshotEnd(decode_end(take, false)?),
        KEYED_END => Body::SnapshotEnd(decode_end(take, true)?),
        SNAPSHOT_ABORT => Body::SnapshotAbort { snapshot: SnapshotId(take.varint("snapshot")?) },
        GAP_OPENED => Body::GapOpened(decode_gap_opened(take)?),
        GAP_CLOSED => Body::GapClosed(decode_gap_closed(take)?),
        PROGRESS => Body::Progress { position: take.position("progress")?, bookmark: None },
        BOOKED => Body::Progress {
            position: take.position("progress")?,
            bookmark: Some(take.bookmark("bookmark")?),
        },
        EPOCH_CHANGED => Body::EpochChanged {
            epoch: Epoch(take.narrow("epoch")?),
            name: take.optional("epoch name", |t| t.text("epoch name").map(Label::from))?,
        },
        QUARANTINED => Body::Quarantined(Quarantined {
            conn: take.optional("conn", |t| t.varint("conn").map(ConnId))?,
            reason: take.text("reason").map(Label::from)?,
            length: take.varint("length")?,
            digest: take.digest("digest")?,
            bytes: take.bytes("quarantined bytes")?,
        }),
        CONNECTION => Body::Connection(ConnectionTurn {
            conn: ConnId(take.varint("conn")?),
            turn: Turn::take(take)?,
            by: Closer::take(take)?,
            why: take.text("why").map(Label::from)?,
        }),
        FORGOTTEN => Body::Forgotten { key: take.text("key").map(Key::from)? },
        DIRECTIVE => Body::Directive(decode_directive(take)?),
        HISTORY_OWED => Body::HistoryOwed(decode_history_owed(take)?),
        HISTORY_FORGONE => Body::HistoryForgone {
            gap: GapId(take.varint("gap")?),
            why: take.text("why").map(Label::from)?,
        },
        _ => return Err(take.fault("record kind")),
    })
}

const HAS_POSITION: u8 = 1;
const HAS_EVENT_ID: u8 = 1 << 1;
const HAS_OCCURRED_AT: u8 = 1 << 2;
const HAS_DIGEST: u8 = 1 << 3;
const HAS_ORDINAL: u8 = 1 << 4;
const DELETED: u8 = 1 << 5;
const HISTORY: u8 = 1 << 6;
/// Since format 3.
const HAS_BOOKMARK: u8 = 1 << 7;

fn encode_change<'a>(
    out: &mut Vec<u8>,
    change: &'a Change,
    received_at: UnixMicros,
    kinds: &mut WordsOut<'a>,
) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(
        flag(change.position.is_some(), HAS_POSITION)
            | flag(change.event_id.is_some(), HAS_EVENT_ID)
            | flag(change.occurred_at.is_some(), HAS_OCCURRED_AT)
            | flag(change.digest != 0, HAS_DIGEST)
            | flag(change.ordinal != 0, HAS_ORDINAL)
            | flag(change.deleted, DELETED)
            | flag(change.effect == Effect::History, HISTORY)
            | flag(change.bookmark.is_some(), HAS_BOOKMARK),
    );
    out.push(change.origin.code());
    put::text(out, change.key.as_str());
    kinds.put(out, change.kind.as_ref().map(Label::as_str));
    if let Some(position) = change.position {
        put::position(out, position);
    }
    if let Some(bookmark) = &change.bookmark {
        put::bookmark(out, bookmark);
    }
    if change.ordinal != 0 {
        put::varint(out, u64::from(change.ordinal));
    }
    if let Some(event_id) = &change.event_id {
        put::text(out, event_id.as_str());
    }
    if let Some(occurred_at) = change.occurred_at {
        put::signed(out, occurred_at.0.wrapping_sub(received_at.0));
    }
    if change.digest != 0 {
        put::digest(out, change.digest);
    }
    put::bytes(out, &change.payload);
}

fn decode_change(
    take: &mut Take,
    received_at: UnixMicros,
    kinds: &mut WordsIn<Label>,
) -> Result<Change, Malformed> {
    let flags = take.byte("change flags")?;
    let has = |bit: u8| flags & bit != 0;
    let origin = Origin::take(take)?;
    let key = take.text("key").map(Key::from)?;
    let kind = kinds.take(take, "kind")?;
    let position = has(HAS_POSITION).then(|| take.position("position")).transpose()?;
    let bookmark = has(HAS_BOOKMARK).then(|| take.bookmark("bookmark")).transpose()?;
    let ordinal = if has(HAS_ORDINAL) { take.narrow("ordinal")? } else { 0 };
    let event_id = has(HAS_EVENT_ID).then(|| take.text("event id").map(Label::from)).transpose()?;
    let occurred_at = has(HAS_OCCURRED_AT)
        .then(|| take.signed("occurred at"))
        .transpose()?
        .map(|since| UnixMicros(received_at.0.wrapping_add(since)));
    let digest = if has(HAS_DIGEST) { take.digest("digest")? } else { 0 };
    Ok(Change {
        key,
        position,
        bookmark,
        ordinal,
        event_id,
        kind,
        deleted: has(DELETED),
        origin,
        effect: if has(HISTORY) { Effect::History } else { Effect::State },
        occurred_at,
        digest,
        payload: take.bytes("payload")?,
    })
}

fn encode_turn(out: &mut Vec<u8>, turn: &ConnectionTurn) {
    put::varint(out, turn.conn.0);
    out.push(turn.turn.code());
    out.push(turn.by.code());
    put::text(out, turn.why.as_str());
}

fn encode_history_forgone(out: &mut Vec<u8>, gap: GapId, why: &Label) {
    out.push(HISTORY_FORGONE);
    put::varint(out, gap.0);
    put::text(out, why.as_str());
}

fn encode_quarantined(out: &mut Vec<u8>, quarantined: &Quarantined) {
    put::optional(out, quarantined.conn, |out, conn| put::varint(out, conn.0));
    put::text(out, quarantined.reason.as_str());
    put::varint(out, quarantined.length);
    put::digest(out, quarantined.digest);
    put::bytes(out, &quarantined.bytes);
}

fn encode_begin(out: &mut Vec<u8>, begin: &SnapshotBegin) {
    put::varint(out, begin.snapshot.0);
    put::optional(out, begin.tag, put::position);
    out.push(u8::from(begin.rows_are_state));
    if let Some(keys) = &begin.keys {
        put::varint(out, keys.len() as u64);
        keys.iter().for_each(|key| put::text(out, key.as_str()));
    }
}

fn decode_begin(take: &mut Take, keyed: bool) -> Result<SnapshotBegin, Malformed> {
    Ok(SnapshotBegin {
        snapshot: SnapshotId(take.varint("snapshot")?),
        tag: take.optional("tag", |t| t.position("tag"))?,
        rows_are_state: take.flag("rows are state")?,
        keys: keyed.then(|| decode_names(take)).transpose()?,
    })
}

fn decode_names(take: &mut Take) -> Result<Vec<Key>, Malformed> {
    (0..take.count("keys")?).map(|_| take.text("key").map(Key::from)).collect()
}

fn encode_end(out: &mut Vec<u8>, end: &SnapshotEnd) {
    put::varint(out, end.snapshot.0);
    put::varint(out, end.count);
    put::varint(out, end.rows);
    put::digest(out, end.digest);
    put::optional(out, end.tag, put::position);
    out.push(u8::from(end.rows_are_state));
    put::optional(out, end.converging_until, put::position);
    out.push(end.witness.code());
}

fn decode_end(take: &mut Take, keyed: bool) -> Result<SnapshotEnd, Malformed> {
    Ok(SnapshotEnd {
        snapshot: SnapshotId(take.varint("snapshot")?),
        count: take.varint("count")?,
        rows: take.varint("rows")?,
        digest: take.digest("digest")?,
        tag: take.optional("tag", |t| t.position("tag"))?,
        rows_are_state: take.flag("rows are state")?,
        keyed,
        converging_until: take.optional("converging until", |t| t.position("converging until"))?,
        witness: Witness::take(take)?,
    })
}

pub(crate) fn encode_gap_opened(out: &mut Vec<u8>, gap: &GapOpened) {
    put::varint(out, gap.gap.0);
    put::optional(out, gap.after, put::position);
    put::signed(out, gap.wall_from.0);
    out.push(gap.cause.code());
}

pub(crate) fn decode_gap_opened(take: &mut Take) -> Result<GapOpened, Malformed> {
    Ok(GapOpened {
        gap: GapId(take.varint("gap")?),
        after: take.optional("gap after", |t| t.position("gap after"))?,
        wall_from: UnixMicros(take.signed("wall from")?),
        cause: GapCause::take(take)?,
    })
}

fn encode_gap_closed(out: &mut Vec<u8>, gap: &GapClosed) {
    put::varint(out, gap.gap.0);
    out.push(gap.outcome.code());
    put::optional(out, gap.after, put::position);
    put::optional(out, gap.through, put::position);
    put::signed(out, gap.wall_from.0);
    put::signed(out, gap.wall_to.0);
    out.push(gap.cause.code());
    put::optional(out, gap.closed_by, |out, snapshot| put::varint(out, snapshot.0));
    out.push(u8::from(gap.reconciled));
}

fn decode_gap_closed(take: &mut Take) -> Result<GapClosed, Malformed> {
    Ok(GapClosed {
        gap: GapId(take.varint("gap")?),
        outcome: GapOutcome::take(take)?,
        after: take.optional("gap after", |t| t.position("gap after"))?,
        through: take.optional("gap through", |t| t.position("gap through"))?,
        wall_from: UnixMicros(take.signed("wall from")?),
        wall_to: UnixMicros(take.signed("wall to")?),
        cause: GapCause::take(take)?,
        closed_by: take.optional("closed by", |t| t.varint("closed by").map(SnapshotId))?,
        reconciled: take.flag("reconciled")?,
    })
}

pub(crate) fn encode_history_owed(out: &mut Vec<u8>, owed: &HistoryOwed) {
    encode_gap_closed(out, &owed.row);
    put::signed(out, owed.since.0);
}

pub(crate) fn decode_history_owed(take: &mut Take) -> Result<HistoryOwed, Malformed> {
    let row = decode_gap_closed(take)?;
    Ok(HistoryOwed { row, since: UnixMicros(take.signed("since")?) })
}

const PAUSE: u8 = 0;
const RESUME: u8 = 1;
const SET_POSITION: u8 = 2;
const FORGET_POSITION: u8 = 3;

fn encode_directive(out: &mut Vec<u8>, directive: &Directive) {
    put::text(out, directive.by.as_str());
    put::text(out, directive.why.as_str());
    match &directive.act {
        Act::Pause => out.push(PAUSE),
        Act::Resume => out.push(RESUME),
        Act::SetPosition { position, bookmark } => {
            out.push(SET_POSITION);
            put::position(out, *position);
            put::optional(out, bookmark.as_ref(), put::bookmark);
        }
        Act::ForgetPosition { epoch } => {
            out.push(FORGET_POSITION);
            put::varint(out, u64::from(epoch.0));
        }
    }
}

fn decode_directive(take: &mut Take) -> Result<Directive, Malformed> {
    let by = take.text("by").map(Label::from)?;
    let why = take.text("why").map(Label::from)?;
    let act = match take.byte("act")? {
        PAUSE => Act::Pause,
        RESUME => Act::Resume,
        SET_POSITION => Act::SetPosition {
            position: take.position("set position")?,
            bookmark: take.optional("bookmark", |t| t.bookmark("bookmark"))?,
        },
        FORGET_POSITION => Act::ForgetPosition { epoch: Epoch(take.narrow("epoch")?) },
        _ => return Err(take.fault("act")),
    };
    Ok(Directive { act, by, why })
}
