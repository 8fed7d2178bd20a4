//! What may be claimed for which source: what is claimed holds in every schedule, and what is not
//! claimed has a schedule that shows why. The table stands in `docs/reference/promises.md`.

use std::fmt::{Display, Formatter, Result as Written};

use unbroken_core::connector::{Ack, Replay, SnapshotKind};

use super::Size;
use super::kinds::{
    audited, clamping, contiguous, increasing, live_only, nameless, opaque, telling, unpositioned,
};
use crate::search::{Budget, Outcome, Told, find, shows_state};
use crate::world::{Rules, World};

/// What becomes of events made since the record began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// Each is in the record.
    Every,
    /// One may be missing, and then a row of the ledger says so.
    OrARow,
    /// One may be missing, and no row says so.
    Unseen,
}

/// What is shown as Live when nothing is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// What the vendor shows.
    Current,
    /// It may differ; `Behind` says until when.
    Behind(&'static str),
}

/// One line of the table.
pub struct Claim {
    pub source: &'static str,
    pub weather: &'static str,
    pub rules: Rules,
    pub budget: Budget,
    pub events: Events,
    pub state: State,
}

const OUTAGE: Budget = Budget { emits: 2, breaks: 1, ..Budget::NONE };
const GONE: Budget = Budget { purges: 1, ..OUTAGE };
const RESET: Budget = Budget { emits: 2, resets: 1, ..Budget::NONE };
const MUTE: Budget = Budget { emits: 2, mutes: 1, ..Budget::NONE };

const CUT: &str = "the connection breaks";
const FORGOTTEN: &str = "it breaks, and the vendor forgets its history";
const AGAIN: &str = "the numbering begins again, and connections break";
const QUIETLY: &str = "the numbering begins again on the open connection";
const DEAF: &str = "the vendor forgets the subscription, not the connection";

fn head_only(mut rules: Rules) -> Rules {
    rules.caps.replay = Replay::HeadOnly;
    rules.caps.rest_first = true;
    rules
}

fn without_snapshot(mut rules: Rules) -> Rules {
    rules.caps.snapshot = SnapshotKind::None;
    rules
}

fn plain(mut rules: Rules) -> Rules {
    rules.caps.ack = Ack::Plain;
    rules
}

/// All that is claimed, and all that is not.
pub fn all() -> Vec<Claim> {
    use Events::{Every, OrARow, Unseen};
    use State::{Behind, Current};
    let mut all = Vec::new();
    let mut claim = |source, weather, rules, budget, events, state| {
        all.push(Claim { source, weather, rules, budget, events, state });
    };
    let source = "contiguous, replays or refuses, confirms with a position, names its epoch";
    claim(source, CUT, telling(contiguous()), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, telling(contiguous()), GONE, OrARow, Current);
    claim(source, AGAIN, telling(contiguous()), RESET, OrARow, Current);
    let source = "numbers with holes, the same";
    claim(source, CUT, telling(increasing()), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, telling(increasing()), GONE, OrARow, Current);
    let source = "contiguous, confirms without a position";
    claim(source, CUT, contiguous(), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, contiguous(), GONE, OrARow, Current);
    let source = "numbers with holes, confirms without a position";
    claim(source, CUT, increasing(), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, increasing(), GONE, OrARow, Current);
    claim(source, DEAF, audited(increasing()), MUTE, Unseen, Behind("until the next audit"));
    let source = "opaque positions, confirms with the position it was asked from";
    claim(source, CUT, opaque(), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, opaque(), GONE, OrARow, Current);
    let source = "opaque positions, confirms without one";
    claim(source, CUT, plain(opaque()), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, plain(opaque()), GONE, OrARow, Current);
    let source = "contiguous, begins later than asked without a word";
    claim(source, FORGOTTEN, clamping(contiguous()), GONE, OrARow, Current);
    let source = "numbers with holes, begins later than asked without a word";
    claim(source, FORGOTTEN, clamping(increasing()), GONE, OrARow, Current);
    let source = "only the exact head is accepted";
    claim(source, CUT, head_only(contiguous()), OUTAGE, OrARow, Current);
    claim("no replay", CUT, live_only(contiguous()), OUTAGE, OrARow, Current);
    claim("no numbers", CUT, unpositioned(), OUTAGE, OrARow, Current);
    let source = "contiguous, but no epoch's name";
    claim(source, CUT, nameless(contiguous()), OUTAGE, Every, Current);
    claim(source, FORGOTTEN, nameless(contiguous()), GONE, OrARow, Current);
    claim(source, AGAIN, nameless(contiguous()), RESET, OrARow, Current);
    let quietly = Rules { keeps_socks: true, ..nameless(contiguous()) };
    claim(source, QUIETLY, quietly, RESET, Unseen, Behind("until the next audit"));
    let source = "no snapshot, but for that as the first";
    let until = Behind("for a key until its next event");
    claim(source, FORGOTTEN, without_snapshot(telling(contiguous())), GONE, OrARow, until);
    all
}

