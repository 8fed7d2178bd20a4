//! What is told of a soak.

use serde_json::{Value, json};
use unbroken::render::{Paint, Table, count, counted, duration_ms, millis};
use unbroken::words::cause_plainly_by_name;

use super::course::{Course, FLAT_BYTES_PER_EVENT, FLAT_COUNT, Look, Trend};
use super::measure::Use;
use super::session::Soak;
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, explain, figures_json};
use crate::cli::output::{Output, say};

/// Most looks that are told at the end.
const SAMPLE_MAX: usize = 25;

/// So many looks make one line on the screen.
const LOOKS_A_LINE: usize = 12;

/// **The bound on resident memory of a service with one source**, in bytes, whatever the vendor
/// does: what is in flight to the disk (32 MiB), one batch read beyond it (4 MiB), one frame (16
/// MiB) and one page (32 MiB, and as much again while it is taken apart), the committer's batch and
/// the feeder's group (16 MiB each), SQLite's cache (8 MiB), and what a thousand agents and the
/// program itself need (32 MiB), rounded up. A soak stays far below; beyond it something is kept.
pub(super) const RSS_BYTES_BOUND: u64 = 256 << 20;

/// Everything that is known at the end.
pub(super) struct Ending {
    pub(super) soak: Soak,
    pub(super) course: Course,
    pub(super) injected: u64,
    pub(super) fired: u64,
    pub(super) quiet: bool,
    pub(super) stopped_in_time: bool,
    pub(super) judgement: Judgement,
}

impl Ending {
    /// Nothing lost, nothing doubled, nothing grown.
    pub(super) fn is_clean(&self) -> bool {
        let trend = self.course.trend();
        self.judgement.is_clean()
            && self.quiet
            && self.stopped_in_time
            && trend.is_flat().unwrap_or(true)
            && trend.is_tidy
            && trend.rss_bytes_max <= RSS_BYTES_BOUND
            && !self.course.looks.is_empty()
    }
}

/// One look in a while.
pub(super) fn tell(look: &Look, number: usize) {
    if number.is_multiple_of(LOOKS_A_LINE) {
        let Use { rss_bytes, thread_count, file_count, .. } = look.used;
        say(&format!(
            "{:>12}  {:>6} MiB  {} recorded, {}, {}\n",
            duration_ms(look.at_ms),
            mib(rss_bytes),
            counted(look.events, "event"),
            counted(thread_count, "thread"),
            counted(file_count, "descriptor"),
        ));
    }
}

pub(super) fn print(ending: &Ending) -> Result<(), CliError> {
    let (judgement, trend) = (&ending.judgement, ending.course.trend());
    let paint = Paint::of(&std::io::stderr());
    let mut text = explain(judgement, paint);
    text.push_str(&judgement.gaps.table(cause_plainly_by_name));
    text.push_str(&samples(&ending.course));
    text.push_str(&flatness(&trend, paint));
    text.push_str(&format!(
        "{} injected, {} fired; verify {}; the judge itself needed {} MiB; seed {}\n{}\n",
        counted(ending.injected, "fault"),
        count(ending.fired),
        if judgement.checked.is_clean() { "clean" } else { "NOT CLEAN" },
        Use::of(std::process::id()).map_or(0, |used| mib(used.rss_bytes)),
        ending.soak.vendor.common().seed,
        if ending.is_clean() { "UNBROKEN" } else { "BROKEN" },
    ));
    for example in judgement.verdict.examples.iter().filter(|_| !ending.is_clean()) {
        let position = example.position.as_deref().unwrap_or("no position");
        text.push_str(&format!(
            "  {}: {position} of {}: {}\n",
            example.figure, example.agent, example.reason
        ));
    }
    say(&text);
    let mut out = Output::new();
    if ending.soak.json {
        out.json(&figures(ending, &trend))?;
    }
    out.flush()
}

fn samples(course: &Course) -> String {
    let headings = ["at", "resident MiB", "anonymous MiB", "events", "descriptors", "threads"];
    let mut table = Table::new(&headings);
    for Look { at_ms, used, events } in course.sample(SAMPLE_MAX) {
        table.row([
            duration_ms(*at_ms),
            mib(used.rss_bytes).to_string(),
            mib(used.anonymous_bytes).to_string(),
            count(*events),
            count(used.file_count),
            count(used.thread_count),
        ]);
    }
    table.render()
}

fn flatness(trend: &Trend, paint: Paint) -> String {
    let most = format!("most {} MiB of {} allowed", mib(trend.rss_bytes_max), mib(RSS_BYTES_BOUND));
    match (trend.bytes_per_event, trend.is_flat()) {
        (Some(slope), Some(flat)) => {
            let mark = if flat { paint.good("✔ flat") } else { paint.bad("✘ GROWS") };
            let grown = |growth: Option<f64>| growth.unwrap_or_default();
            format!(
                "{mark}  {slope:.3} bytes for each event ({FLAT_BYTES_PER_EVENT} allowed), {:.1} \
                 descriptors and {:.1} threads in the whole time ({FLAT_COUNT} allowed); {most}\n",
                grown(trend.file_growth),
                grown(trend.thread_growth),
            )
        }
        _ => format!("too few events to tell a slope; {most}\n"),
    }
}

fn figures(ending: &Ending, trend: &Trend) -> Value {
    let mut object = figures_json(&ending.judgement);
    let at = ending.course.sample(SAMPLE_MAX).into_iter().map(
        |look| json!({ "at_ms": look.at_ms, "events": look.events, "used": used_json(&look.used) }),
    );
    let more = json!({
        "clean": ending.is_clean(), "seed": ending.soak.vendor.common().seed,
        "duration_ms": millis(ending.soak.duration), "faults_injected": ending.injected,
        "faults_fired": ending.fired, "quiet": ending.quiet,
        "stopped_in_time": ending.stopped_in_time,
        "log_oldest_offset": ending.judgement.checked.log.oldest_offset,
        "looks": ending.course.looks.len(), "rss_bytes_max": trend.rss_bytes_max,
        "rss_bytes_bound": RSS_BYTES_BOUND, "bytes_per_event": trend.bytes_per_event,
        "bytes_per_event_bound": FLAT_BYTES_PER_EVENT, "flat": trend.is_flat(),
        "file_growth": trend.file_growth, "thread_growth": trend.thread_growth,
        "count_growth_bound": FLAT_COUNT, "vendor": ending.soak.vendor.vendor_name(),
        "tidy": trend.is_tidy, "at": at.collect::<Vec<_>>(),
        "last": ending.course.looks.last().map(|look| used_json(&look.used)),
        "dir": ending.soak.dir.display().to_string(),
    });
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
}

fn used_json(used: &Use) -> Value {
    json!({
        "rss_bytes": used.rss_bytes, "anonymous_bytes": used.anonymous_bytes,
        "threads": used.thread_count, "files": used.file_count,
    })
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
