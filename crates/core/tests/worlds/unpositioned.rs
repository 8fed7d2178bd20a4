//! A source without positions: live only, an event known by what it says, hand-overs by echo.

use unbroken_core::machine::Mutant;

use super::kinds::{audited, forgetting, unpositioned};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};
use crate::world::Rules;

const OUTAGE: Budget = Budget { emits: 2, breaks: 1, crashes: 1, ..Budget::NONE };
const HANDOVER: Budget = Budget { emits: 2, closings: 1, ..Budget::NONE };

const FORGOTTEN: Budget = Budget { deletes: 1, emits: 2, ..Budget::NONE };

fn flapping() -> Rules {
    Rules { flaps: true, ..unpositioned() }
}

fn setting(name: &'static str, rules: Rules, smoke: Budget) -> Setting {
    Setting { name, rules, smoke, full: Budget { emits: smoke.emits + 1, ..smoke } }
}

pub fn world() -> Small {
    let few = Budget { emits: 1, ..HANDOVER };
    Small {
        name: "unpositioned",
        settings: vec![
            setting("outages", unpositioned(), OUTAGE),
            setting("hand-over", unpositioned(), HANDOVER),
            setting("hand-over, a socket breaks", unpositioned(), Budget { breaks: 1, ..few }),
            setting(
                "hand-over, one goes mute",
                audited(unpositioned()),
                Budget { mutes: 1, ..few },
            ),
            setting("hand-over, a frame twice", unpositioned(), Budget { duplicates: 1, ..few }),
            setting("hand-over of values that come again", flapping(), HANDOVER),
            setting(
                "deletions",
                unpositioned(),
                Budget { deletes: 1, emits: 2, closings: 0, breaks: 1, ..few },
            ),
            Setting {
                name: "deletions are forgotten",
                rules: forgetting(unpositioned()),
                smoke: FORGOTTEN,
                full: Budget { breaks: 1, ..FORGOTTEN },
            },
            Setting {
                name: "hand-over, deletions are forgotten",
                rules: forgetting(unpositioned()),
                // With the deletion half a million states: nothing for every commit.
                smoke: Budget { closings: 1, emits: 1, ..Budget::NONE },
                full: Budget { closings: 1, ..FORGOTTEN },
            },
        ],
        checks: &[
            Invariant::AtMostOnce,
            Invariant::StateIsFold,
            Invariant::NoTimeTravel,
            Invariant::GapHonesty,
            Invariant::LiveMeansLive,
            Invariant::BoundedMemory,
            Invariant::OverlapProved,
            Invariant::FinallyLive,
            Invariant::GapsClose,
            Invariant::HandoverEnds,
        ],
        steps_max: 48,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
