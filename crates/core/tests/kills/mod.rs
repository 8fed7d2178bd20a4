//! What kills each mutant, and the table of it.

#![expect(unreachable_pub, reason = "a test's tool")]

mod killer;
mod table;

pub use killer::{Killer, killer_of};
pub use table::{Row, render, rows_of};

use unbroken_core::machine::Mutant;

use crate::scenes;
use crate::search::Outcome;
use crate::worlds::{self, Setting, Size};

/// Lets a killer loose on a mutant: what it broke, or `None` if it lives on.
pub fn try_kill(mutant: Mutant, killer: Killer) -> Option<Row> {
    let row = |invariant: String, steps, states| Row {
        mutant: mutant.name().to_owned(),
        guard: mutant.guard().to_owned(),
        rule: mutant.rule().to_owned(),
        killer: killer.to_string(),
        invariant,
        steps,
        states,
    };
    match killer {
        Killer::World(world, setting) => match setting_of(world, setting).run(SIZE, Some(mutant)) {
            Outcome::Broken { invariant, path, states } => {
                Some(row(format!("{invariant:?}"), Some(path.len()), Some(states)))
            }
            Outcome::Holds(_) | Outcome::Met { .. } | Outcome::TooLarge { .. } => None,
        },
        Killer::Scene(name) => {
            let scene = scenes::all().find(|scene| scene.name == name);
            let verdict = (scene.expect("a story of this name").play)(Some(mutant));
            verdict.err().map(|invariant| row(invariant.to_owned(), None, None))
        }
    }
}

/// Mutants die in the smallest worlds.
const SIZE: Size = Size::Smoke;

fn setting_of(world: &str, setting: &str) -> Setting {
    let world = worlds::all().into_iter().find(|known| known.name == world).expect("a world");
    world.settings.into_iter().find(|known| known.name == setting).expect("a setting of it")
}
