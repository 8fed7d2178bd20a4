//! `unbroken repair`: a damaged log cut before the damage, when there is no backup; or the log of a
//! backup told from the one that it was.

use std::path::Path;

use unbroken::render::count;
use unbroken::{crash, feed, place};
use unbroken_journal::{Options, Reader, Repair, plan_repair, repair};

use super::answer::Answer;
use super::args::RepairArgs;
use super::error::CliError;
use super::output::say;
use super::rebuild::refuse_while_running;
use super::settings::Place;

pub(crate) fn run(args: &RepairArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    refuse_while_running(&place)?;
    let dir = place::journal_dir(&place.data_dir);
    let checkpoints: Vec<u64> = feed::store_checkpoint(&place.data_dir).into_iter().collect();
    if args.restored {
        return restored(&dir, checkpoints);
    }
    if args.dry_run {
        return Ok(match plan_repair(crash::disk(), &dir, &checkpoints)? {
            None => whole(),
            Some(repair) => {
                tell(&repair, "would be kept");
                say("nothing was changed; without --dry-run it is\n");
                Answer::No
            }
        });
    }
    let Some(repaired) = repair(crash::disk(), &dir, &checkpoints)? else {
        return Ok(whole());
    };
    tell(&repaired.repair, "kept");
    say(&format!(
        "the log has the new id {}: cursors of the old one are refused\n\
         next: `unbroken rebuild` makes the store again from what is left, then `unbroken run`\n\
         goes on from there; what the vendor does not serve again will be in `unbroken gaps`\n",
        repaired.journal,
    ));
    Ok(Answer::Yes)
}

/// A backup ends earlier than what clients and targets have seen, and goes on with other records
/// under the same offsets.
fn restored(dir: &Path, checkpoints: Vec<u64>) -> Result<Answer, CliError> {
    // Nothing is made where there is no log.
    let before = Reader::open(dir)?.journal();
    let mut options = Options::new(dir);
    (options.disk, options.checkpoints) = (crash::disk(), checkpoints);
    options.restored_from_backup = true;
    let opened = unbroken_journal::open(options)?;
    say(&format!(
        "the log, {before} until now, has the new id {}: cursors of the old one are refused\n\
         next: `unbroken rebuild` makes the store again, then `unbroken run` goes on from there,\n\
         with `--adopt NAME` for each sink that is to go on behind what its target holds\n",
        opened.journal,
    ));
    Ok(Answer::Yes)
}

fn whole() -> Answer {
    say("the log is whole: there is nothing to repair\n");
    Answer::Yes
}

fn tell(repair: &Repair, kept: &str) {
    let (file, position) = &repair.cut;
    let end = repair.end_offset;
    say(&format!("damage: {}\n", repair.damage));
    say(&format!("cut: {file} at byte {position}; the log then ends at offset {}\n", count(end)));
    match repair.told_offset.and_then(|told| told.checked_sub(end)) {
        Some(0) => say("lost: nothing that a reader had been told of\n"),
        Some(lost) => say(&format!("lost: {} records that readers may have seen\n", count(lost))),
        None => say("lost: how many records is not known\n"),
    }
    for name in &repair.kept {
        say(&format!("{kept}: {name}\n"));
    }
}
