//! What kind of world a simulation plays in.

use std::fmt;
use std::str::FromStr;

use unbroken_sim::{Body, Numbering, Settings};

use crate::error::ProofError;

/// The vendor's rules, the road to it, and our disk. All of it follows from a seed, and any part
/// can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What the vendor's positions are worth.
    pub numbering: Numbering,
    /// The baseline carries state, or nothing but a position.
    pub body: Body,
    /// Agents at the start.
    pub agents: u32,
    /// Events per second over all agents.
    pub rate: u32,
    /// The confirmation names the position.
    pub ack_position: bool,
    /// A refusal names the oldest position served.
    pub announce_floor: bool,
    /// The road each way, in microseconds; each piece takes up to twice as long.
    pub latency_us: u64,
    /// A commit's sync, in microseconds; each takes up to twice as long.
    pub sync_us: u64,
    /// Life of a token, in milliseconds.
    pub token_life_ms: u64,
    /// A segment of the log, in bytes.
    pub segment_bytes: u64,
    /// Handshakes allowed per minute.
    pub handshakes_per_minute: u32,
}

impl Setting {
    /// The world of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5e77);
        // Some faults need one kind, and must come often enough all the same.
        let numbering = match rng.u8(0..20) {
            0..16 => Numbering::Contiguous,
            16..18 => Numbering::Increasing,
            _ => Numbering::None,
        };
        // Where numbers have holes and no row shows state, a mute subscription looks like a quiet
        // one.
        let body = if rng.u8(0..8) == 0 && numbering == Numbering::Contiguous {
            Body::Schedules
        } else {
            Body::State
        };
        Self {
            numbering,
            body,
            agents: rng.u32(8..=14),
            rate: rng.u32(4..=12),
            ack_position: rng.bool(),
            announce_floor: rng.bool(),
            latency_us: *rng.choice(&[200, 2_000, 10_000, 25_000]).unwrap_or(&2_000),
            sync_us: *rng.choice(&[100, 1_000, 4_000, 20_000]).unwrap_or(&1_000),
            token_life_ms: *rng.choice(&[5_000, 20_000, 3_600_000]).unwrap_or(&20_000),
            segment_bytes: *rng.choice(&[16 << 10, 32 << 10, 64 << 10]).unwrap_or(&(32 << 10)),
            handshakes_per_minute: *rng.choice(&[120, 600, 600]).unwrap_or(&600),
        }
    }

    /// As the simulated vendor takes it.
    pub(crate) fn vendor(&self, seed: u64) -> Settings {
        Settings {
            seed,
            agents: self.agents,
            rate: f64::from(self.rate),
            numbering: self.numbering,
            body: self.body,
            ack_position: self.ack_position,
            announce_floor: self.announce_floor,
            token_life_ms: self.token_life_ms,
            page_limit: 6,
            churn_ms: 10_000,
            flapping_cuts: 8,
            flapping_ms: 4_000,
            narrow_events: NARROW_EVENTS,
            oversized_bytes: FRAME_BYTES_MAX + 1_024,
            ..Settings::default()
        }
    }

    /// The source's configuration, as a user would write it.
    pub(crate) fn source(&self) -> String {
        let capabilities = self.capabilities();
        let handshakes = self.handshakes_per_minute;
        format!(
            r#"name = "{SOURCE}"
api = "http://127.0.0.1:1"
stream = "ws://127.0.0.1:1"

[limits]
frame_bytes_max = {FRAME_BYTES_MAX}
in_flight_bytes_max = {IN_FLIGHT_BYTES_MAX}

[timing]
preset = "demo"
mass_delete_min = 2
mass_delete_percent = 60

[budget]
handshakes_per_minute = {handshakes}

[auth]
grant = "client_credentials"
client_id = "sim-client"
client_secret = "{secret}"

[profile]
extends = "cxone"
[profile.capabilities]
{capabilities}
"#,
            secret = unbroken_sim::VirtualVendor::credentials().client_secret,
        )
    }

    /// What this vendor can do by its published rules. Its cache is at most 400 ms old.
    fn capabilities(&self) -> String {
        let mut lines = vec!["snapshot_staleness_ms_max = 500", "clock_skew_ms_max = 0"];
        match self.numbering {
            Numbering::Contiguous => {}
            Numbering::Increasing => {
                lines.extend(["position = \"increasing\"", "coverage = \"filtered\""]);
            }
            Numbering::None => lines.extend([
                "position = \"none\"",
                "replay = \"none\"",
                "epoch_named = false",
                "snapshot = \"unpositioned\"",
                "rest_first = false",
            ]),
        }
        if self.body == Body::Schedules {
            lines.push("snapshot_body = \"other\"");
        }
        if !self.ack_position || !self.numbering.is_positioned() {
            lines.push("ack = \"plain\"");
        }
        if self.announce_floor {
            lines.push("floor = \"announced\"");
        }
        lines.join("\n")
    }
}

/// Name of the source and of its stream.
pub(crate) const SOURCE: &str = "proof";
/// See [`SOURCE`].
pub(crate) const STREAM: &str = "proof/adherence";

/// Below the vendor's deepest nesting, so that some of its frames are too large and some too deep.
const FRAME_BYTES_MAX: usize = 32 << 10;

/// Small, so that a slow disk makes the driver stop reading.
const IN_FLIGHT_BYTES_MAX: usize = 24 << 10;

/// Enough to fill a narrow road.
const NARROW_EVENTS: u64 = 200;

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = if self.body == Body::State { "state" } else { "schedules" };
        write!(
            f,
            "{},{body},agents={},rate={},ack={},floor={},latency_us={},sync_us={},token_ms={},\
             segment={},handshakes={}",
            self.numbering.name(),
            self.agents,
            self.rate,
            u8::from(self.ack_position),
            u8::from(self.announce_floor),
            self.latency_us,
            self.sync_us,
            self.token_life_ms,
            self.segment_bytes,
            self.handshakes_per_minute,
        )
    }
}

impl FromStr for Setting {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |part: &str, expected| ProofError::Plan { part: part.to_owned(), expected };
        let mut setting = Self::of(0);
        for part in text.split(',') {
            let Some((name, value)) = part.split_once('=') else {
                match part {
                    "state" => setting.body = Body::State,
                    "schedules" => setting.body = Body::Schedules,
                    other => {
                        let numbering = other.parse();
                        setting.numbering = numbering.map_err(|_| wrong(other, "a numbering"))?;
                    }
                }
                continue;
            };
            let number: u64 = value.parse().map_err(|_| wrong(part, "a number"))?;
            let small = u32::try_from(number).map_err(|_| wrong(part, "a smaller number"))?;
            match name {
                "agents" => setting.agents = small,
                "rate" => setting.rate = small,
                "ack" => setting.ack_position = number == 1,
                "floor" => setting.announce_floor = number == 1,
                "latency_us" => setting.latency_us = number,
                "sync_us" => setting.sync_us = number,
                "token_ms" => setting.token_life_ms = number,
                "segment" => setting.segment_bytes = number,
                "handshakes" => setting.handshakes_per_minute = small,
                _ => return Err(wrong(part, "a part of the setting")),
            }
        }
        Ok(setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_they_were_written() {
        for seed in 0..50 {
            let setting = Setting::of(seed);
            assert_eq!(setting.to_string().parse::<Setting>().unwrap(), setting);
        }
        assert!("contiguous,agents=x".parse::<Setting>().is_err());
        assert!("sideways".parse::<Setting>().is_err());
    }
}
