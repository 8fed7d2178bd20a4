//! Two processes and one log. The journal's contract is what is modelled: a second process opens
//! the log only when the first one has lost it, and begins from what is durable then; what the
//! first one still hands over is refused, and stops it. That it keeps its sockets until then is its
//! only power: where the vendor allows one connection, the two evict each other.

use unbroken_core::connector::Connections;
use unbroken_core::machine::Mutant;

use super::kinds::{contiguous, increasing, live_only, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};
use crate::world::Rules;

const SMOKE: Budget = Budget { emits: 1, breaks: 1, rivals: 1, ..Budget::NONE };
const FULL: Budget = Budget { emits: 2, purges: 1, ..SMOKE };

fn one(mut rules: Rules) -> Rules {
    rules.caps.connections = Connections::One;
    rules
}

/// The same without the fence: what the first process hands over is written.
pub fn unfenced() -> Setting {
    let rules = Rules { unfenced: true, ..contiguous() };
    Setting { name: "no fence", rules, smoke: SMOKE, full: FULL }
}

pub fn world() -> Small {
    let setting = |name, rules| Setting { name, rules, smoke: SMOKE, full: FULL };
    let evicting = Budget { emits: 1, rivals: 1, ..Budget::NONE };
    Small {
        name: "two_writers",
        settings: vec![
            setting("contiguous", contiguous()),
            Setting {
                name: "contiguous, one connection",
                rules: one(contiguous()),
                smoke: evicting,
                full: Budget { emits: 2, breaks: 1, ..evicting },
            },
            setting("increasing, confirms with a position", telling(increasing())),
            setting("live only", live_only(contiguous())),
        ],
        checks: &[
            Invariant::CursorCovered,
            Invariant::AtMostOnce,
            Invariant::OneWriter,
            Invariant::GapHonesty,
            Invariant::ResumeFromDurable,
            Invariant::FinallyLive,
        ],
        steps_max: 32,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
