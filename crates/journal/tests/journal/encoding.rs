//! Every record comes back as it was, and no bytes make decoding panic.

use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::directive::{Act, Directive};
use unbroken_core::ids::{AppendId, ConnId, GapId, Key, Label, SnapshotId, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened,
    GapOutcome, HistoryOwed, Mark, Origin, Quarantined, Record, SnapshotBegin, SnapshotEnd, Turn,
    Witness,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::codec::{decode_records, encode_records};
use unbroken_journal::simdisk::Dice;

const KINDS: u64 = 15;

/// Any value of every type, the extremes among them.
struct Any(Dice);

impl Any {
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.below(of.len() as u64) as usize]
    }

    fn number(&mut self) -> u64 {
        let shift = self.0.below(65);
        self.0.roll().checked_shr(shift as u32).unwrap_or(0)
    }

    fn flag(&mut self) -> bool {
        self.0.chance(50)
    }

    fn text(&mut self) -> String {
        let texts = ["", "a", "agent-17", "Zoë/ü", "\u{1F9F5}", "0\0\n"];
        let text = self.pick(&texts).to_owned();
        if self.0.chance(5) { text.repeat(200) } else { text }
    }

    fn bytes(&mut self) -> Bytes {
        let len = self.0.below(300);
        (0..len).map(|_| self.0.roll() as u8).collect()
    }

    fn time(&mut self) -> UnixMicros {
        UnixMicros(self.number() as i64)
    }

    fn digest(&mut self) -> u128 {
        (u128::from(self.number()) << 64) | u128::from(self.number())
    }

    fn position(&mut self) -> Position {
        Position::new(Epoch(self.number() as u32), self.number())
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| value(self))
    }

    fn bookmark(&mut self) -> Bookmark {
        let text = format!("{}.", self.text());
        Bookmark::new(text.as_bytes()).unwrap()
    }

    fn cause(&mut self) -> GapCause {
        use GapCause::{
            Clamped, Drift, EpochChanged, Hole, Mute, NoReplay, Operator, Partial, Poison, Refused,
            Start, Unproven,
        };
        self.pick(&[
            Start,
            Refused,
            Clamped,
            NoReplay,
            Unproven,
            EpochChanged,
            Hole,
            Drift,
            Mute,
            Poison,
            Partial,
            Operator,
        ])
    }

    fn change(&mut self) -> Change {
        use Origin::{Backfill, Live, Replay, Snapshot, Synthetic};
        Change {
            key: Key::from(self.text().as_str()),
            position: self.maybe(Self::position),
            bookmark: self.maybe(Self::bookmark),
            ordinal: self.number() as u16,
            event_id: self.maybe(|any| Label::from(any.text().as_str())),
            kind: self.maybe(|any| Label::from(any.text().as_str())),
            deleted: self.flag(),
            origin: self.pick(&[Live, Replay, Snapshot, Backfill, Synthetic]),
            effect: self.pick(&[Effect::State, Effect::History]),
            occurred_at: self.maybe(Self::time),
            digest: self.digest(),
            payload: self.bytes(),
        }
    }

    fn end(&mut self) -> SnapshotEnd {
        use Witness::{AckPosition, Assumed, Contiguous, FirstEvent, HeadUnmoved, Resumed};
        SnapshotEnd {
            snapshot: SnapshotId(self.number()),
            count: self.number(),
            rows: self.number(),
            digest: self.digest(),
            tag: self.maybe(Self::position),
            rows_are_state: self.flag(),
            keyed: self.flag(),
            converging_until: self.maybe(Self::position),
            witness: self.pick(&[
                AckPosition,
                Contiguous,
                FirstEvent,
                Resumed,
                HeadUnmoved,
                Assumed,
            ]),
        }
    }

    fn gap_closed(&mut self) -> GapClosed {
        use GapOutcome::{Drift, Repaired, Summarised, Unproven, Unrecoverable};
        GapClosed {
            gap: GapId(self.number()),
            outcome: self.pick(&[Repaired, Summarised, Unproven, Unrecoverable, Drift]),
            after: self.maybe(Self::position),
            through: self.maybe(Self::position),
            wall_from: self.time(),
            wall_to: self.time(),
            cause: self.cause(),
            closed_by: self.maybe(|any| SnapshotId(any.number())),
            reconciled: self.flag(),
        }
    }

    fn key(&mut self) -> Key {
        Key::from(self.text().as_str())
    }

    fn act(&mut self) -> Act {
        match self.0.below(4) {
            0 => Act::Pause,
            1 => Act::Resume,
            2 => {
                Act::SetPosition { position: self.position(), bookmark: self.maybe(Self::bookmark) }
            }
            _ => Act::ForgetPosition { epoch: Epoch(self.number() as u32) },
        }
    }

    fn body(&mut self, kind: u64) -> Body {
        match kind {
            0 => Body::Change(self.change()),
            1 => Body::SnapshotBegin(SnapshotBegin {
                snapshot: SnapshotId(self.number()),
                tag: self.maybe(Self::position),
                rows_are_state: self.flag(),
                keys: self.maybe(|any| (0..any.0.below(4)).map(|_| any.key()).collect()),
            }),
            2 => Body::SnapshotItem { snapshot: SnapshotId(self.number()), change: self.change() },
            3 => Body::SnapshotEnd(self.end()),
            4 => Body::SnapshotAbort { snapshot: SnapshotId(self.number()) },
            5 => Body::GapOpened(GapOpened {
                gap: GapId(self.number()),
                after: self.maybe(Self::position),
                wall_from: self.time(),
                cause: self.cause(),
            }),
            6 => Body::GapClosed(self.gap_closed()),
            7 => Body::Progress { position: self.position(), bookmark: self.maybe(Self::bookmark) },
            8 => Body::EpochChanged {
                epoch: Epoch(self.number() as u32),
                name: self.maybe(|any| Label::from(any.text().as_str())),
            },
            9 => Body::Quarantined(Quarantined {
                conn: self.maybe(|any| ConnId(any.number())),
                reason: Label::from(self.text().as_str()),
                length: self.number(),
                digest: self.digest(),
                bytes: self.bytes(),
            }),
            10 => Body::Connection(ConnectionTurn {
                conn: ConnId(self.number()),
                turn: self.pick(&[Turn::Opened, Turn::Live, Turn::Doubted, Turn::Closed]),
                by: self.pick(&[Closer::Vendor, Closer::Us, Closer::Transport]),
                why: Label::from(self.text().as_str()),
            }),
            11 => Body::Directive(Directive {
                act: self.act(),
                by: Label::from(self.text().as_str()),
                why: Label::from(self.text().as_str()),
            }),
            12 => Body::HistoryOwed(HistoryOwed { row: self.gap_closed(), since: self.time() }),
            13 => Body::HistoryForgone {
                gap: GapId(self.number()),
                why: Label::from(self.text().as_str()),
            },
            _ => Body::Forgotten { key: self.key() },
        }
    }

    fn append(&mut self, first_kind: u64) -> Append {
        // More streams than a batch remembers words.
        let stream = |any: &mut Self| StreamId::from(format!("s/{}", any.0.below(90)).as_str());
        let records = (0..self.0.below(30)).map(|i| Record {
            stream: stream(self),
            received_at: self.time(),
            body: self.body((first_kind + i) % KINDS),
        });
        let records = records.collect();
        let mark = self.maybe(|any| Mark { stream: stream(any), position: any.position() });
        Append { id: AppendId(1), records, mark }
    }
}

