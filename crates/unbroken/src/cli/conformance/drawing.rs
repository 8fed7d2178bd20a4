//! A scenario's course, drawn: one lane for each kind of thing that happened.

use std::fmt::Write as _;

use unbroken_sim::conformance::{LifeEnd, Report, Span};

use super::text::escape;

/// The drawing's width; the page scales it.
const WIDTH: f64 = 1_000.0;
/// Where time begins, right of the lanes' names.
const LEFT: f64 = 92.0;
/// A lane's height, and that of the one with curves.
const LANE: f64 = 20.0;
const CURVE: f64 = 46.0;

/// Draws lane after lane, downwards.
struct Drawing {
    svg: String,
    end_ms: f64,
    y: f64,
}

/// The course of a scenario as one `svg` element.
pub(super) fn drawing(report: &Report) -> String {
    let time = &report.timeline;
    let mut drawing = Drawing { svg: String::new(), end_ms: time.end_ms.max(1) as f64, y: 16.0 };
    drawing.faults(report);
    drawing.lives(report);
    drawing.spans("subscribed", &time.subscribed, "serves");
    drawing.curves(&time.made, &time.told);
    if !(time.lost.is_empty() && time.recorded.is_empty() && time.gaps.is_empty()) {
        drawing.missing(report);
    }
    if let Some(span) = time.recovery.filter(|span| span.to_ms > span.from_ms) {
        drawing.recovery(span);
    }
    drawing.load(report);
    let Drawing { svg, y, .. } = drawing.finish();
    let label = escape(&format!("course of {}", report.name));
    format!(
        "<svg class=\"line\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" aria-label=\"{label}\">\n\
         {svg}</svg>\n"
    )
}

impl Drawing {
    fn x(&self, ms: u64) -> f64 {
        LEFT + (ms as f64).min(self.end_ms) / self.end_ms * (WIDTH - LEFT - 8.0)
    }

    fn name(&mut self, name: &str, height: f64) {
        let y = self.y + height / 2.0 + 4.0;
        let _ = writeln!(self.svg, "<text class=\"lane\" x=\"0\" y=\"{y:.1}\">{name}</text>");
    }

    fn bar(&mut self, span: Span, class: &str, inset: f64, title: &str) {
        let (x, to) = (self.x(span.from_ms), self.x(span.to_ms));
        let (width, height) = ((to - x).max(1.5), LANE - 2.0 * inset);
        let _ = writeln!(
            self.svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"2\"><title>{}</title></rect>",
            self.y + inset,
            escape(title),
        );
    }

    /// Each fault in a lane of its own, so that two at once can be told apart.
    fn faults(&mut self, report: &Report) {
        let met = report.faults.iter().filter_map(|fault| Some((fault, fault.from_ms?)));
        for (at, (fault, from_ms)) in met.enumerate() {
            self.name(if at == 0 { "breaks" } else { "" }, LANE);
            let to_ms = fault.to_ms.unwrap_or(report.elapsed_ms);
            let title = match fault.met_ms {
                Some(met_ms) => format!("{}: met at {met_ms} ms", fault.name),
                None => format!("{}: not met", fault.name),
            };
            self.bar(Span { from_ms, to_ms }, "fault", 3.0, &title);
            let (end, begin) = (self.x(to_ms), self.x(from_ms));
            let is_late = end > WIDTH * 0.75;
            let (x, anchor) = if is_late { (begin - 5.0, "end") } else { (end + 5.0, "start") };
            let _ = writeln!(
                self.svg,
                "<text class=\"name\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                self.y + LANE / 2.0 + 4.0,
                fault.name,
            );
            self.y += LANE;
        }
    }

    fn lives(&mut self, report: &Report) {
        self.name("client runs", LANE);
        for life in &report.lives {
            let span = Span { from_ms: life.from_ms, to_ms: life.to_ms };
            self.bar(span, "runs", 6.0, "the client's process");
            if life.end != LifeEnd::Stopped {
                let (x, y) = (self.x(life.to_ms), self.y);
                let what = if life.end == LifeEnd::Killed { "killed" } else { "exited" };
                let _ = writeln!(
                    self.svg,
                    "<path class=\"death\" d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\">\
                     <title>{what}</title></path>",
                    x - 4.0,
                    y + 6.0,
                );
            }
        }
        self.y += LANE;
    }

