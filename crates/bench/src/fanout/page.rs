//! The figures as a table.

use super::outcome::Outcome;
use crate::summary::Figure;

/// One run in a line.
pub(super) fn line(outcome: &Outcome) -> String {
    let Outcome { kind, clients, cpu_us_per_event, .. } = outcome;
    let what = match (outcome.events_per_s, outcome.p50_us.zip(outcome.p99_us)) {
        (Some(rate), _) => format!("{rate:.0} events/s, {cpu_us_per_event:.2} µs of CPU each"),
        (None, Some((p50, p99))) => format!("p50 {p50} µs, p99 {p99} µs"),
        (None, None) => "nothing".to_owned(),
    };
    format!("{kind:5} {clients:5} clients: {what}")
}

/// Medians over the rounds; ratios are taken inside a round.
pub(super) fn table(outcomes: &[Outcome], crowds: &[usize]) -> String {
    let mut text = String::from(
        "| clients | relay, events/s | bare, events/s | ratio (lowest to highest) | relay, p50 / \
         p99 ms | bare, p50 / p99 ms |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for clients in crowds {
        let of = |kind: &'static str| {
            outcomes.iter().filter(move |one| one.kind == kind && one.clients == *clients)
        };
        let rates = |kind| -> Vec<f64> { of(kind).filter_map(|one| one.events_per_s).collect() };
        let ratios = rates("relay").into_iter().zip(rates("bare")).map(|(ours, bare)| ours / bare);
        let delay = |kind, figure: fn(&Outcome) -> Option<u64>| {
            let delays = of(kind).filter_map(figure).map(|us| us as f64 / 1e3).collect();
            Figure::of(delays).unwrap_or_default().median
        };
        let delays = |kind| {
            let (p50, p99) = (delay(kind, |one| one.p50_us), delay(kind, |one| one.p99_us));
            format!("{p50:.2} / {p99:.2}")
        };
        let rate = |kind| Figure::of(rates(kind)).unwrap_or_default().median;
        let ratio = Figure::of(ratios.collect()).unwrap_or_default();
        text.push_str(&format!(
            "| {clients} | {:.0} | {:.0} | {:.2} ({:.2} to {:.2}) | {} | {} |\n",
            rate("relay"),
            rate("bare"),
            ratio.median,
            ratio.min,
            ratio.max,
            delays("relay"),
            delays("bare"),
        ));
    }
    text
}
