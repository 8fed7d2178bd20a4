//! The board as Prometheus text.

use std::fmt::Write as _;

use super::StreamStatus;
use crate::control::Status;

type Figure = (&'static str, &'static str, &'static str, fn(&StreamStatus) -> u64);

const FIGURES: [Figure; 10] = [
    ("live", "gauge", "1 if the stream is complete, current and proved.", |s| {
        u64::from(s.is_live())
    }),
    ("gaps_open", "gauge", "Ledger rows that are open.", |s| s.gaps_open),
    ("events_total", "counter", "Events stored durably.", |s| s.events),
    ("duplicates_total", "counter", "Events that came again and were dropped.", |s| s.duplicates),
    ("foreign_total", "counter", "Frames of another subscription, dropped.", |s| s.foreign),
    ("connections_lost_total", "counter", "Connections lost.", |s| s.lost),
    ("live_transitions_total", "counter", "Times the stream became live.", |s| s.live_count),
    ("snapshots_total", "counter", "Snapshots published.", |s| s.snapshots),
    ("gaps_opened_total", "counter", "Ledger rows opened.", |s| s.gaps_opened),
    ("gaps_closed_total", "counter", "Ledger rows closed.", |s| s.gaps_closed),
];

/// Prometheus text format 0.0.4.
pub fn render_metrics(status: &Status) -> String {
    let mut text = String::new();
    let mut single = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP unbroken_{name} {help}");
        let _ = writeln!(text, "# TYPE unbroken_{name} gauge\nunbroken_{name} {value}");
    };
    single("uptime_seconds", "Since the process started.", status.uptime_ms / 1_000);
    single("journal_next_offset", "The next record's offset.", status.next_offset);
    single("store_offset", "The store holds every record below.", status.store_offset);
    for (name, kind, help, value) in FIGURES {
        let _ = writeln!(text, "# HELP unbroken_{name} {help}\n# TYPE unbroken_{name} {kind}");
        for stream in status.sources.iter().flat_map(|source| &source.streams) {
            let label = escape(&stream.stream);
            let _ = writeln!(text, "unbroken_{name}{{stream=\"{label}\"}} {}", value(stream));
        }
    }
    text
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
