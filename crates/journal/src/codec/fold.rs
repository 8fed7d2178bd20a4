//! A whole fold as bytes: the contents of an image.

use std::collections::BTreeMap;

use bytes::Bytes;
use unbroken_core::ahead::Ahead;
use unbroken_core::bookmark::Bookmarks;
use unbroken_core::fold::{Anchor, Fold, KeyState, OpenGap, Paused, Staged, StreamFold};
use unbroken_core::ids::{ConnId, GapId, Key, Label, SnapshotId, StreamId};
use unbroken_core::position::Epoch;
use unbroken_core::record::HistoryOwed;
use unbroken_core::time::UnixMicros;

use crate::codec::take::{Malformed, Take};
use crate::codec::{body, put};

/// Appends the fold to `out`, in the newest format.
pub fn encode(out: &mut Vec<u8>, fold: &Fold) {
    out.push(u8::from(fold.keep_payloads));
    put::varint(out, fold.streams.len() as u64);
    for (id, stream) in &fold.streams {
        put::text(out, id.as_str());
        encode_stream(out, stream);
    }
}

/// Images have bookmarks since this format.
const FORMAT_OF_BOOKMARKS: u32 = 3;

/// Images have what a person decided since this format.
const FORMAT_OF_DIRECTIVES: u32 = 4;

/// Images have what is owed by the vendor's history since this format.
const FORMAT_OF_HISTORY: u32 = 5;

/// Reads what [`encode`] of that format wrote.
///
/// # Errors
/// [`Malformed`] names what was expected, and where.
pub fn decode(bytes: Bytes, format: u32) -> Result<Fold, Malformed> {
    let mut take = Take::new(bytes);
    let keep_payloads = take.flag("keep payloads")?;
    let mut streams = BTreeMap::new();
    for _ in 0..take.count("streams")? {
        let id = StreamId::from(take.text("stream")?);
        streams.insert(id, decode_stream(&mut take, format)?);
    }
    take.finish()?;
    Ok(Fold { streams, keep_payloads })
}

fn encode_stream(out: &mut Vec<u8>, stream: &StreamFold) {
    // Taken apart so that a new field of the fold cannot be forgotten here.
    let StreamFold {
        epoch,
        epoch_name,
        position,
        ahead,
        bookmarks,
        anchors,
        keys,
        open_gaps,
        staged,
        snapshot_tag,
        converging_until,
        stale_before,
        covered_at,
        last_gap,
        last_snapshot,
        last_conn,
        open_conn,
        paused,
        keyed_tag,
        vouched,
        forgotten,
        history_owed,
        facts,
    } = stream;
    put::varint(out, u64::from(epoch.0));
    put::optional(out, epoch_name.as_ref(), |out, name| put::text(out, name.as_str()));
    put::optional(out, *position, put::position);
    encode_ahead(out, ahead);
    for anchor in anchors {
        put::optional(out, *anchor, |out, anchor| {
            put::position(out, anchor.position);
            put::digest(out, anchor.digest);
        });
    }
    encode_keys(out, keys.iter_unordered());
    put::varint(out, open_gaps.len() as u64);
    for gap in open_gaps.values() {
        body::encode_gap_opened(out, &gap.opened);
        put::optional(out, gap.first, put::position);
    }
    put::optional(out, staged.as_ref(), |out, staged| {
        put::varint(out, staged.snapshot.0);
        encode_keys(out, staged.items.iter());
    });
    put::optional(out, *snapshot_tag, put::position);
    put::optional(out, *converging_until, put::position);
    put::optional(out, *stale_before, |out, (offset, since)| {
        put::varint(out, offset);
        put::signed(out, since.0);
    });
    put::optional(out, *covered_at, |out, at| put::signed(out, at.0));
    put::varint(out, last_gap.0);
    put::varint(out, last_snapshot.0);
    put::varint(out, last_conn.0);
    put::optional(out, *open_conn, |out, conn| put::varint(out, conn.0));
    encode_bookmarks(out, bookmarks);
    put::optional(out, paused.as_ref(), |out, paused| {
        put::signed(out, paused.since.0);
        put::text(out, paused.by.as_str());
    });
    put::optional(out, *keyed_tag, put::position);
    put::optional(out, *vouched, put::position);
    out.push(u8::from(*forgotten));
    encode_history(out, history_owed, facts);
}

fn encode_ahead(out: &mut Vec<u8>, ahead: &Ahead) {
    put::varint(out, ahead.len() as u64);
    for (position, key, ordinal) in ahead.iter() {
        put::position(out, *position);
        put::text(out, key.as_str());
        put::varint(out, u64::from(*ordinal));
    }
}

fn decode_ahead(take: &mut Take) -> Result<Ahead, Malformed> {
    let mut ahead = Ahead::default();
    for _ in 0..take.count("ahead")? {
        let position = take.position("ahead")?;
        let key = Key::from(take.text("ahead")?);
        ahead.insert((position, key, take.narrow("ahead")?));
    }
    Ok(ahead)
}

fn encode_history(
    out: &mut Vec<u8>,
    owed: &BTreeMap<GapId, HistoryOwed>,
    facts: &BTreeMap<u128, UnixMicros>,
) {
    put::varint(out, owed.len() as u64);
    owed.values().for_each(|owed| body::encode_history_owed(out, owed));
    put::varint(out, facts.len() as u64);
    for (fact, began_at) in facts {
        put::digest(out, *fact);
        put::signed(out, began_at.0);
    }
}

