//! What the trials share in which the service is killed at random while its target fails, too.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use unbroken_core::record::digest;

use crate::service::{Service, World};

pub(crate) fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// How it is played: a few kills, or what the environment asks for.
pub(crate) struct Kills {
    pub(crate) count: u64,
    pub(crate) rng: Rng,
}

impl Kills {
    pub(crate) fn asked_for() -> Self {
        let rng = Rng::with_seed(number("SINK_SEED", 1));
        Self { count: number("SINK_KILLS", 6), rng }
    }

    /// Events a second meanwhile.
    pub(crate) fn rate() -> f64 {
        number("SINK_RATE", 200) as f64
    }

    /// Each time something fails elsewhere, or, where that says no, the service is killed. In the
    /// end it has given everything, and has been told to stop. Returns what it says then.
    pub(crate) fn play(
        &mut self,
        world: &World,
        mut service: Service,
        mut elsewhere: impl FnMut(&mut Rng) -> bool,
    ) -> String {
        for _ in 0..self.count {
            service.wait_live();
            sleep(Duration::from_millis(self.rng.u64(0..400)));
            if !elsewhere(&mut self.rng) {
                service.signal("KILL");
                service.wait();
                service = world.run(&[]);
            }
        }
        service.wait_live();
        has_caught_up(&service);
        let status = world.command(&["status", "--json"]).stdout;
        service.signal("TERM");
        let (code, log, _) = service.wait();
        assert_eq!(code, Some(0), "{log}");
        String::from_utf8_lossy(&status).into_owned() + &log
    }
}

/// However long it takes, as long as the sink comes closer, up to about a second behind.
pub(crate) fn has_caught_up(service: &Service) {
    let near = Kills::rate().max(100.0) as u64;
    let mut least = u64::MAX;
    while least >= near {
        let status = service.wait_status("with a sink that catches up", |status| {
            lag(status).is_some_and(|lag| lag < least)
        });
        least = lag(&status).unwrap_or(least);
    }
}

fn lag(status: &Value) -> Option<u64> {
    let sink = status["sinks"].get(0)?;
    (sink["phase"] == "running").then(|| sink["lag"].as_u64())?
}

/// Row for row; returns a hash of each side, to be printed.
pub(crate) fn are_the_same(sides: [(&str, Vec<String>); 2], kills: u64) -> String {
    let told = sides.each_ref().map(|(side, rows)| {
        let hash = digest(rows.join("\n").as_bytes());
        format!("{side}: {} records, hash {hash:032x}, after {kills} kills", rows.len())
    });
    let [(_, logged), (_, stored)] = sides;
    assert!(logged.len() as u64 > 20 * kills, "{told:?}");
    // Where they differ first, and not all of both.
    let differ = logged.iter().zip(&stored).find(|(logged, stored)| logged != stored);
    assert_eq!(differ, None, "{told:?}");
    assert_eq!(logged.len(), stored.len(), "{told:?}");
    told.join("\n")
}