    fn spans(&mut self, name: &str, spans: &[Span], class: &str) {
        self.name(name, LANE);
        for span in spans {
            self.bar(*span, class, 5.0, "the vendor serves a subscription");
        }
        self.y += LANE;
    }

    /// Events made, dashed, and told, filled: the same curve when all is well. The highest heaps,
    /// as of a replay, are cut off.
    fn curves(&mut self, made: &[u32], told: &[u32]) {
        self.name("events", CURVE);
        let usual = made.iter().copied().max().unwrap_or(1).max(1);
        let top = f64::from(usual.min(20)) * 1.6;
        let (base, height) = (self.y + CURVE - 3.0, CURVE - 8.0);
        let points = |counts: &[u32]| -> String {
            counts.iter().enumerate().fold(String::new(), |mut line, (at, count)| {
                let x = self.x(at as u64 * 100 + 50);
                let y = base - f64::from(*count).min(top) / top * height;
                let _ = write!(line, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
                line
            })
        };
        let (made, told) = (points(made), points(told));
        let (first, last) = (self.x(50), WIDTH - 8.0);
        let _ = writeln!(
            self.svg,
            "<path class=\"told\" d=\"{told}L{last:.1} {base:.1}L{first:.1} {base:.1}Z\">\
             <title>events told</title></path>\n\
             <path class=\"made\" d=\"{made}\"><title>events made</title></path>"
        );
        self.y += CURVE;
    }

    fn missing(&mut self, report: &Report) {
        let time = &report.timeline;
        self.name("not told", LANE);
        for gap in &time.gaps {
            self.bar(*gap, "gap", 2.0, "a gap that the client writes down");
        }
        for span in &time.recorded {
            self.bar(*span, "recorded", 6.0, "missing, and known to be");
        }
        for span in &time.lost {
            self.bar(*span, "lost", 6.0, "missing: lost, or without a word");
        }
        self.y += LANE;
    }

    fn recovery(&mut self, span: Span) {
        self.name("recovery", LANE);
        let (from, to, y) = (self.x(span.from_ms), self.x(span.to_ms), self.y + LANE / 2.0);
        let _ = writeln!(
            self.svg,
            "<path class=\"recovery\" d=\"M{from:.1} {:.1}v8m0 -4H{to:.1}m0 -4v8\"/>\
             <circle class=\"recovered\" cx=\"{to:.1}\" cy=\"{y:.1}\" r=\"3\">\
             <title>up to date again</title></circle>",
            y - 4.0,
        );
        self.y += LANE;
    }

    /// Two bars for each second: handshakes, and all other requests.
    fn load(&mut self, report: &Report) {
        self.name("asked", LANE + 6.0);
        let base = self.y + LANE + 4.0;
        let height = |count: u64| ((count as f64).sqrt() * 5.0).min(LANE + 2.0);
        for (second, load) in (0_u64..).zip(&report.timeline.load) {
            let x = self.x(second * 1_000);
            if second * 1_000 >= report.elapsed_ms {
                break;
            }
            for (at, class, count, what) in [
                (1.0, "shakes", load.handshakes, "handshakes"),
                (9.0, "asks", load.rest_calls + load.token_calls, "REST calls and token requests"),
            ] {
                let tall = height(count);
                if count > 0 {
                    let _ = writeln!(
                        self.svg,
                        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" \
                         height=\"{tall:.1}\"><title>{count} {what} in this second</title></rect>",
                        x + at,
                        base - tall,
                    );
                }
            }
        }
        self.y += LANE + 6.0;
    }

    /// Seconds, behind everything and below it.
    fn finish(mut self) -> Self {
        let mut grid = String::new();
        let seconds = (self.end_ms / 1_000.0) as u64;
        for second in 0..=seconds {
            let x = self.x(second * 1_000);
            let _ = writeln!(
                grid,
                "<path class=\"grid\" d=\"M{x:.1} 12V{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second} s</text>",
                self.y + 2.0,
                self.y + 15.0,
            );
        }
        self.svg.insert_str(0, &grid);
        self.y += 20.0;
        self
    }
}