/// What the encoding keeps of marks: per stream and epoch the highest.
fn marks_kept(appends: &[Append]) -> Vec<Mark> {
    let mut kept: Vec<Mark> = Vec::new();
    for mark in appends.iter().filter_map(|append| append.mark.clone()) {
        let same = |held: &&mut Mark| {
            held.stream == mark.stream && held.position.epoch == mark.position.epoch
        };
        match kept.iter_mut().find(same) {
            Some(held) => held.position = held.position.max(mark.position),
            None => kept.push(mark),
        }
    }
    kept
}

#[test]
fn every_record_comes_back_as_it_was() {
    for seed in 0..2_000 {
        let mut any = Any(Dice::new(seed));
        let appends: Vec<Append> = (0..3).map(|i| any.append(seed + i)).collect();
        let mut bytes = Vec::new();
        let encoded = encode_records(&mut bytes, &appends);
        let (records, marks) = decode_records(Bytes::from(bytes), encoded).unwrap();
        let written: Vec<Record> =
            appends.iter().flat_map(|append| append.records.clone()).collect();
        assert_eq!(records, written, "seed {seed}");
        assert_eq!(marks, marks_kept(&appends), "seed {seed}");
    }
}

#[test]
fn no_bytes_make_decoding_panic() {
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..3_000 {
        let mut any = Any(Dice::new(seed));
        let appends = [any.append(seed)];
        let mut bytes = Vec::new();
        let mut encoded = encode_records(&mut bytes, &appends);
        match any.0.below(4) {
            0 => bytes.truncate(any.0.below(bytes.len() as u64 + 1) as usize),
            1 => bytes = any.bytes().to_vec(),
            2 => encoded.records = any.number() as u32,
            _ => {
                for _ in 0..=any.0.below(3) {
                    let at = any.0.below(bytes.len() as u64) as usize;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << any.0.below(8);
                    }
                }
            }
        }
        match decode_records(Bytes::from(bytes), encoded) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    // A changed payload is still an encoding; the batch's checksum is what refuses it.
    assert!(refused > 1_000 && accepted > 100, "{refused} refused, {accepted} accepted");
}
