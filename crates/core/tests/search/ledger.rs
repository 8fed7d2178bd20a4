//! What a part of the log says of the vendor's events, by their index.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::connector::Numbering;
use unbroken_core::ids::GapId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, Change, GapCause, GapClosed, GapOpened, GapOutcome, Origin, Record,
};

use crate::world::{World, written};

/// One row of the ledger.
pub struct Row {
    opened: GapOpened,
    closed: Option<GapClosed>,
}

/// The log's first units, read.
pub struct Told<'a> {
    world: &'a World,
    records: Vec<&'a Record>,
    rows: BTreeMap<GapId, Row>,
    /// The vendor's epoch that each of ours stands for.
    epochs: BTreeMap<Epoch, u8>,
    /// The events that are in the log, by index.
    pub held: BTreeSet<usize>,
}

impl<'a> Told<'a> {
    pub fn of(world: &'a World, units: &'a [Append]) -> Self {
        let records: Vec<&Record> = units.iter().flat_map(|append| &append.records).collect();
        let mut told = Self {
            world,
            records,
            rows: BTreeMap::new(),
            epochs: BTreeMap::new(),
            held: BTreeSet::new(),
        };
        for record in told.records.clone() {
            told.read(&record.body);
        }
        told
    }

    fn read(&mut self, record: &Body) {
        match record {
            Body::GapOpened(opened) => {
                let row = Row { opened: opened.clone(), closed: None };
                self.rows.insert(opened.gap, row);
            }
            Body::GapClosed(closed) => {
                self.rows.get_mut(&closed.gap).unwrap().closed = Some(closed.clone());
            }
            Body::EpochChanged { epoch, name: Some(name) } => {
                let number = name.as_str().strip_prefix('e').and_then(|n| n.parse().ok());
                self.epochs.insert(*epoch, number.unwrap());
            }
            Body::Change(change) => self.held.extend(self.index(change)),
            _ => {}
        }
    }

    /// Which of the vendor's events a record of the stream is.
    pub fn index(&self, change: &Change) -> Option<usize> {
        index(self.world, change)
    }

    /// The events of the stream in the order of the log.
    pub fn changes(&self) -> impl Iterator<Item = &'a Change> {
        let records = self.records.clone();
        records.into_iter().filter_map(|record| match &record.body {
            Body::Change(change) if is_streamed(change) => Some(change),
            _ => None,
        })
    }

    pub fn bodies(&self) -> impl Iterator<Item = &'a Body> {
        self.records.clone().into_iter().map(|record| &record.body)
    }

    /// Events that are neither in the log nor in a row, although a client could know of them. What
    /// a subscription that has gone mute withholds shows nowhere if numbers show no holes.
    pub fn unaccounted(&self, upto: usize) -> impl Iterator<Item = usize> {
        let holes_show = self.world.rules.caps.position == Numbering::Contiguous;
        let seen = move |index: &usize| holes_show || !self.world.withheld.contains(index);
        let missing = (0..upto).filter(|index| !self.held.contains(index));
        missing.filter(seen).filter(|index| !self.is_covered(*index))
    }

    /// Events made since the record began that are not in the log.
    pub fn lost(&self) -> impl Iterator<Item = usize> {
        let begun = |row: &&Row| row.opened.cause == GapCause::Start;
        let before =
            move |index: usize| self.rows.values().filter(begun).any(|row| self.covers(row, index));
        let missing = (0..self.world.events.len()).filter(|index| !self.held.contains(index));
        missing.filter(move |index| !before(*index))
    }

    /// Whether an event's numbering was ever entered. Of two that end before either is installed
    /// the machine keeps the later one's events.
    pub fn has_entered(&self, index: usize) -> bool {
        let epoch = self.world.events[index].epoch;
        let named = self.world.rules.caps.epoch_named;
        !named || self.epochs.values().any(|entered| *entered == epoch)
    }

    /// How many events are not in the log.
    pub fn missing(&self, upto: usize) -> usize {
        (0..upto).filter(|index| !self.held.contains(index)).count()
    }

    /// How many of the vendor's events lie at or below a position.
    pub fn upto(&self, position: Position) -> usize {
        let events = &self.world.events;
        if self.world.rules.caps.position == Numbering::Opaque {
            let place = self.world.place(position);
            return events.iter().filter(|made| made.sequence <= place).count();
        }
        let epoch = self.epochs.get(&position.epoch).copied().unwrap_or(0);
        let here = (epoch, position.sequence);
        events.iter().filter(|made| (made.epoch, made.sequence) <= here).count()
    }

    /// Whether a row says that the event may be, or is, missing.
    pub fn is_covered(&self, index: usize) -> bool {
        self.rows.values().any(|row| self.covers(row, index))
    }

    fn covers(&self, row: &Row, index: usize) -> bool {
        if self.is_by_clock() {
            // The first row covers everything before it, whenever it was opened.
            let wall = index as i64 + 1;
            let begun = row.opened.cause == GapCause::Start || row.opened.wall_from.0 <= wall;
            let ended = row.closed.as_ref().is_some_and(|closed| closed.wall_to.0 < wall);
            return begun && !ended;
        }
        let (after, through) = self.interval(row);
        index >= after && through.is_none_or(|through| index < through)
    }

    /// Where positions of two numberings cannot be told apart, rows are read by their times.
    pub fn is_by_clock(&self) -> bool {
        let caps = &self.world.rules.caps;
        caps.position == Numbering::None || !caps.tells_numberings()
    }

    /// The events from the first index on and before the second are in the row; `None`: it is open.
    fn interval(&self, row: &Row) -> (usize, Option<usize>) {
        // A row that has ended may have been narrowed since.
        let after = row.closed.as_ref().map_or(row.opened.after, |closed| closed.after);
        let through = row.closed.as_ref().map(|closed| closed.through);
        if self.world.rules.caps.position == Numbering::Opaque {
            let (after, end) = self.world.interval(after, through.flatten());
            let count = |place| self.world.events.iter().filter(|m| m.sequence <= place).count();
            return (count(after), through.map(|_| count(end)));
        }
        let upto = |position: Option<Position>| position.map_or(0, |position| self.upto(position));
        (upto(after), through.map(upto))
    }

    /// An event in the log that a row says cannot be had. What was made while a row was open may
    /// have come after it, so times say nothing of this.
    pub fn overclaims(&self) -> bool {
        if self.is_by_clock() {
            return false;
        }
        let lost = |row: &&Row| {
            let closed = row.closed.as_ref();
            closed.is_some_and(|closed| closed.outcome == GapOutcome::Unrecoverable)
        };
        let mut lost = self.rows.values().filter(lost);
        lost.any(|row| self.held.iter().any(|index| self.covers(row, *index)))
    }
}

/// Which of the vendor's events a record is. Of values that come again it is not known.
pub fn index(world: &World, change: &Change) -> Option<usize> {
    let told = written(&change.payload).filter(|_| !world.rules.flaps)?;
    world.events.iter().position(|made| (made.key, made.epoch, made.value) == told)
}

pub fn is_streamed(change: &Change) -> bool {
    matches!(change.origin, Origin::Live | Origin::Replay)
}
