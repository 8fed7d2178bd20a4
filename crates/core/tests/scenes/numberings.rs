//! Numberings that begin again where nothing names them, and streams that begin later than asked.

use unbroken_core::connector::Ack;
use unbroken_core::machine::Mutant;

use super::{Scene, Verdict, calm, increasing, judge, live};
use crate::world::{OnOld, Rules, contiguous};

pub const SCENES: &[Scene] = &[
    Scene { name: "a numbering without a name begins again", play: hidden },
    Scene { name: "a numbering with a name begins again", play: named },
    Scene { name: "a confirmation from later than asked", play: clamped },
];

fn hidden(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    begin_again(rules, mutant)
}

/// The new numbering has come past the place that is held.
fn begin_again(rules: Rules, mutant: Option<Mutant>) -> Verdict {
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.emit(1);
    world.settle();
    world.reset_epoch();
    for k in [0, 1, 2, 0, 1] {
        world.emit(k);
    }
    calm(&mut world)?;
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}

fn named(mutant: Option<Mutant>) -> Verdict {
    begin_again(contiguous(), mutant)
}

fn clamped(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    rules.on_old = OnOld::Clamp;
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}
