//! The vendor that is polled, as meant.

use std::path::Path;

use unbroken_connect::generic::nearest;
use unbroken_core::machine::Timing;
use unbroken_sim::{PollFault, PollVendor, Settings};

use super::{SOURCE, SecretIn};
use crate::cli::args::{NumberingArg, VendorArgs};
use crate::cli::error::CliError;

/// From one question to the next, in milliseconds: a demo has no time for five seconds.
const INTERVAL_MS: u64 = 100;
/// How far before the last place is asked, in milliseconds: more than this vendor is ever late.
const OVERLAP_MS: u64 = 1_000;
/// Silence after which a poll is taken for dead: above the interval and the longest answer.
const IDLE_MS: u64 = 3_000;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct PolledSettings {
    pub(crate) settings: Settings,
    /// Every fault that was asked for.
    pub(crate) faults: Vec<PollFault>,
}

impl PolledSettings {
    /// From what was typed.
    pub(crate) fn of(args: &VendorArgs) -> Result<Self, CliError> {
        if args.numbering != NumberingArg::Contiguous {
            return Err(CliError::NoNumbering);
        }
        let settings = Settings {
            seed: args.seed,
            agents: args.agents,
            rate: f64::from(args.rate),
            ..Settings::default()
        };
        let faults = match args.faults.as_str() {
            "all" => {
                PollFault::ALL.into_iter().filter(|fault| fault.applies_to(args.agents)).collect()
            }
            "none" => Vec::new(),
            list => list.split(',').map(str::trim).map(fault).collect::<Result<_, _>>()?,
        };
        Ok(Self { settings, faults })
    }

    /// From one question to the next, in milliseconds.
    pub(crate) fn interval_ms(&self) -> u64 {
        INTERVAL_MS
    }

    /// The demo's timers as the source has them: what happens is seen an interval later.
    pub(crate) fn timing() -> Timing {
        let demo = Timing::demo();
        Timing { grace_ms: demo.grace_ms + INTERVAL_MS, ..demo }
    }

    /// The configuration of a service that polls it.
    pub(crate) fn configuration(vendor: &PollVendor, data_dir: &Path, secret: &SecretIn) -> String {
        let (id, key_secret) = &vendor.access_key;
        let (url, tenant) = (&vendor.discovery_url, &vendor.tenant_id);
        let secret = secret.written(key_secret);
        format!(
            r#"data_dir = {data_dir:?}

[[source]]
name = "{SOURCE}"
timing = {{ preset = "demo", idle_ms = {IDLE_MS} }}

[source.discovery]
url = "{url}"
tenant_id = "{tenant}"
allowed_hosts = ["127.0.0.1"]

[source.profile]
extends = "cxone-poll"
discovery = {{ token = "{{{{ auth_endpoint }}}}" }}
capabilities = {{ snapshot_staleness_ms_max = 0, clock_skew_ms_max = 0 }}
poll = {{ interval_ms = {INTERVAL_MS}, overlap_ms = {OVERLAP_MS} }}

[source.auth]
grant = "access_key"
key_id = "{id}"
key_secret = {secret}
"#
        )
    }
}

fn fault(name: &str) -> Result<PollFault, CliError> {
    name.parse().map_err(|_| CliError::UnknownFault {
        name: name.to_owned(),
        nearest: nearest(name, PollFault::ALL.map(PollFault::name)),
        known: PollFault::ALL.map(PollFault::name).join(", "),
    })
}
