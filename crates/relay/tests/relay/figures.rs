//! What the relay tells of itself.

use std::collections::BTreeSet;

use unbroken_relay::RelayConfig;

use crate::house::House;

/// The names in the relay's table of the reference.
fn documented() -> BTreeSet<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    let text = std::fs::read_to_string(page).expect("the reference is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `relay_"));
    rows.filter_map(|row| Some(format!("unbroken_relay_{}", row.split_once('`')?.0))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_is_in_the_reference() {
    let house = House::new(RelayConfig::default());
    let text = house.get("/metrics").send().await.expect("one").text().await.expect("text");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE unbroken_relay_"));
    let names = types.filter_map(|line| Some(line.split_once(' ')?.0));
    let told: BTreeSet<String> = names.map(|name| format!("unbroken_relay_{name}")).collect();
    assert_eq!(told, documented());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_are_counted_by_name_wherever_they_are_told() {
    let mut house = House::new(RelayConfig::default());
    let problems = |name: &str| format!("problems_total{{problem=\"{name}\"}}");
    assert_eq!(house.figure(&problems("not-found")).await, 0);
    assert_eq!(house.ask("/nothing").await.0, 404);
    assert_eq!(house.ask("/v1/events?after=12").await.0, 400);
    let foreign = house.get("/v1/state").header("host", "elsewhere").send().await;
    assert_eq!(foreign.expect("an answer").status(), 421);
    for name in ["not-found", "cursor-invalid", "host-not-allowed"] {
        assert_eq!(house.figure(&problems(name)).await, 1, "{name}");
    }
    assert_eq!(house.figure(&problems("stale")).await, 0);
    assert_eq!(house.ask("/readyz").await.0, 503);
    assert_eq!(house.figure(&problems("stale")).await, 1);
    house.stop_relay();
}
