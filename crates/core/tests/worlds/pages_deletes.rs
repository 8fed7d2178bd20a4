//! Snapshots of two pages between which rows move, deletions, caches, pages that fail.

use unbroken_core::connector::{Coverage, Paging};
use unbroken_core::machine::Mutant;

use super::kinds::{audited, cached, contiguous, forgetting, increasing, live_only, telling};
use super::{Setting, Size, Small};
use crate::search::{Budget, Invariant, Outcome};
use crate::world::Rules;

const SMOKE: Budget = Budget { emits: 3, deletes: 1, breaks: 1, ..Budget::NONE };
const FULL: Budget = Budget { emits: 4, page_failures: 1, ..SMOKE };
const REFUSED: Budget = Budget { purges: 1, ..SMOKE };
const DROPPED: Budget = Budget { emits: 2, drops: 1, resyncs: 1, ..Budget::NONE };
const STALE: Budget = Budget { stale_pages: 1, ..SMOKE };

fn paged(mut rules: Rules, paging: Paging) -> Rules {
    rules.caps.paging = paging;
    rules.two_pages = true;
    rules
}

/// One key of two is too many to go missing at once.
fn careful(mut rules: Rules) -> Rules {
    rules.timing.mass_delete_min = 1;
    rules
}

/// Numbers with holes, of which only a part is ours.
fn partly() -> Rules {
    let mut rules = telling(increasing());
    rules.caps.coverage = Coverage::Filtered;
    rules
}

pub fn world() -> Small {
    let setting = |name, rules, smoke, full| Setting { name, rules, smoke, full };
    let beside = || live_only(contiguous());
    let filtered = telling(increasing());
    Small {
        name: "pages_deletes",
        settings: vec![
            setting("by row number", paged(beside(), Paging::Offset), SMOKE, FULL),
            setting("by key", paged(beside(), Paging::Keyed), SMOKE, FULL),
            setting("of a frozen snapshot", paged(beside(), Paging::SnapshotId), SMOKE, FULL),
            setting(
                "by row number, before the subscription",
                paged(contiguous(), Paging::Offset),
                Budget { emits: 2, ..REFUSED },
                Budget { emits: 3, ..REFUSED },
            ),
            setting(
                "by key, before the subscription",
                paged(filtered, Paging::Keyed),
                Budget { emits: 2, ..REFUSED },
                Budget { emits: 3, ..REFUSED },
            ),
            setting("from a cache", cached(beside()), Budget { emits: 2, ..STALE }, STALE),
            setting(
                "from a cache, before the subscription",
                cached(contiguous()),
                Budget { emits: 2, purges: 1, ..STALE },
                Budget { purges: 1, ..STALE },
            ),
            setting(
                "deletions are forgotten",
                forgetting(live_only(increasing())),
                Budget { emits: 2, ..SMOKE },
                SMOKE,
            ),
            setting("deletions are asked about", careful(beside()), SMOKE, FULL),
            setting("an event is dropped, and a person looks", audited(partly()), DROPPED, {
                Budget { breaks: 1, ..DROPPED }
            }),
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
            Invariant::FinallyLive,
            Invariant::GapsClose,
            Invariant::NoFruitlessResync,
        ],
        steps_max: 40,
    }
}

pub fn run(size: Size, mutant: Option<Mutant>) -> Outcome {
    world().run(size, mutant)
}
