//! Goal: every way back to Live is reached over a long road, and its time is known.
//!
//! Method: the whole pipeline against the simulator over TLS with 50 ms added each way, production
//! delays, 200 events per second. Time runs from the arrival of FIN or RST (the vendor's sending
//! plus 50 ms) to Live, and is set against its floor: the round trips that follow one another of
//! necessity.
//!
//! `make latency` prints the table. In the tests each way is gone twice and no time is asserted:
//! how busy the machine is decides that.
#![cfg(test)]

mod course;
mod scenario;

use std::time::Duration;

use course::{LATENCY_MS, Lap, ROUND_TRIP_MS};
use scenario::{SCENARIOS, Scenario};

/// How often each way is gone: for figures, and to see that it is there.
const LAPS: &str = "UNBROKEN_LATENCY_LAPS";
const LAPS_SMOKE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_back_to_live_is_reached_and_measured() {
    match std::env::var(LAPS) {
        Ok(laps) => measure(laps.parse().unwrap()).await,
        Err(_) => smoke().await,
    }
}

/// One after another, so that none disturbs another's time.
async fn measure(laps: usize) {
    println!("{laps} times each, {LATENCY_MS} ms each way, times in ms");
    let [way, of] = ["way", "floor's parts"];
    let figures = ["conns", "floor", "p50", "max", "ratio"].map(|name| format!("{name:>6}"));
    println!("{way:<35} {}  {of}", figures.join(" "));
    for scenario in chosen() {
        println!("{}", row(scenario, course::run(scenario, laps).await));
    }
}

/// All at once.
async fn smoke() {
    let runs: Vec<_> =
        SCENARIOS.iter().map(|scenario| tokio::spawn(course::run(scenario, LAPS_SMOKE))).collect();
    for (scenario, run) in SCENARIOS.iter().zip(runs) {
        let laps = run.await.unwrap();
        assert_eq!(laps.len(), LAPS_SMOKE, "{}", scenario.name);
        assert!(laps.iter().all(|lap| !lap.elapsed.is_zero()), "{}", scenario.name);
    }
}

/// All scenarios, or those whose name begins with the text in `UNBROKEN_LATENCY_WAY`.
fn chosen() -> impl Iterator<Item = &'static Scenario> {
    let way = std::env::var("UNBROKEN_LATENCY_WAY").unwrap_or_default();
    SCENARIOS.iter().filter(move |scenario| scenario.name.starts_with(&way))
}

fn row(scenario: &Scenario, mut laps: Vec<Lap>) -> String {
    laps.sort_by_key(|lap| lap.elapsed);
    let floor_ms = u64::from(scenario.round_trips()) * ROUND_TRIP_MS;
    let (p50, max) = (laps[laps.len() / 2].elapsed, laps[laps.len() - 1].elapsed);
    let connections = laps[laps.len() / 2].connections;
    let ratio = p50.as_secs_f64() * 1_000.0 / floor_ms as f64;
    format!(
        "{:<36} {connections:>5} {floor_ms:>6} {:>6} {:>6} {ratio:>6.2}  {} = {} round trips",
        scenario.name,
        millis(p50),
        millis(max),
        scenario.composition(),
        scenario.round_trips(),
    )
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}
