//! The vendor that breaks while its recorder is killed, whichever it is.

use std::path::Path;

use unbroken::control::Status;
use unbroken_core::time::UnixMicros;
use unbroken_sim::{PollVendor, Script, Vendor};

use crate::cli::args::{KillArgs, VendorKind};
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, is_at_rest, is_quiet};
use crate::cli::vendor::{PolledSettings, SecretIn, VendorSettings, configuration};

/// Faults are played until they are stopped; no run is longer than this.
const FAULTS_MS: u64 = 24 * 3_600 * 1_000;

/// A vendor as meant.
pub(super) enum Meant {
    Pushing(VendorSettings),
    Polled(PolledSettings),
}

/// A vendor that runs.
pub(super) enum Running {
    Pushing(Box<VendorSettings>, Vendor),
    Polled(Box<PolledSettings>, PollVendor),
}

impl Meant {
    pub(super) fn of(args: &KillArgs) -> Result<Self, CliError> {
        Ok(match args.kind {
            VendorKind::CxonePoll => Self::Polled(PolledSettings::of(&args.vendor)?),
            kind => Self::Pushing(VendorSettings::without_pairs(kind, &args.vendor)?),
        })
    }

    pub(super) async fn start(self) -> Result<Running, CliError> {
        Ok(match self {
            Self::Pushing(settings) => {
                let vendor = settings.start().await?;
                Running::Pushing(Box::new(settings), vendor)
            }
            Self::Polled(settings) => {
                let vendor = PollVendor::start(settings.settings.clone()).await?;
                Running::Polled(Box::new(settings), vendor)
            }
        })
    }
}

impl Running {
    /// One fault after the other, until they are stopped.
    pub(super) fn play(&mut self) {
        match self {
            Self::Pushing(settings, vendor) if !settings.faults.is_empty() => {
                let (seed, faults) = (settings.common().seed, settings.faults.clone());
                vendor.play(Script::all(seed, faults, FAULTS_MS));
            }
            Self::Polled(settings, vendor) if !settings.faults.is_empty() => {
                vendor.play(settings.settings.seed, settings.faults.clone());
            }
            Self::Pushing(..) | Self::Polled(..) => {}
        }
    }

    pub(super) fn configuration(&self, data_dir: &Path) -> String {
        let secret = &SecretIn::Environment;
        match self {
            Self::Pushing(settings, vendor) => configuration(vendor, settings, data_dir, secret),
            Self::Polled(_, vendor) => PolledSettings::configuration(vendor, data_dir, secret),
        }
    }

    /// What the service has to be told beside its configuration.
    pub(super) fn secret(&self) -> String {
        match self {
            Self::Pushing(_, vendor) => vendor.credentials.client_secret.clone(),
            Self::Polled(_, vendor) => vendor.access_key.1.clone(),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        match self {
            Self::Pushing(settings, _) => settings.common().seed,
            Self::Polled(settings, _) => settings.settings.seed,
        }
    }

    pub(super) fn events_emitted(&self) -> u64 {
        match self {
            Self::Pushing(_, vendor) => vendor.events_emitted(),
            Self::Polled(_, vendor) => vendor.events_emitted(),
        }
    }

    pub(super) fn stop_faults(&mut self) {
        match self {
            Self::Pushing(_, vendor) => vendor.stop_faults(),
            Self::Polled(_, vendor) => vendor.stop_faults(),
        }
    }

    pub(super) fn stop_emission(&self) {
        match self {
            Self::Pushing(_, vendor) => vendor.stop_emission(),
            Self::Polled(_, vendor) => vendor.stop_emission(),
        }
    }

    /// Whether the service has what the silent vendor had made.
    pub(super) fn is_quiet(&self, status: &Status, data_dir: &Path) -> bool {
        match self {
            Self::Pushing(settings, vendor) => {
                is_quiet(status, vendor.newest_event_us(), settings.naming(), data_dir)
            }
            Self::Polled(..) => is_at_rest(status),
        }
    }

    /// Ends it, and judges the record in `data_dir` by what it did; `deaths` are the moments at
    /// which the service was killed.
    pub(super) async fn judge(
        self,
        data_dir: &Path,
        deaths: &[UnixMicros],
    ) -> Result<Judgement, CliError> {
        let (data_dir, deaths) = (data_dir.to_owned(), deaths.to_owned());
        let judging = match self {
            Self::Pushing(settings, vendor) => {
                let truth = vendor.shutdown().await?;
                tokio::task::spawn_blocking(move || {
                    Judgement::of(&data_dir, &truth, settings.naming(), &deaths)
                })
            }
            Self::Polled(_, vendor) => {
                let truth = vendor.truth();
                tokio::task::spawn_blocking(move || {
                    Judgement::of_polled(&data_dir, &truth, &PolledSettings::timing(), &deaths)
                })
            }
        };
        judging.await.map_err(|error| CliError::Task(error.to_string()))?
    }
}
