//! `unbroken repair`: a damaged log cut before the damage, when there is no backup.

use unbroken::render::count;
use unbroken::{crash, feed, place};
use unbroken_journal::{Repair, plan_repair, repair};

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