fn loses(world: &World) -> bool {
    Told::of(world, &world.log).lost().next().is_some()
}

fn loses_unseen(world: &World) -> bool {
    let told = Told::of(world, &world.log);
    let mut lost = told.lost();
    lost.any(|index| !told.is_covered(index))
}

fn is_behind(world: &World) -> bool {
    !shows_state(world)
}

impl Claim {
    /// Searches what is claimed wholly, and what is not until it is seen. The states looked at, or
    /// what is not as the table says.
    pub fn prove(&self, size: Size) -> Result<usize, String> {
        let mut budget = self.budget;
        budget.emits += u8::from(size == Size::Full);
        let mut sum = 0;
        for what in self.found() {
            match find(&self.rules, budget, what, false) {
                Outcome::Met { states, .. } => sum += states,
                _ => return Err(format!("{self}: what is not claimed was not found")),
            }
        }
        let Some(what) = self.claimed() else { return Ok(sum) };
        let (why, path) = match find(&self.rules, budget, what, true) {
            Outcome::Holds(found) if found.lives > 0 => return Ok(sum + found.states),
            Outcome::Holds(_) => return Err(format!("{self}: never Live")),
            Outcome::Met { path, .. } => ("is not so".to_owned(), path),
            Outcome::Broken { invariant, path, .. } => (format!("{invariant:?}"), path),
            Outcome::TooLarge { path, .. } => ("not small".to_owned(), path),
        };
        Err(format!("{self}: {why}:\n  {}", path.join("\n  ")))
    }

    /// What must happen in some schedule.
    fn found(&self) -> Vec<fn(&World) -> bool> {
        let mut found: Vec<fn(&World) -> bool> = match self.events {
            Events::Every => Vec::new(),
            Events::OrARow => vec![loses],
            Events::Unseen => vec![loses_unseen],
        };
        if self.state != State::Current {
            found.push(is_behind);
        }
        found
    }

    /// What must happen in none: one search for all of it.
    fn claimed(&self) -> Option<fn(&World) -> bool> {
        let current = self.state == State::Current;
        match (self.events, current) {
            (Events::Every, true) => Some(|world| loses(world) || is_behind(world)),
            (Events::Every, false) => Some(loses),
            (Events::OrARow, true) => Some(|world| loses_unseen(world) || is_behind(world)),
            (Events::OrARow, false) => Some(loses_unseen),
            (Events::Unseen, true) => Some(is_behind),
            (Events::Unseen, false) => None,
        }
    }
}

impl Display for Claim {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let events = match self.events {
            Events::Every => "every one is recorded",
            Events::OrARow => "recorded, or in a row",
            Events::Unseen => "may be lost unseen",
        };
        let state = match self.state {
            State::Current => "the vendor's".to_owned(),
            State::Behind(until) => format!("may be wrong {until}"),
        };
        write!(f, "| {} | {} | {events} | {state} |", self.source, self.weather)
    }
}
