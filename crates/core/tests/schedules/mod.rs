//! Goal: what the search of the worlds in full has found, an hour of work, is not found again by
//! anybody. Each file in `schedules` is the way to a violation as the search prints it: the world
//! and its setting, then one step a line. It is gone again, with every invariant checked at each
//! step.

use std::fs;
use std::path::Path;

use crate::search::Tally;
use crate::search::node::Node;
use crate::worlds::{self, Setting};

fn setting_of(name: &str) -> Setting {
    let (world, setting) = name.split_once(": ").expect("a world and its setting");
    let world = worlds::all().into_iter().find(|known| known.name == world).expect("a world");
    world.settings.into_iter().find(|known| known.name == setting).expect("a setting of it")
}

/// How far it can be gone: a machine that does better may come to a fork that was not there.
fn walk(schedule: &str) -> Result<usize, String> {
    let mut steps = schedule.lines();
    let setting = setting_of(steps.next().expect("a first line"));
    let mut node = Node::root(&setting.rules, setting.full, None);
    let mut tally = Tally::default();
    for (count, step) in steps.enumerate() {
        let choices = node.choices();
        let Some(act) = choices.into_iter().find(|act| format!("{act:?}") == step) else {
            return Ok(count);
        };
        let before = node.clone();
        node.act(act);
        let checked = node.check_step(&before, &mut tally).and_then(|()| {
            node.normalise();
            node.check_log(&mut tally)?;
            node.check_state(&mut tally)
        });
        checked.map_err(|broken| format!("{broken:?} at {step}"))?;
    }
    Ok(schedule.lines().count() - 1)
}

#[test]
fn what_the_search_has_found_does_not_come_again() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schedules");
    let mut files: Vec<_> =
        fs::read_dir(dir).expect("schedules").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let schedule = fs::read_to_string(&file).expect("text");
        let gone = walk(&schedule).unwrap_or_else(|broken| panic!("{}: {broken}", file.display()));
        assert!(gone * 2 > schedule.lines().count(), "{}: {gone} steps", file.display());
    }
}
