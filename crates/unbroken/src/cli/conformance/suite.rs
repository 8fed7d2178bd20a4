//! All scenarios that were asked for, some of them at once.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use unbroken_sim::conformance::{ConformanceError, Kind, Order, Report, Scenario, play};

use super::error::SuiteError;
use crate::cli::error::CliError;

/// What is to be played.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) kind: Kind,
    pub(super) scenarios: Vec<&'static Scenario>,
    pub(super) command: Vec<OsString>,
    pub(super) seed: u64,
    pub(super) jobs: u16,
    /// Where each scenario has a folder.
    pub(super) dir: PathBuf,
}

/// What a scenario came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) scenario: &'static Scenario,
    pub(super) played: Result<Report, ConformanceError>,
}

impl Outcome {
    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match &self.played {
            Ok(report) if report.is_clean => "clean",
            Ok(_) => "findings",
            Err(_) => "could-not-run",
        }
    }
}

impl Outcome {
    /// Whether something of the scenario passed the client by.
    pub(super) fn is_unmet(&self) -> bool {
        let faults = self.played.as_ref().map_or(&[][..], |report| &report.faults);
        faults.iter().any(|fault| fault.met_ms.is_none())
    }
}

impl Suite {
    /// Plays them all; `told` hears of each as it ends. In the order of the scenarios.
    ///
    /// # Errors
    /// The client cannot be started at all.
    pub(super) async fn play(
        &self,
        mut told: impl FnMut(&Outcome),
    ) -> Result<Vec<Outcome>, CliError> {
        let room = Arc::new(Semaphore::new(usize::from(self.jobs)));
        let mut playing = JoinSet::new();
        for (at, scenario) in self.scenarios.iter().copied().enumerate() {
            let (kind, command, dir) = (self.kind, self.command.clone(), self.dir.clone());
            let (room, seed) = (Arc::clone(&room), self.seed_of(scenario));
            playing.spawn(async move {
                // The semaphore is never closed.
                let _room = room.acquire_owned().await;
                let dir = dir.join(scenario.name);
                let order = Order { kind, scenario, command: &command, seed, dir: &dir };
                (at, Outcome { scenario, played: play(&order).await })
            });
        }
        let mut outcomes = Vec::with_capacity(self.scenarios.len());
        while let Some(played) = playing.join_next().await {
            let (at, outcome) = played.map_err(|error| CliError::Task(error.to_string()))?;
            if let Err(ConformanceError::Start { .. }) = outcome.played {
                let failed = outcome.played.map(|_| Vec::new());
                return failed.map_err(|error| SuiteError::Play(error).into());
            }
            told(&outcome);
            outcomes.push((at, outcome));
        }
        outcomes.sort_unstable_by_key(|(at, _)| *at);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// A scenario alone plays as it does among all.
    fn seed_of(&self, scenario: &Scenario) -> u64 {
        let at = self.kind.scenarios().iter().position(|one| one.name == scenario.name);
        let at = at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
        self.seed.wrapping_mul(1_000).wrapping_add(at)
    }

    /// Takes away what the clients kept.
    pub(super) fn clear(&self) -> Result<(), CliError> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CliError::Io { what: "taking the clients' folders away", source })
            }
            _ => Ok(()),
        }
    }
}
