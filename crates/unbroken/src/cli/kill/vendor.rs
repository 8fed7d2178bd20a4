//! The vendor that breaks while its recorder is killed, whichever it is.

use std::path::Path;

use unbroken::control::Status;
use unbroken_core::machine::Timing;
use unbroken_sim::{PollVendor, Script, Vendor};

use crate::cli::args::{VendorArgs, VendorKind};
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, Naming, Witnesses, is_at_rest, is_quiet};
use crate::cli::vendor::{PolledSettings, SecretIn, VendorSettings, configuration};

/// Faults are played until they are stopped; no run is longer than this.
const FAULTS_MS: u64 = 24 * 3_600 * 1_000;

/// A vendor as meant.
pub(crate) enum Meant {
    Pushing(VendorSettings),
    Polled(PolledSettings),
}

/// A vendor that runs.
pub(crate) enum Running {
    Pushing(Box<VendorSettings>, Vendor),
    Polled(Box<PolledSettings>, PollVendor),
}

impl Meant {
    pub(crate) fn of(kind: VendorKind, args: &VendorArgs) -> Result<Self, CliError> {
        Ok(match kind {
            VendorKind::CxonePoll => Self::Polled(PolledSettings::of(args)?),
            kind => Self::Pushing(VendorSettings::without_pairs(kind, args)?),
        })
    }

    pub(crate) async fn start(self) -> Result<Running, CliError> {
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
    pub(crate) fn play(&mut self) {
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

    pub(crate) fn configuration(&self, data_dir: &Path) -> String {
        let secret = &SecretIn::Environment;
        match self {
            Self::Pushing(settings, vendor) => configuration(vendor, settings, data_dir, secret),
            Self::Polled(_, vendor) => PolledSettings::configuration(vendor, data_dir, secret),
        }
    }

    /// What the service has to be told beside its configuration.
    pub(crate) fn secret(&self) -> String {
        match self {
            Self::Pushing(_, vendor) => vendor.credentials.client_secret.clone(),
            Self::Polled(_, vendor) => vendor.access_key.1.clone(),
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        match self {
            Self::Pushing(settings, _) => settings.common().seed,
            Self::Polled(settings, _) => settings.settings.seed,
        }
    }

    pub(crate) fn events_emitted(&self) -> u64 {
        match self {
            Self::Pushing(_, vendor) => vendor.events_emitted(),
            Self::Polled(_, vendor) => vendor.events_emitted(),
        }
    }

    pub(crate) fn stop_faults(&mut self) {
        match self {
            Self::Pushing(_, vendor) => vendor.stop_faults(),
            Self::Polled(_, vendor) => vendor.stop_faults(),
        }
    }

    pub(crate) fn stop_emission(&self) {
        match self {
            Self::Pushing(_, vendor) => vendor.stop_emission(),
            Self::Polled(_, vendor) => vendor.stop_emission(),
        }
    }

    /// Whether the service has what the silent vendor had made.
    pub(crate) fn is_quiet(&self, status: &Status, data_dir: &Path) -> bool {
        match self {
            Self::Pushing(settings, vendor) => {
                is_quiet(status, vendor.newest_event_us(), settings.naming(), data_dir)
            }
            Self::Polled(..) => is_at_rest(status),
        }
    }

    /// What its ledger calls the keys of our streams.
    pub(crate) fn naming(&self) -> Naming {
        match self {
            Self::Pushing(settings, _) => settings.naming(),
            Self::Polled(..) => Naming::Plain,
        }
    }

    /// Ends it, and judges the record in `data_dir` by what it did; `witnesses` have read it.
    pub(crate) async fn judge(
        self,
        data_dir: &Path,
        witnesses: Witnesses,
    ) -> Result<Judgement, CliError> {
        let data_dir = data_dir.to_owned();
        let judging = match self {
            Self::Pushing(_, vendor) => {
                let truth = vendor.shutdown().await?;
                tokio::task::spawn_blocking(move || {
                    Judgement::of_witnesses(witnesses, &data_dir, &truth, &Timing::demo())
                })
            }
            Self::Polled(_, vendor) => {
                let truth = vendor.truth();
                tokio::task::spawn_blocking(move || {
                    Judgement::of_polled(witnesses, &data_dir, &truth, &PolledSettings::timing())
                })
            }
        };
        judging.await.map_err(|error| CliError::Task(error.to_string()))?
    }
}
