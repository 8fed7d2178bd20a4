//! From runs to figures, and from figures to a table.

use std::fmt::Write;

use crate::summary::{Figure, Run, Summary};

/// What one run has come to.
pub(crate) fn line(run: &Run) -> String {
    let mut text = format!(
        "  {:.0} events/s, {:.2} us CPU each, {} MiB",
        run.events_per_s(),
        run.cpu_us_per_event(),
        run.rss_peak_kib / 1024
    );
    if let (Some(rate), Some(cpu)) = (run.to_end_per_s(), run.cpu_to_end_us_per_event()) {
        let _ = write!(text, "; to the end {rate:.0} events/s, {cpu:.2} us");
    }
    if let Some(latency) = &run.latency {
        let _ = write!(
            text,
            "; p50 {} p99 {} p99.9 {} us (sender late by up to {})",
            latency.p50_us, latency.p99_us, latency.p999_us, latency.sender_late_us_max
        );
    }
    text
}

/// Adds every figure: medians and ranges of each contestant, and of the ratios inside each round.
pub(crate) fn compare(summary: &mut Summary) {
    let mut figures = Vec::new();
    let mut names: Vec<String> = summary.runs.iter().map(|run| run.contestant.clone()).collect();
    names.sort();
    names.dedup();
    for name in &names {
        let runs: Vec<&Run> = summary.runs.iter().filter(|run| run.contestant == *name).collect();
        let mut add = |what: &str, of: &dyn Fn(&Run) -> Option<f64>| {
            let values = runs.iter().filter_map(|run| of(run)).collect();
            figures.push((format!("{name}.{what}"), values));
        };
        add("events_per_s", &|run| Some(run.events_per_s()));
        add("cpu_us_per_event", &|run| Some(run.cpu_us_per_event()));
        add("to_end_events_per_s", &Run::to_end_per_s);
        add("to_end_cpu_us_per_event", &Run::cpu_to_end_us_per_event);
        add("rss_peak_mib", &|run| Some(run.rss_peak_kib as f64 / 1024.0));
        add("p50_us", &|run| Some(run.latency?.p50_us as f64));
        add("p99_us", &|run| Some(run.latency?.p99_us as f64));
        add("p999_us", &|run| Some(run.latency?.p999_us as f64));
        for (what, of) in PERCENTILES {
            let in_syncs = |run: &&Run| {
                let sync = summary.limits.get(run.round)?.fdatasync_p50_us;
                Some(of(run)? / sync)
            };
            let values = runs.iter().filter_map(in_syncs).collect();
            figures.push((format!("{name}.{what}_in_fdatasyncs"), values));
        }
    }
    for (name, of, over, under) in RATIOS {
        figures.push(((*name).to_owned(), paired(summary, over, under, of)));
    }
    figures.push(("bytes_per_agent".to_owned(), bytes_per_agent(summary)));
    let limit = |of: fn(&crate::summary::LimitFigures) -> f64| {
        summary.limits.iter().map(of).collect::<Vec<f64>>()
    };
    figures.extend([
        ("limit.raw_events_per_s".to_owned(), limit(|l| l.raw_events_per_s)),
        ("limit.raw_cpu_us_per_event".to_owned(), limit(|l| l.raw_cpu_us_per_event)),
        ("limit.parse_us_per_event".to_owned(), limit(|l| l.parse_us_per_event)),
        ("limit.append_events_per_s".to_owned(), limit(|l| l.append_events_per_s)),
        ("limit.fdatasync_p50_us".to_owned(), limit(|l| l.fdatasync_p50_us)),
        ("limit.fdatasync_p99_us".to_owned(), limit(|l| l.fdatasync_p99_us)),
    ]);
    let of = |(name, values)| Figure::of(values).map(|figure| (name, figure));
    summary.figures = figures.into_iter().filter_map(of).collect();
}

type Of = fn(&Run) -> Option<f64>;

const PERCENTILES: [(&str, Of); 2] = [
    ("p50", |run| Some(run.latency?.p50_us as f64)),
    ("p99", |run| Some(run.latency?.p99_us as f64)),
];

/// Name, figure, over, under.
const RATIOS: &[(&str, Of, &str, &str)] = &[
    ("ratio.over_node_batch", rate, "unbroken", "node-batch"),
    ("ratio.over_node_batch_to_end", rate_to_end, "unbroken", "node-batch"),
    ("ratio.over_node_one", rate, "unbroken", "node-one"),
    ("ratio.over_node_ndjson", rate, "unbroken", "node-ndjson"),
    ("ratio.tls_over_plain", rate, "unbroken-tls", "unbroken"),
    ("ratio.tls_over_node_batch_tls", rate, "unbroken-tls", "node-batch-tls"),
    ("ratio.twice_as_long_cost", Run::cpu_to_end_us_per_event, "unbroken-twice", "unbroken"),
];

fn rate(run: &Run) -> Option<f64> {
    Some(run.events_per_s())
}

/// Node puts nothing off.
fn rate_to_end(run: &Run) -> Option<f64> {
    run.to_end_per_s().or(rate(run))
}

/// The ratio of two contestants in each round.
fn paired(summary: &Summary, over: &str, under: &str, of: &Of) -> Vec<f64> {
    let find = |round: usize, name: &str| {
        let of_round = |run: &&Run| run.round == round && run.contestant == name;
        summary.runs.iter().find(of_round).and_then(of)
    };
    (0..summary.rounds).filter_map(|round| Some(find(round, over)? / find(round, under)?)).collect()
}

/// What each agent more has cost in memory, after the same number of events.
fn bytes_per_agent(summary: &Summary) -> Vec<f64> {
    let find = |round: usize, name: &str| {
        summary.runs.iter().find(|run| run.round == round && run.contestant == name)
    };
    (0..summary.rounds)
        .filter_map(|round| {
            let (many, few) = (find(round, "unbroken-many-agents")?, find(round, "unbroken")?);
            let bytes = many.rss_after_kib.saturating_sub(few.rss_after_kib) * 1024;
            let agents = many.agents.checked_sub(few.agents).filter(|agents| *agents > 0)?;
            Some(bytes as f64 / agents as f64)
        })
        .collect()
}

/// All figures, one a line.
pub(crate) fn table(summary: &Summary) -> String {
    let mut text = format!(
        "{}, Linux {}, Node {}; size {}, {} rounds\n\n{:<44} {:>12} {:>12} {:>12}\n",
        summary.machine.cpu,
        summary.machine.kernel,
        summary.machine.node,
        summary.size,
        summary.rounds,
        "figure",
        "median",
        "lowest",
        "highest"
    );
    for (name, Figure { median, min, max }) in &summary.figures {
        let _ = writeln!(
            text,
            "{name:<44} {:>12} {:>12} {:>12}",
            number(*median),
            number(*min),
            number(*max)
        );
    }
    text
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
