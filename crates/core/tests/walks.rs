//! Goal: long random histories of an opaque stream lose nothing that is not on the ledger. The
//! model is exhaustive and short; this is neither.

use std::collections::BTreeSet;

use crate::world::{OnOld, Rules, World, contiguous};
use unbroken_core::connector::{Ack, Numbering, Replay};
use unbroken_core::record::GapOutcome;

fn opaque() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = Ack::WithPosition;
    rules.caps.epoch_named = false;
    rules
}

struct Walk {
    state: u64,
    world: World,
}

impl Walk {
    fn dice(&mut self, below: u64) -> u64 {
        let (factor, term) = (6_364_136_223_846_793_005_u64, 1_442_695_040_888_963_407);
        self.state = self.state.wrapping_mul(factor).wrapping_add(term);
        (self.state >> 33) % below
    }

    fn step(&mut self) {
        let roll = self.dice(100);
        let key = self.dice(3) as u8;
        let world = &mut self.world;
        match roll {
            0..=34 => world.emit(key),
            35..=37 => world.purge(),
            38..=41 if !world.socks.is_empty() => world.break_sock(world.sole_conn()),
            42..=43 => {
                let survivors = (world.log.len() - world.durable) / 2;
                world.crash(survivors);
            }
            44..=50 if !world.step() => world.tick(),
            _ => {
                world.step();
            }
        }
    }
}

fn judge(world: &World, seed: u64) {
    world.assert_state_is_the_vendors();
    let changes = world.changes();
    let held: Vec<u64> = changes.iter().filter_map(|c| world.place_of_change(c)).collect();
    let unique: BTreeSet<u64> = held.iter().copied().collect();
    assert_eq!(unique.len(), held.len(), "seed {seed}: an event is in the log twice");
    let rows = world.ledger();
    let intervals: Vec<_> = rows.iter().map(|r| (r, world.interval(r.after, r.through))).collect();
    for place in 1..=world.head() {
        let inside = |(after, through): &(u64, u64)| place > *after && place <= *through;
        let covered = intervals.iter().any(|(_, interval)| inside(interval));
        let held = unique.contains(&place);
        assert!(held || covered, "seed {seed}: {place} is neither held nor covered: {rows:?}");
        let given_up = |(row, interval): &(&unbroken_core::record::GapClosed, (u64, u64))| {
            row.outcome == GapOutcome::Unrecoverable && inside(interval)
        };
        assert!(!held || !intervals.iter().any(given_up), "seed {seed}: {place} is given up");
    }
}

fn walk(rules: &Rules, seeds: std::ops::Range<u64>) {
    let mut rows = 0;
    for seed in seeds {
        let mut walk = Walk { state: seed, world: World::new(rules.clone()) };
        walk.world.keep_reports = false;
        for _ in 0..400 {
            walk.step();
        }
        walk.world.run_to_live();
        walk.world.emit(0);
        walk.world.settle();
        judge(&walk.world, seed);
        rows += walk.world.ledger().len();
    }
    assert!(rows > 200, "too little happened: {rows} rows");
}

#[test]
fn an_opaque_stream_whose_vendor_refuses() {
    walk(&opaque(), 0..200);
}

#[test]
fn an_opaque_stream_whose_vendor_begins_where_it_can() {
    walk(&Rules { on_old: OnOld::Clamp, ..opaque() }, 200..400);
}

#[test]
fn an_opaque_stream_whose_confirmation_says_nothing() {
    let mut rules = opaque();
    rules.caps.ack = Ack::Plain;
    walk(&rules, 400..500);
    walk(&Rules { on_old: OnOld::Clamp, ..rules }, 500..600);
}

#[test]
fn an_opaque_stream_that_cannot_be_resumed() {
    let mut rules = opaque();
    rules.caps.replay = Replay::None;
    walk(&rules, 600..700);
}
