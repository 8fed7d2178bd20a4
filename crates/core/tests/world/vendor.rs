//! What the vendor does: its log, its subscriptions, its pages.

use std::collections::BTreeMap;

use unbroken_core::connector::{
    Ack, Class, Decoded, Event, Failure, Item, Numbering, Page, Replay, Row, SnapshotKind,
};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::Input;
use unbroken_core::record::{Closer, digest};
use unbroken_core::time::UnixMicros;

use super::{Made, OnOld, World, body, bookmark, key};

impl World {
    pub fn emit(&mut self, key: u8) {
        self.emit_as(key, false);
    }

    pub fn emit_as(&mut self, key: u8, deleted: bool) {
        let step = match self.rules.caps.position {
            Numbering::Increasing => 2,
            Numbering::None | Numbering::Contiguous | Numbering::Opaque => 1,
        };
        let base = self.events.last().filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence);
        let sequence = base + step;
        let before = self.events.iter().filter(|made| made.key == key).count() as u64;
        let value = if self.rules.flaps { before % 2 } else { sequence };
        let made = Made { key, deleted, epoch: self.epoch, sequence, value, at: self.now };
        self.events.push(made);
        let frame = self.frame(&made);
        for sock in self.socks.values_mut().filter(|s| s.subscribed) {
            if sock.mute {
                self.withheld.insert(self.events.len() - 1);
            } else {
                sock.queue.push_back(frame.clone());
            }
        }
    }

    pub fn frame(&self, made: &Made) -> Decoded {
        let opaque = self.rules.caps.position == Numbering::Opaque;
        let numbered = self.rules.caps.position != Numbering::None && !opaque;
        let payload = body(made);
        let event = Event {
            key: key(made.key),
            sequence: numbered.then_some(made.sequence),
            bookmark: opaque.then(|| bookmark(made.sequence)),
            event_id: None,
            kind: None,
            deleted: made.deleted,
            occurred_at: self.time_of(made),
            digest: if made.deleted { 0 } else { digest(&payload) },
            identity: self.identity(made),
            payload,
        };
        let epoch = self.epoch_name(made.epoch);
        Decoded { subscription: None, epoch, items: vec![Item::Event(event)] }
    }

    /// Of all that the vendor says of an event: its time, too, if it says one.
    fn identity(&self, made: &Made) -> u128 {
        let time = self.time_of(made).map_or(0, |at| at.0 as u128);
        if made.deleted { time } else { digest(&body(made)).wrapping_add(time) }
    }

    fn time_of(&self, made: &Made) -> Option<UnixMicros> {
        let index = self.events.iter().position(|known| known == made).filter(|_| self.rules.times);
        index.map(|index| UnixMicros(index as i64 + 1))
    }

    pub fn epoch_name(&self, epoch: u8) -> Option<Label> {
        self.rules.caps.epoch_named.then(|| Label::new(format!("e{epoch}")))
    }

    /// The vendor's numbering begins again; its sockets break, if its rules say nothing else.
    pub fn reset_epoch(&mut self) {
        self.epoch += 1;
        self.floor = self.events.len();
        if self.rules.keeps_socks {
            return;
        }
        for conn in self.socks.keys().copied().collect::<Vec<_>>() {
            self.break_sock(conn);
        }
    }

    pub fn purge(&mut self) {
        self.floor = self.events.len();
    }

    pub fn head(&self) -> u64 {
        self.events.last().filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence)
    }

    /// The handshake of a socket is accepted.
    pub fn accept(&mut self, conn: ConnId) {
        self.socks.get_mut(&conn).unwrap().opened = true;
        self.give(Input::Opened { conn });
    }

    /// The vendor answers a subscription.
    pub fn answer(&mut self, conn: ConnId) {
        let asked = self.socks.get_mut(&conn).unwrap().asked.take().unwrap();
        let len = self.events.len();
        let start = match asked.filter(|_| self.rules.caps.replay != Replay::None) {
            None => Ok(len),
            Some(after) => {
                let in_epoch = |e: &Made| e.epoch == self.epoch;
                let found = self.events.iter().position(|e| in_epoch(e) && e.sequence > after);
                let start = found.unwrap_or(len);
                let known = after <= self.head();
                match (start >= self.floor && known, self.rules.on_old) {
                    (true, _) => Ok(start),
                    (false, OnOld::Clamp) => Ok(self.floor),
                    (false, _) => Err(()),
                }
            }
        };
        match start {
            Ok(start) => self.subscribe(conn, start),
            Err(()) => self.refuse(conn),
        }
    }

    fn subscribe(&mut self, conn: ConnId, start: usize) {
        let opaque = self.rules.caps.position == Numbering::Opaque;
        let position =
            (self.rules.caps.ack == Ack::WithPosition).then(|| self.sequence_before(start));
        let said = position.filter(|_| opaque).map(|at| Item::Bookmark { at: bookmark(at) });
        let position = position.filter(|_| !opaque);
        let ack = Decoded {
            subscription: None,
            epoch: self.epoch_name(self.epoch),
            items: said.into_iter().chain([Item::Ack { position }]).collect(),
        };
        let replay: Vec<_> = self.events[start..].iter().map(|made| self.frame(made)).collect();
        let sock = self.socks.get_mut(&conn).unwrap();
        sock.subscribed = true;
        sock.start = start;
        if self.rules.caps.ack != Ack::None {
            sock.queue.push_back(ack);
        }
        if !sock.mute {
            sock.queue.extend(replay);
        }
    }

    fn sequence_before(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).and_then(|i| self.events.get(i));
        before.filter(|e| e.epoch == self.epoch).map_or(0, |e| e.sequence)
    }

    pub fn refuse(&mut self, conn: ConnId) {
        let floor =
            (self.rules.on_old == OnOld::RefuseWithFloor).then(|| self.sequence_before(self.floor));
        let what = Label::from("stale");
        let failure = Failure { class: Class::Stale { floor }, code: None, what };
        let refusal = Decoded { items: vec![Item::Refusal(failure)], ..Decoded::default() };
        self.socks.get_mut(&conn).unwrap().queue.push_back(refusal);
    }

    /// The next frame of a socket arrives.
    pub fn deliver(&mut self, conn: ConnId) {
        let decoded = self.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        if self.still && decoded.items.is_empty() {
            // A pong takes its time: it is heard after what it follows.
            self.now = self.now + 1;
        }
        for item in &decoded.items {
            if let Item::Event(event) = item {
                let made = self.events.iter().find(|made| body(made) == event.payload);
                self.received.extend(made.map(|made| (made.epoch, made.sequence)));
            }
        }
        self.give(Input::Frame { conn, decoded });
    }

    pub fn break_sock(&mut self, conn: ConnId) {
        self.socks.remove(&conn);
        let what = Label::from("reset");
        let failure = Failure { class: Class::Retry { after_ms: None }, code: None, what };
        self.give(Input::Closed { conn, by: Closer::Transport, failure });
    }

    /// The vendor answers the oldest page request as of its log's first `upto` events.
    pub fn page(&mut self, upto: usize) {
        let (request, what) = self.pages.remove(0);
        let page = self.page_of(upto, &what);
        self.shown = Some(self.shown.map_or(upto, |shown| shown.min(upto)));
        self.give(Input::Page { request, page });
    }

    pub fn page_at(&self, upto: usize, rows: bool) -> Page {
        let positioned = self.rules.caps.snapshot == SnapshotKind::Positioned;
        let state = self.truth(upto);
        let rows = state.iter().filter(|_| rows).filter_map(|(k, made)| made.map(|m| (k, m)));
        let rows: Vec<Row> = rows
            .map(|(k, made)| Row {
                key: key(*k),
                version: None,
                occurred_at: self.time_of(&made),
                digest: digest(&body(&made)),
                payload: body(&made),
            })
            .collect();
        let epoch = upto.checked_sub(1).map_or(0, |i| self.events[i].epoch);
        let epoch = if upto == self.events.len() { self.epoch } else { epoch };
        let tag = self.events[..upto].last().filter(|e| e.epoch == epoch).map_or(0, |e| e.sequence);
        let opaque = self.rules.caps.position == Numbering::Opaque;
        Page {
            epoch: self.epoch_name(epoch),
            tag: (positioned && !opaque).then_some(tag),
            bookmark: (positioned && opaque).then(|| bookmark(tag)),
            total: Some(rows.len() as u64),
            rows,
            ..Page::default()
        }
    }

    /// How many events any answer of the snapshot shows at least: it is no older than declared.
    pub fn surely_shown(&self) -> usize {
        let staleness_ms = self.rules.caps.snapshot_staleness_ms_max;
        self.events.iter().take_while(|e| e.at + staleness_ms <= self.now).count()
    }

    /// The vendor's state after its first `upto` events.
    pub fn truth(&self, upto: usize) -> BTreeMap<u8, Option<Made>> {
        let mut state = BTreeMap::new();
        for made in &self.events[..upto] {
            state.insert(made.key, (!made.deleted).then_some(*made));
        }
        state
    }
}
