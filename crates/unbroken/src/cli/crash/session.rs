//! All courses, some at a time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use tokio::task::JoinSet;
use unbroken::render::counted;

use super::CrashArgs;
use super::course;
use super::plan::{Course, plan};
use super::report::{self, Ending};
use crate::cli::answer::Answer;
use crate::cli::args::{NumberingArg, VendorArgs};
use crate::cli::error::CliError;
use crate::cli::output::say;
use crate::cli::run::runtime;
use crate::cli::settings::fresh_dir;

pub(crate) fn run(args: &CrashArgs) -> Result<Answer, CliError> {
    if args.list {
        report::list()?;
        return Ok(Answer::Yes);
    }
    let dir = fresh_dir(args.dir.as_deref(), "unbroken-crash")?;
    runtime()?.block_on(perform(args, dir))
}

async fn perform(args: &CrashArgs, dir: PathBuf) -> Result<Answer, CliError> {
    let began = Instant::now();
    let courses = plan(args.count, args.seed);
    say(&format!(
        "{} at crash points, each at least once; seed {}, {}\n",
        counted(courses.iter().map(strikes).sum(), "SIGKILL"),
        args.seed,
        dir.display()
    ));
    let vendor = VendorArgs {
        agents: args.agents,
        rate: args.rate,
        seed: args.seed,
        numbering: NumberingArg::Contiguous,
        faults: "all".to_owned(),
    };
    let mut count = courses.len();
    let mut waiting: VecDeque<Course> = courses.into();
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < args.beside.max(1)
            && let Some(course) = waiting.pop_front()
        {
            let place = dir.join(format!("course-{}", course.number));
            running.spawn(course::run(course, vendor.clone(), place));
        }
        let Some(ended) = running.join_next().await else { break };
        let (course, mut outcome) = ended.map_err(|error| CliError::Task(error.to_string()))??;
        match course.again(count, &outcome.missed) {
            Some(again) => {
                waiting.push_back(again);
                count += 1;
            }
            None => outcome.give_up(course.planned),
        }
        report::tell(&course, &outcome);
        done.push((course, outcome));
    }
    let ending = Ending { done, seed: args.seed, dir, elapsed: began.elapsed() };
    report::print(&ending, args.json)?;
    Ok(if ending.is_clean() { Answer::Yes } else { Answer::No })
}

fn strikes(course: &Course) -> u64 {
    let strikes = course.first.len() + course.lives.len() + course.mends.len();
    u64::try_from(strikes).unwrap_or(u64::MAX)
}
