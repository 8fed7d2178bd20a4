//! The board as Prometheus text.
//!
//! Written by hand: the figures are one reading of the board, so a library of live counters would
//! have to be fed a second time, and the format is three kinds of lines.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use unbroken_core::time::UnixMicros;

use super::{RECOVERY_SECONDS, SinkStatus, SourceStatus, StreamStatus};
use crate::control::Status;
use crate::words;

/// Prometheus text format 0.0.4, of a status as of `now`.
pub fn render_metrics(status: &Status, now: UnixMicros) -> String {
    let mut text = Exposition::default();
    process(&mut text, status);
    let sources = || status.sources.iter();
    asked(&mut text, sources);
    let streams = || sources().flat_map(|of| of.streams.iter().map(move |stream| (of, stream)));
    doing(&mut text, now, streams);
    recorded(&mut text, streams);
    recovered(&mut text, streams);
    sinks(&mut text, &status.sinks);
    text.0
}

fn process(text: &mut Exposition, status: &Status) {
    text.family("build_info", Kind::Gauge, "The version that runs; always 1.");
    text.sample("build_info", &[("version", &status.version)], 1);
    let mut one = |name, kind, help, value: u64| {
        text.family(name, kind, help);
        text.sample(name, &[], value);
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    one("uptime_seconds", gauge, "Since the process started.", status.uptime_ms / 1_000);
    one("journal_next_offset", gauge, "The next record's offset.", status.next_offset);
    one("journal_bytes", gauge, "Size of the log on disk.", status.journal_bytes);
    one("store_offset", gauge, "The store holds every record below.", status.store_offset);
    let lag = status.next_offset.saturating_sub(status.store_offset);
    let help = "Times that feeding the store has failed; it is tried again.";
    one("store_failures_total", counter, help, status.store_failures);
    one("store_lag_records", gauge, "Records that the store does not hold yet.", lag);
    let hooks = &status.hooks;
    one("hooks_told_total", counter, "Notices that a hook was told.", hooks.done);
    one("hooks_failed_total", counter, "Notices that a hook could not be told.", hooks.failed);
    let help = "Notices that newer ones pushed out, because a hook was too slow.";
    one("hooks_coalesced_total", counter, help, hooks.coalesced);
}

/// How each sink is doing.
fn sinks(text: &mut Exposition, sinks: &[SinkStatus]) {
    let mut each = |name, kind, help, value: fn(&SinkStatus) -> Option<u64>| {
        text.family(name, kind, help);
        for sink in sinks {
            if let Some(value) = value(sink) {
                text.sample(name, &[("sink", &sink.name), ("target", &sink.target)], value);
            }
        }
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    let help = "1 while the sink takes what comes.";
    each("sink_running", gauge, help, |sink| Some(u64::from(sink.phase == "running")));
    let help = "Records of the log that are not in the target yet.";
    each("sink_lag_records", gauge, help, |sink| sink.lag);
    let help = "Records committed to the target.";
    each("sink_records_total", counter, help, |sink| Some(sink.records));
    let help = "Batches committed to the target.";
    each("sink_batches_total", counter, help, |sink| Some(sink.batches));
    let help = "Records put aside, since the target refuses them.";
    each("sink_parked_total", counter, help, |sink| Some(sink.parked));
    let help = "Commits and opens that failed; they are tried again.";
    each("sink_failures_total", counter, help, |sink| Some(sink.failures));
    let help = "Records that retention deleted before the target had them.";
    each("sink_lapsed_records_total", counter, help, |sink| Some(sink.lapsed));
}

/// What each source has asked its vendor for.
fn asked<'a, I>(text: &mut Exposition, sources: impl Fn() -> I)
where
    I: Iterator<Item = &'a SourceStatus>,
{
    let mut each = |name, kind, help, value: fn(&SourceStatus) -> u64| {
        text.family(name, kind, help);
        for source in sources() {
            text.sample(name, &[("source", &source.name)], value(source));
        }
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    each("source_running", gauge, "0 if the source has stopped by itself.", |source| {
        u64::from(source.stopped.is_none())
    });
    each("frames_total", counter, "Frames read from sockets.", |source| source.counts.frames);
    let help = "Well-formed things in frames that the profile does not know.";
    each("unknown_total", counter, help, |source| source.counts.unknown);
    let help = "Bytes handed to the journal and not durable yet.";
    each("in_flight_bytes", gauge, help, |source| source.counts.in_flight_bytes);
    let help = "Events handed to the journal (seen) and not durable yet.";
    each("in_flight_events", gauge, help, |source| source.counts.in_flight_events);
    expiring(text, &sources);
    let mut answered = |name, help, value: fn(&SourceStatus) -> (u64, u64)| {
        text.family(name, Kind::Counter, help);
        for source in sources() {
            let (good, bad) = value(source);
            text.sample(name, &[("source", &source.name), ("outcome", "good")], good);
            text.sample(name, &[("source", &source.name), ("outcome", "failed")], bad);
        }
    };
    answered("handshakes_total", "WebSocket handshakes.", |source| source.counts.handshakes);
    let help = "Requests for the head or a page.";
    answered("rest_requests_total", help, |source| source.counts.requests);
    answered("token_requests_total", "Requests for a token.", |source| source.counts.tokens);
}

/// When each source's token ends.
fn expiring<'a, I>(text: &mut Exposition, sources: &impl Fn() -> I)
where
    I: Iterator<Item = &'a SourceStatus>,
{
    let name = "token_expiry_timestamp_seconds";
    text.family(name, Kind::Gauge, "When the access token ends, where that is known.");
    for source in sources() {
        if let Some(at) = source.counts.token_expires_at {
            let seconds = seconds_between(UnixMicros(0), at);
            text.sample(name, &[("source", &source.name)], seconds);
        }
    }
}

/// How each stream is doing.
fn doing<'a, I>(text: &mut Exposition, now: UnixMicros, streams: impl Fn() -> I)
where
    I: Iterator<Item = (&'a SourceStatus, &'a StreamStatus)>,
{
    let mut each = |name, help, value: &dyn Fn(&StreamStatus) -> Option<f64>| {
        text.family(name, Kind::Gauge, help);
        for (source, stream) in streams() {
            if let Some(value) = value(stream) {
                text.sample(name, &labels(source, stream), value);
            }
        }
    };
    let flag = |is: bool| Some(f64::from(u8::from(is)));
    let help = "1 if the stream is complete, current and proved.";
    each("live", help, &|stream| flag(stream.is_live()));
    each("paused", "1 if a person has paused it.", &|stream| flag(stream.is_paused()));
    let help = "Seconds since the stream was last live (or the process started); 0 while it is.";
    each("stale_seconds", help, &|stream| {
        Some(stream.doubted_since.map_or(0.0, |since| seconds_between(since, now)))
    });
    let help = "When its last frame was read, heartbeats included.";
    each("last_frame_timestamp_seconds", help, &|stream| {
        stream.frame_at.map(|at| seconds_between(UnixMicros(0), at))
    });
    let help = "The vendor's time of the newest durable event.";
    each("last_event_timestamp_seconds", help, &|stream| {
        stream.event_at.map(|at| seconds_between(UnixMicros(0), at))
    });
    let help = "Age of the newest durable event by the vendor's clock.";
    each("last_event_age_seconds", help, &|stream| {
        stream.event_at.map(|at| seconds_between(at, now))
    });
    let help = "1 while it waits because its source's budget is spent: their sum is the queue.";
    each("over_budget", help, &|stream| flag(stream.waits_for_budget(now)));
    let help = "1 while too many of the vendor's frames are not understood.";
    each("schema_changed", help, &|stream| flag(stream.schema_changed_at.is_some()));
    each("gaps_open", "Ledger rows that are open.", &|stream| Some(stream.gaps_open as f64));
    placed(text, &streams);
    let name = "phase";
    text.family(name, Kind::Gauge, "What the stream is waiting for: 1 at one phase.");
    for (source, stream) in streams() {
        for phase in words::PHASES.iter().copied() {
            let [of, named] = labels(source, stream);
            let is = u8::from(stream.phase == phase);
            text.sample(name, &[of, named, ("phase", phase)], is);
        }
    }
}

/// Where a resume of each stream would start. As a whole number: a float has no room for it.
fn placed<'a, I>(text: &mut Exposition, streams: &impl Fn() -> I)
where
    I: Iterator<Item = (&'a SourceStatus, &'a StreamStatus)>,
{
    text.family("position", Kind::Gauge, "Where a resume would start, in the present numbering.");
    for (source, stream) in streams() {
        if let Some(sequence) = stream.sequence() {
            text.sample("position", &labels(source, stream), sequence);
        }
    }
}

/// What each stream has recorded.
fn recorded<'a, I>(text: &mut Exposition, streams: impl Fn() -> I)
where
    I: Iterator<Item = (&'a SourceStatus, &'a StreamStatus)>,
{
    let mut each = |name, help, value: fn(&StreamStatus) -> u64| {
        text.family(name, Kind::Counter, help);
        for (source, stream) in streams() {
            text.sample(name, &labels(source, stream), value(stream));
        }
    };
    each("events_total", "Events stored durably.", |stream| stream.events);
    let help = "Events that came again and were dropped.";
    each("duplicates_total", help, |stream| stream.duplicates);
    let help = "Frames of another subscription, dropped.";
    each("foreign_total", help, |stream| stream.foreign);
    let help = "Frames or events that were not understood and kept aside.";
    each("quarantined_total", help, |stream| stream.quarantined);
    let help = "Times the stream became live.";
    each("live_transitions_total", help, |stream| stream.live_count);
    each("snapshots_total", "Snapshots published.", |stream| stream.snapshots);
    let mut by = |name, help, label, known: &[&'static str], value: By| {
        text.family(name, Kind::Counter, help);
        for (source, stream) in streams() {
            let [of, named] = labels(source, stream);
            for word in known {
                let count = value(stream).get(*word).copied().unwrap_or(0);
                text.sample(name, &[of, named, (label, word)], count);
            }
        }
    };
    let help = "Connections lost, by what the loss calls for.";
    by("connections_lost_total", help, "cause", words::CLASSES, |stream| &stream.lost_by);
    let help = "Times the stream waited because its source's budget was spent.";
    let budgets = words::ALLOWANCES;
    by("over_budget_total", help, "budget", budgets, |stream| &stream.over_budget_by);
    let help = "Ledger rows opened, by cause.";
    by("gaps_opened_total", help, "cause", words::CAUSES, |stream| &stream.gaps_opened_by);
    let help = "Ledger rows closed, by outcome.";
    by("gaps_closed_total", help, "outcome", words::OUTCOMES, |stream| &stream.gaps_closed_by);
}

/// How long outages lasted.
fn recovered<'a, I>(text: &mut Exposition, streams: impl Fn() -> I)
where
    I: Iterator<Item = (&'a SourceStatus, &'a StreamStatus)>,
{
    let help = "Outages that are over, by how long the stream was not live.";
    text.family("recovery_seconds", Kind::Histogram, help);
    for (source, stream) in streams() {
        let ([of, named], recoveries) = (labels(source, stream), &stream.recoveries);
        let bounds = RECOVERY_SECONDS.into_iter().zip(recoveries.within);
        for (bound, count) in bounds.chain([("+Inf", recoveries.count)]) {
            text.sample("recovery_seconds_bucket", &[of, named, ("le", bound)], count);
        }
        let sum = recoveries.sum_us as f64 / 1_000_000.0;
        text.sample("recovery_seconds_sum", &[of, named], sum);
        text.sample("recovery_seconds_count", &[of, named], recoveries.count);
    }
}

type By = fn(&StreamStatus) -> &BTreeMap<String, u64>;

fn labels<'a>(source: &'a SourceStatus, stream: &'a StreamStatus) -> [(&'static str, &'a str); 2] {
    [("source", &source.name), ("stream", &stream.stream)]
}

fn seconds_between(from: UnixMicros, to: UnixMicros) -> f64 {
    (to.0.saturating_sub(from.0) as f64 / 1_000_000.0).max(0.0)
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The text as far as it is written.
#[derive(Default)]
struct Exposition(String);

// Writing to a text cannot fail.
impl Exposition {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP unbroken_{name} {help}\n# TYPE unbroken_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "unbroken_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escape(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::Exposition;

    #[test]
    fn a_label_may_hold_anything() {
        let mut text = Exposition::default();
        text.sample("x", &[("a", "q\"b\\s\nl"), ("b", "")], 1);
        assert_eq!(text.0, "unbroken_x{a=\"q\\\"b\\\\s\\nl\",b=\"\"} 1\n");
    }
}
