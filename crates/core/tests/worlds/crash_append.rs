//! The process dies, with units on their way to the disk, at any moment of a recovery.

use unbroken_core::connector::Ack;
use unbroken_core::machine::Mutant;

use super::kinds::{clamping, contiguous, increasing, live_only, opaque, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};

const FULL: Budget = Budget { emits: 3, purges: 1, breaks: 1, crashes: 1, ..Budget::NONE };
const SMOKE: Budget = Budget { emits: 2, ..FULL };

pub fn world() -> Small {
    let setting = |name, rules| Setting { name, rules, smoke: SMOKE, full: FULL };
    let mut opaque_plain = clamping(opaque());
    opaque_plain.caps.ack = Ack::Plain;
    Small {
        name: "crash_append",
        settings: vec![
            setting("contiguous, refuses", contiguous()),
            setting("contiguous, clamps", clamping(contiguous())),
            setting("increasing, confirms with a position, refuses", telling(increasing())),
            setting("increasing, clamps", clamping(increasing())),
            setting("live only", live_only(contiguous())),
            setting("opaque, confirms with its place, refuses", opaque()),
            setting("opaque, confirms with its place, clamps", clamping(opaque())),
            setting("opaque, clamps", opaque_plain),
            Setting {
                name: "opaque, live only",
                rules: live_only(opaque()),
                smoke: Budget { crashes: 0, ..FULL },
                full: Budget { emits: 4, purges: 0, crashes: 0, ..FULL },
            },
        ],
        checks: &[
            Invariant::CursorCovered,
            Invariant::AtMostOnce,
            Invariant::StateIsFold,
            Invariant::NoTimeTravel,
            Invariant::AtomicInstall,
            Invariant::GapHonesty,
            Invariant::LiveMeansLive,
            Invariant::BoundedMemory,
            Invariant::OverlapProved,
            Invariant::ResumeFromDurable,
            Invariant::NothingReceivedIsDropped,
            Invariant::FinallyLive,
            Invariant::GapsClose,
        ],
        steps_max: 40,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
