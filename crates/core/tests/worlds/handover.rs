//! Two connections: a planned close, frames in any order across both, either of them dying.

use unbroken_core::connector::Connections;
use unbroken_core::machine::Mutant;

use super::kinds::{audited, clamping, contiguous, increasing, live_only, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};
use crate::world::Rules;

const SMOKE: Budget = Budget { emits: 2, closings: 1, breaks: 1, ..Budget::NONE };
const FULL: Budget = Budget { emits: 3, duplicates: 1, ..SMOKE };

fn one(mut rules: Rules) -> Rules {
    rules.caps.connections = Connections::One;
    rules
}

pub fn world() -> Small {
    let setting = |name, rules, smoke, full| Setting { name, rules, smoke, full };
    let mute = Budget { emits: 2, closings: 1, mutes: 1, ..Budget::NONE };
    let refused = Budget { emits: 2, closings: 1, refusals: 1, ..Budget::NONE };
    Small {
        name: "handover",
        settings: vec![
            setting("contiguous", contiguous(), SMOKE, FULL),
            setting("increasing, confirms with a position", telling(increasing()), SMOKE, FULL),
            setting("increasing", increasing(), SMOKE, FULL),
            setting(
                "increasing, begins later without a word",
                clamping(increasing()),
                Budget { purges: 1, breaks: 0, ..SMOKE },
                Budget { purges: 1, ..SMOKE },
            ),
            setting("live only", live_only(contiguous()), SMOKE, FULL),
            setting("one connection", one(contiguous()), SMOKE, FULL),
            setting(
                "one of them goes mute",
                audited(contiguous()),
                mute,
                Budget { emits: 3, ..mute },
            ),
            setting(
                "the second is refused",
                contiguous(),
                refused,
                Budget { emits: 3, breaks: 1, ..refused },
            ),
        ],
        checks: &[
            Invariant::CursorCovered,
            Invariant::AtMostOnce,
            Invariant::NoTimeTravel,
            Invariant::GapHonesty,
            Invariant::LiveMeansLive,
            Invariant::BoundedMemory,
            Invariant::NothingReceivedIsDropped,
            Invariant::FinallyLive,
            Invariant::HandoverEnds,
        ],
        steps_max: 40,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
