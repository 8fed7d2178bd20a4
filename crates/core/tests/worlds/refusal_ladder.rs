//! Positions that are refused, with a floor or without, answered with a close or with silence.

use unbroken_core::connector::{Floor, Replay};
use unbroken_core::machine::Mutant;

use super::kinds::{audited, cached, contiguous, increasing, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};
use crate::world::{OnOld, Rules};

const EMITS: Budget = Budget { emits: 2, purges: 1, breaks: 1, ..Budget::NONE };

fn with_floor(mut rules: Rules) -> Rules {
    rules.caps.floor = Floor::Announced;
    Rules { on_old: OnOld::RefuseWithFloor, ..rules }
}

fn head_only(mut rules: Rules) -> Rules {
    rules.caps.replay = Replay::HeadOnly;
    rules.caps.rest_first = true;
    rules
}

/// The head is read before any handshake.
fn rest_first(mut rules: Rules) -> Rules {
    rules.caps.rest_first = true;
    rules
}

fn setting(name: &'static str, rules: Rules, smoke: Budget) -> Setting {
    Setting { name, rules, smoke, full: Budget { emits: smoke.emits + 1, ..smoke } }
}

pub fn world() -> Small {
    let refused = Budget { refusals: 2, ..EMITS };
    let poisoned = Budget { emits: 2, poisons: 2, ..Budget::NONE };
    Small {
        name: "refusal_ladder",
        settings: vec![
            setting("a floor is named", with_floor(contiguous()), EMITS),
            setting("a floor is named, numbers with holes", with_floor(increasing()), EMITS),
            setting("only the head", head_only(contiguous()), EMITS),
            setting("the head first, from a cache", rest_first(cached(contiguous())), {
                Budget { stale_pages: 1, ..EMITS }
            }),
            setting("what was just issued is refused", contiguous(), refused),
            setting("what was just issued is refused, with holes", telling(increasing()), refused),
            setting("confirmed and closed", contiguous(), Budget { idle_closes: 2, ..EMITS }),
            Setting {
                name: "confirmed and mute",
                rules: audited(contiguous()),
                smoke: Budget { mutes: 1, breaks: 0, ..EMITS },
                full: Budget { mutes: 2, ..EMITS },
            },
            Setting {
                name: "bytes that nobody can read",
                rules: audited(contiguous()),
                smoke: Budget { emits: 3, poisons: 1, ..poisoned },
                full: Budget { emits: 3, ..poisoned },
            },
            setting("bytes that nobody can read, with holes", telling(increasing()), poisoned),
            setting(
                "bytes that nobody can read, and history is forgotten",
                telling(increasing()),
                Budget { emits: 3, poisons: 1, breaks: 0, ..EMITS },
            ),
        ],
        checks: &[
            Invariant::CursorCovered,
            Invariant::AtMostOnce,
            Invariant::GapHonesty,
            Invariant::LiveMeansLive,
            Invariant::OverlapProved,
            Invariant::ResumeFromDurable,
            Invariant::FinallyLive,
            Invariant::GapsClose,
            Invariant::ProgressPastPoison,
            Invariant::NoFruitlessResync,
        ],
        steps_max: 48,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
