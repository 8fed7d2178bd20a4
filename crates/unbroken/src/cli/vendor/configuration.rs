//! The configuration of a source that speaks to a simulated vendor.

use std::path::Path;

use unbroken_sim::{Credentials, Dialect, Vendor, genesys};

use super::SOURCE;
use super::settings::{SCALE, VendorSettings};
use crate::cli::args::NumberingArg;

/// The largest frame that the CXone-shaped vendor sends by its rules.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// The variable by which a child process is told the simulated vendor's secret.
pub(crate) const SECRET_VARIABLE: &str = "UNBROKEN_SIM_SECRET";

/// Between two walks through history that have to agree, in milliseconds: what a fault does to a
/// page it does to one or two of them.
const HISTORY_AGAIN_MS: u64 = 100;

/// Channels that are gone several times within so many milliseconds are another client's doing: ten
/// minutes, scaled like the vendor's times.
const EVICTIONS_WINDOW_MS: u64 = 600_000 / SCALE;

/// What the default budget has in a minute, it has in one of the vendor's scaled minutes.
const REQUESTS_PER_MINUTE: u64 = 180 * SCALE;

/// Where a configuration takes the simulated vendor's secret from.
pub(crate) enum SecretIn {
    /// The text itself, for this process alone.
    Text,
    /// [`SECRET_VARIABLE`].
    Environment,
}

impl SecretIn {
    /// As a value of the configuration.
    pub(super) fn written(&self, secret: &str) -> String {
        match self {
            Self::Text => format!("\"{secret}\""),
            Self::Environment => format!("{{ env = \"{SECRET_VARIABLE}\" }}"),
        }
    }
}

/// The configuration of a service that records a simulated vendor, with the demo's timers.
pub(crate) fn configuration(
    vendor: &Vendor,
    settings: &VendorSettings,
    data_dir: &Path,
    secret: &SecretIn,
) -> String {
    let source = match &settings.dialect {
        Dialect::Cxone(_) => cxone(settings.declared),
        Dialect::Genesys(settings) => genesys(vendor, settings),
    };
    let Credentials { client_id, client_secret, .. } = &vendor.credentials;
    format!(
        r#"data_dir = {data_dir:?}

[[source]]
name = "{SOURCE}"
api = "{api}"
stream = "{stream}"
timing = "demo"
{source}
client_id = "{client_id}"
client_secret = {secret}
"#,
        api = vendor.http_url,
        stream = vendor.ws_url,
        secret = secret.written(client_secret),
    )
}

/// The `cxone` profile with what this vendor can do by its published rules.
fn cxone(declared: NumberingArg) -> String {
    let capabilities = capabilities(declared);
    format!(
        r#"
[source.limits]
frame_bytes_max = {FRAME_BYTES_MAX}

[source.profile]
extends = "cxone"
[source.profile.capabilities]
{capabilities}

[source.auth]
grant = "client_credentials""#
    )
}

/// Every kind of topic; the times are the vendor's scaled ones, its history's lag the longest that
/// a fault makes of it. Its answers are at most 400 ms old.
fn genesys(vendor: &Vendor, settings: &genesys::Settings) -> String {
    let account = vendor.account();
    let units: Vec<String> = account.units.into_iter().map(|(unit, _)| unit).collect();
    format!(
        r#"agents = {agents:?}

[source.profile]
extends = "genesys"
capabilities = {{ snapshot_staleness_ms_max = 500, clock_skew_ms_max = 0 }}

[source.genesys]
topics = ["adherence", "presence", "routing_status", "activity", "conversations"]
management_units = {units:?}
channel_life_ms = {life_ms}
history_lag_ms = {lag_ms}
history_again_ms = {HISTORY_AGAIN_MS}
evictions_window_ms = {EVICTIONS_WINDOW_MS}
conversation_length_max_ms = {day_ms}

[source.budget]
requests_per_minute = {REQUESTS_PER_MINUTE}

[source.auth]
grant = "client_credentials"
url = "{api}/oauth/token""#,
        agents = account.users,
        life_ms = settings.channel_life_ms,
        lag_ms = settings.history_lag_ms_max(),
        day_ms = settings.day_ms,
        api = vendor.http_url,
    )
}

/// The cache of this vendor is at most 400 ms old.
fn capabilities(numbering: NumberingArg) -> &'static str {
    match numbering {
        NumberingArg::Contiguous => {
            "ack = \"plain\"\nsnapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::Opaque => {
            "position = \"opaque\"\ncoverage = \"filtered\"\nack = \"with_position\"\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::Increasing => {
            "position = \"increasing\"\ncoverage = \"filtered\"\nack = \"with_position\"\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::None => {
            "position = \"none\"\nreplay = \"none\"\nack = \"plain\"\nepoch_named = false\n\
             snapshot = \"unpositioned\"\nrest_first = false\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
    }
}
