//! The vendor's numbering begins again, under another name or without one.

use unbroken_core::machine::Mutant;

use super::kinds::{cached, clamping, contiguous, increasing, live_only, nameless, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};

const SMOKE: Budget = Budget { emits: 2, resets: 1, breaks: 1, ..Budget::NONE };
const FULL: Budget = Budget { emits: 3, crashes: 1, ..SMOKE };
const STALE: Budget = Budget { stale_pages: 1, breaks: 0, ..SMOKE };
const GONE: Budget = Budget { purges: 1, ..SMOKE };

pub fn world() -> Small {
    let setting = |name, rules| Setting { name, rules, smoke: SMOKE, full: FULL };
    let stale = |name, rules| Setting {
        name,
        rules,
        smoke: STALE,
        full: Budget { emits: 3, breaks: 1, ..STALE },
    };
    let gone =
        |name, rules| Setting { name, rules, smoke: GONE, full: Budget { emits: 3, ..GONE } };
    Small {
        name: "epochs",
        settings: vec![
            setting("named, contiguous", contiguous()),
            setting("named, contiguous, clamps", clamping(contiguous())),
            setting("named, increasing, confirms with a position", telling(increasing())),
            gone("named, contiguous, clamps, forgets", clamping(contiguous())),
            gone("named, increasing, clamps, forgets", clamping(increasing())),
            setting("named, live only", live_only(contiguous())),
            stale("named, rows from a cache", cached(contiguous())),
            stale("named, live only, rows from a cache", cached(live_only(contiguous()))),
            setting("hidden, contiguous", nameless(contiguous())),
            setting("hidden, contiguous, clamps", nameless(clamping(contiguous()))),
            setting("hidden, increasing", nameless(increasing())),
            setting(
                "hidden, increasing, confirms with a position",
                nameless(telling(increasing())),
            ),
            setting("hidden, live only", nameless(live_only(contiguous()))),
        ],
        checks: &[
            Invariant::CursorCovered,
            Invariant::AtMostOnce,
            Invariant::NoTimeTravel,
            Invariant::EpochFence,
            Invariant::GapHonesty,
            Invariant::LiveMeansLive,
            Invariant::OverlapProved,
            Invariant::FinallyLive,
            Invariant::GapsClose,
        ],
        steps_max: 40,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