fn decode_history(take: &mut Take, fold: &mut StreamFold) -> Result<(), Malformed> {
    for _ in 0..take.count("history owed")? {
        let owed = body::decode_history_owed(take)?;
        fold.history_owed.insert(owed.row.gap, owed);
    }
    for _ in 0..take.count("facts")? {
        let fact = take.digest("fact")?;
        fold.facts.insert(fact, UnixMicros(take.signed("fact began")?));
    }
    Ok(())
}

fn encode_bookmarks(out: &mut Vec<u8>, bookmarks: &Bookmarks) {
    put::varint(out, bookmarks.iter().len() as u64);
    for (sequence, bookmark) in bookmarks.iter() {
        put::varint(out, sequence);
        put::bookmark(out, bookmark);
    }
}

fn decode_stream(take: &mut Take, format: u32) -> Result<StreamFold, Malformed> {
    let epoch = Epoch(take.narrow("epoch")?);
    let epoch_name = take.optional("epoch name", |t| t.text("epoch name").map(Label::from))?;
    let position = take.optional("position", |t| t.position("position"))?;
    let ahead = decode_ahead(take)?;
    let anchors = [take_anchor(take)?, take_anchor(take)?];
    let keys = decode_keys(take)?;
    let mut open_gaps = BTreeMap::new();
    for _ in 0..take.count("open gaps")? {
        let opened = body::decode_gap_opened(take)?;
        let first = take.optional("gap's first", |t| t.position("gap's first"))?;
        open_gaps.insert(opened.gap, OpenGap { opened, first });
    }
    let staged = take.optional("staged", |t| {
        let snapshot = SnapshotId(t.varint("snapshot")?);
        Ok(Staged { snapshot, items: decode_keys(t)? })
    })?;
    let mut fold = StreamFold {
        epoch,
        epoch_name,
        position,
        ahead,
        anchors,
        keys,
        open_gaps,
        staged,
        snapshot_tag: take.optional("snapshot tag", |t| t.position("snapshot tag"))?,
        converging_until: take.optional("converging until", |t| t.position("converging until"))?,
        stale_before: take.optional("stale before", |t| {
            Ok((t.varint("stale before")?, UnixMicros(t.signed("stale before")?)))
        })?,
        covered_at: take.optional("covered at", |t| t.signed("covered at").map(UnixMicros))?,
        last_gap: GapId(take.varint("last gap")?),
        last_snapshot: SnapshotId(take.varint("last snapshot")?),
        last_conn: ConnId(take.varint("last conn")?),
        open_conn: take.optional("open conn", |t| t.varint("open conn").map(ConnId))?,
        bookmarks: Bookmarks::default(),
        paused: None,
        keyed_tag: None,
        vouched: None,
        forgotten: false,
        history_owed: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    if format >= FORMAT_OF_BOOKMARKS {
        for _ in 0..take.count("bookmarks")? {
            let sequence = take.varint("bookmark")?;
            fold.bookmarks.insert(sequence, take.bookmark("bookmark")?);
        }
    }
    if format >= FORMAT_OF_DIRECTIVES {
        fold.paused = take.optional("paused", |t| {
            let since = UnixMicros(t.signed("paused since")?);
            Ok(Paused { since, by: t.text("paused by").map(Label::from)? })
        })?;
        fold.keyed_tag = take.optional("keyed tag", |t| t.position("keyed tag"))?;
        fold.vouched = take.optional("vouched", |t| t.position("vouched"))?;
        fold.forgotten = take.flag("forgotten")?;
    }
    if format >= FORMAT_OF_HISTORY {
        decode_history(take, &mut fold)?;
    }
    Ok(fold)
}

fn take_anchor(take: &mut Take) -> Result<Option<Anchor>, Malformed> {
    take.optional("anchor", |t| {
        Ok(Anchor { position: t.position("anchor")?, digest: t.digest("anchor")? })
    })
}

fn encode_keys<'a>(
    out: &mut Vec<u8>,
    keys: impl ExactSizeIterator<Item = (&'a Key, &'a KeyState)>,
) {
    put::varint(out, keys.len() as u64);
    for (key, state) in keys {
        let KeyState { offset, version, digest, present, occurred_at, received_at, payload } =
            state;
        put::text(out, key.as_str());
        put::varint(out, *offset);
        put::optional(out, *version, put::position);
        put::digest(out, *digest);
        out.push(u8::from(*present));
        put::optional(out, *occurred_at, |out, at| put::signed(out, at.0));
        put::signed(out, received_at.0);
        put::bytes(out, payload);
    }
}

fn decode_keys<T: FromIterator<(Key, KeyState)>>(take: &mut Take) -> Result<T, Malformed> {
    let count = take.count("keys")?;
    let take_one = |_| {
        let key = Key::from(take.text("key")?);
        let state = KeyState {
            offset: take.varint("offset")?,
            version: take.optional("version", |t| t.position("version"))?,
            digest: take.digest("digest")?,
            present: take.flag("present")?,
            occurred_at: take
                .optional("occurred at", |t| t.signed("occurred at").map(UnixMicros))?,
            received_at: UnixMicros(take.signed("received at")?),
            // Copied: a slice would keep the whole image in memory for as long as one key is
            // unchanged.
            payload: Bytes::copy_from_slice(&take.bytes("payload")?),
        };
        Ok((key, state))
    };
    (0..count).map(take_one).collect()
}
