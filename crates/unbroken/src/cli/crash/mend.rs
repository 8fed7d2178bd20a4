//! A log damaged, and mended by commands that die on the way.

use std::time::Duration;

use tokio::time::timeout;
use unbroken::crash::When;
use unbroken::place;
use unbroken::render::wall_now;

use super::course::{Course, io_failed};
use super::damage;
use super::life::{self, End};
use super::plan::Strike;
use crate::cli::error::CliError;

/// How many lives may pass until the log is long enough to be damaged.
const LIVES_MAX: u32 = 12;

/// How long a start may take to be refused.
const REFUSED_MAX: Duration = Duration::from_secs(10);

impl Course {
    /// Damages the log and mends it, struck by as many of these as come by; those are taken out.
    pub(super) async fn mend(&mut self, strikes: &mut Vec<Strike>) -> Result<(), CliError> {
        let journal = place::journal_dir(&self.service.data_dir);
        let mut lives = 0;
        loop {
            self.kill_somewhere().await?;
            lives += 1;
            if damage::inflict(&journal).map_err(io_failed)? {
                break;
            }
            if lives == LIVES_MAX {
                self.finding("the log did not become long enough to be damaged".to_owned());
                return Ok(());
            }
        }
        self.be_refused().await?;
        self.command(When::Repair, &["repair"], strikes).await?;
        self.repairs.push(wall_now());
        self.command(When::Rebuild, &["rebuild"], strikes).await?;
        self.outcome.repaired += 1;
        Ok(())
    }

    /// A service does not start on a damaged log.
    async fn be_refused(&mut self) -> Result<(), CliError> {
        let mut child = life::start(&self.service, None)?;
        match timeout(REFUSED_MAX, child.wait()).await {
            Ok(Ok(status)) if status.code() == Some(2) => {}
            ended => {
                self.finding(format!("a damaged log was not refused: {ended:?}"));
                crate::cli::kill::kill_now(&mut child).await?;
            }
        }
        Ok(())
    }

    /// The command again and again, dying on each of its strikes in turn, and then to its end.
    async fn command(
        &mut self,
        when: When,
        arguments: &[&str],
        strikes: &mut Vec<Strike>,
    ) -> Result<(), CliError> {
        let mut left = Vec::new();
        for strike in strikes.drain(..) {
            if strike.spot.when != when {
                left.push(strike);
                continue;
            }
            let aim = format!("{}:{}", strike.spot.name, strike.nth);
            match life::command(&self.service, arguments, Some(&aim)).await? {
                End::Struck => *self.outcome.struck.entry(strike.spot).or_default() += 1,
                // It had been done before by one that died later on its way.
                End::Missed => left.push(strike),
                ended @ (End::Fell(_) | End::Late) => {
                    self.outcome.findings.push(format!("{arguments:?} at {aim}: {ended:?}"));
                }
            }
        }
        *strikes = left;
        match life::command(&self.service, arguments, None).await? {
            End::Missed => {}
            ended => self.finding(format!("{arguments:?} did not come to its end: {ended:?}")),
        }
        Ok(())
    }
}
