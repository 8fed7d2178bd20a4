//! The verdict in words that a newcomer understands. T1 (state) and T2 (events) are two promises
//! and are told apart.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use unbroken::render::{Paint, count, counted, duration_ms};
use unbroken_sim::Verdict;

use super::history::History;
use super::judged::Judgement;

/// Two paragraphs and a tick or a cross for each promise.
pub(crate) fn explain(judgement: &Judgement, paint: Paint) -> String {
    let Judgement { verdict, history, stale_live_ms_bound, .. } = judgement;
    tell(verdict, history.as_ref(), *stale_live_ms_bound, paint)
}

fn tell(verdict: &Verdict, history: Option<&History>, bound_ms: u64, paint: Paint) -> String {
    let mut text = String::new();
    for promise in [state(verdict, bound_ms), events(verdict, history)] {
        let mark = if promise.kept { paint.good("✔ kept  ") } else { paint.bad("✘ BROKEN") };
        let _ = writeln!(text, "{mark}  {}", paint.bold(promise.title));
        for line in promise.lines {
            let _ = writeln!(text, "          {line}");
        }
    }
    text
}

struct Promise {
    kept: bool,
    title: &'static str,
    lines: Vec<String>,
}

fn events(v: &Verdict, history: Option<&History>) -> Promise {
    let missing = v.unrecoverable + v.unproven;
    let mut lines = vec![format!(
        "{} made by the vendor, {} in the log: {} twice, {} out of order",
        counted(v.events_emitted, "event"),
        count(v.events_stored),
        count(v.duplicated),
        count(v.out_of_order),
    )];
    lines.push(format!(
        "{} lost that the vendor would still have given; {} missing without a word in the ledger",
        count(v.lost),
        count(v.uncovered),
    ));
    if missing > 0 {
        lines.push(format!(
            "{} withheld by the vendor for good, as the ledger says ({} certainly, {} possibly)",
            count(missing),
            count(v.unrecoverable),
            count(v.unproven),
        ));
    }
    if v.undetectable > 0 {
        lines.push(format!(
            "{} dropped by the vendor where no client could have seen it",
            count(v.undetectable)
        ));
    }
    if v.overclaimed > 0 {
        lines.push(format!(
            "{} in the log although the ledger calls them lost",
            count(v.overclaimed)
        ));
    }
    if v.gaps_open > 0 {
        lines.push(format!("{} of the ledger never closed", counted(v.gaps_open, "row")));
    }
    lines.extend(history.map(facts));
    let bad = [v.lost, v.duplicated, v.out_of_order, v.uncovered, v.overclaimed, v.gaps_open];
    Promise {
        kept: bad.iter().all(|figure| *figure == 0)
            && history.is_none_or(|history| history.verdict.is_clean()),
        title: "T2  no lost event: each once, in order; what the vendor lost is written down",
        lines,
    }
}

fn facts(history: &History) -> String {
    let History { verdict, held, summarised, left } = history;
    format!(
        "{} of the vendor's history in place of events, for {}: {} missing, {} twice, {} of \
         nobody's; {} left without",
        counted(*held, "fact"),
        counted(*summarised, "interval"),
        count(verdict.missing),
        count(verdict.duplicated),
        count(verdict.unknown),
        counted(*left, "interval"),
    )
}

fn state(v: &Verdict, bound_ms: u64) -> Promise {
    let mut lines =
        vec![format!("{} differ from the vendor's at the end", counted(v.stale_keys, "key"))];
    if v.stale_marked_keys > 0 {
        lines.push(format!("{} may be old, and say so", counted(v.stale_marked_keys, "key")));
    }
    lines.push(format!(
        "the longest that a value was wrong while called live: {} (allowed {})",
        duration_ms(v.stale_live_ms_max),
        duration_ms(bound_ms),
    ));
    Promise {
        kept: v.stale_keys == 0 && v.stale_live_ms_max <= bound_ms,
        title: "T1  no lost state: what it shows is what the vendor has, or it says that it is old",
        lines,
    }
}

/// The judgement's figures, as the fields of one object.
pub(crate) fn figures_json(judgement: &Judgement) -> Map<String, Value> {
    let v = &judgement.verdict;
    let figures = json!({
        "events_emitted": v.events_emitted,
        "events_stored": v.events_stored,
        "lost": v.lost,
        "undetectable": v.undetectable,
        "uncovered": v.uncovered,
        "unproven": v.unproven,
        "unrecoverable": v.unrecoverable,
        "overclaimed": v.overclaimed,
        "duplicated": v.duplicated,
        "out_of_order": v.out_of_order,
        "stale_keys": v.stale_keys,
        "stale_marked_keys": v.stale_marked_keys,
        "stale_live_ms_max": v.stale_live_ms_max,
        "gaps_open": v.gaps_open,
        "history": judgement.history.as_ref().map(History::to_json),
        "gaps": judgement.gaps.to_json(),
        "verified": judgement.checked.is_clean(),
        "stale_live_ms_bound": judgement.stale_live_ms_bound,
    });
    match figures {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use unbroken::render::Paint;
    use unbroken_sim::Verdict;

    use super::{History, tell};

    #[test]
    fn what_the_vendor_lost_for_good_breaks_no_promise_if_it_is_written_down() {
        let verdict = Verdict {
            events_emitted: 1_200,
            events_stored: 1_100,
            unrecoverable: 100,
            ..Verdict::default()
        };
        let text = tell(&verdict, None, 1_250, Paint::plain());
        assert_eq!(text.matches("✔ kept").count(), 2);
        assert!(text.contains("100 withheld by the vendor for good"));
    }

    #[test]
    fn facts_that_are_not_there_break_the_promise_about_events() {
        let mut history = History { held: 7, summarised: 2, left: 1, ..History::default() };
        let told =
            |history: &History| tell(&Verdict::default(), Some(history), 1_250, Paint::plain());
        assert!(told(&history).contains("7 facts of the vendor's history"));
        assert_eq!(told(&history).matches("✔ kept").count(), 2);
        history.verdict.missing = 1;
        assert!(told(&history).contains("✘ BROKEN  T2"));
    }

    #[test]
    fn state_and_events_are_judged_apart() {
        let verdict = Verdict { stale_keys: 1, ..Verdict::default() };
        let text = tell(&verdict, None, 1_250, Paint::plain());
        assert!(text.contains("✘ BROKEN  T1"));
        assert!(text.contains("✔ kept    T2"));
    }
}
