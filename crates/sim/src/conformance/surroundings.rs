//! The vendor of the suite, and what a client is told of it.

use std::path::Path;

use super::{Kind, Scenario};
use crate::{Dialect, Settings, Vendor, genesys};

/// Documented times of vendors are divided by so much: heartbeats come each 250 ms.
const SCALE: u64 = 120;
/// Between two heartbeats, in milliseconds.
const HEARTBEAT_MS: u64 = 250;
/// A fault that a client does not meet ends after so long, in milliseconds.
const FAULT_MS_MAX: u64 = 3_000;
/// A channel of Genesys outlives every scenario, in milliseconds.
const CHANNEL_LIFE_MS: u64 = 120_000;
/// How far its analytics lag behind, in milliseconds.
const HISTORY_LAG_MS: u64 = 250;

impl Kind {
    /// The vendor of a scenario.
    pub(super) fn dialect(self, seed: u64) -> Dialect {
        let common = Settings {
            seed,
            agents: 40,
            rate: 100.0,
            heartbeat_ms: HEARTBEAT_MS,
            churn_ms: 0,
            scenario_ms_max: FAULT_MS_MAX,
            flapping_cuts: 6,
            flapping_ms: 2_400,
            ..Settings::default()
        };
        match self {
            // Several pages, so that rows can move between them.
            Self::Cxone => Settings { agents_to_come: 20, page_limit: 15, ..common }.into(),
            Self::Genesys => {
                let mut settings = genesys::Settings {
                    units: 2,
                    teams_per_unit: 2,
                    queues: 2,
                    channel_life_ms: CHANNEL_LIFE_MS * SCALE,
                    ..genesys::Settings::default()
                }
                .scaled(SCALE);
                settings.rate_window_ms /= SCALE;
                settings.history_lag_ms = HISTORY_LAG_MS;
                let vendor = settings.vendor;
                settings.vendor = Settings {
                    rate: 60.0,
                    heartbeat_ms: vendor.heartbeat_ms,
                    closing_notice_ms: vendor.closing_notice_ms,
                    token_life_ms: vendor.token_life_ms,
                    numbering: vendor.numbering,
                    ..common
                };
                settings.into()
            }
        }
    }

    /// What the client is told, beside what is in its surroundings anyway.
    pub(super) fn environment(
        self,
        vendor: &Vendor,
        scenario: &Scenario,
        client_dir: &Path,
    ) -> Vec<(&'static str, String)> {
        let (api, secrets) = (&vendor.http_url, &vendor.credentials);
        let token_path = match self {
            Self::Cxone => "/token",
            Self::Genesys => "/oauth/token",
        };
        let mut told = vec![
            ("VENDOR", self.name().to_owned()),
            ("VENDOR_API_URL", api.clone()),
            ("VENDOR_TOKEN_URL", format!("{api}{token_path}")),
            ("VENDOR_CLIENT_ID", secrets.client_id.clone()),
            ("VENDOR_CLIENT_SECRET", secrets.client_secret.clone()),
            ("VENDOR_AGENTS", vendor.account().users.join(",")),
            ("VENDOR_HEARTBEAT_MS", HEARTBEAT_MS.to_string()),
            ("CONFORMANCE_SCENARIO", scenario.name.to_owned()),
            ("CLIENT_DIR", client_dir.to_string_lossy().into_owned()),
        ];
        if self == Self::Genesys {
            let units = vendor.account().units.into_iter().map(|(unit, _)| unit);
            told.push(("VENDOR_UNITS", units.collect::<Vec<_>>().join(",")));
        }
        if self == Self::Cxone {
            told.push(("VENDOR_STREAM_URL", format!("{}/notifications/v1/stream", vendor.ws_url)));
            told.push(("VENDOR_USERNAME", secrets.username.clone()));
            told.push(("VENDOR_PASSWORD", secrets.password.clone()));
        }
        told
    }
}
