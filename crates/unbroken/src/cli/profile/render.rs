//! What a profile made of a capture, for people.

use std::fmt::Write as _;

use unbroken::render::{Paint, Table, count};
use unbroken_connect::capture::{Findings, Misread};

/// Most kinds of what was not understood that are shown.
const SHOWN_MAX: usize = 8;

pub(super) fn render(findings: &Findings, profile: &str, paint: Paint) -> String {
    let mut text = format!("{} read with profile {profile}\n\n", findings.source);
    let mut table = Table::new(&["what", "how many", "note"]);
    let mut row = |what: &str, number: u64, note: String| {
        table.row([what.to_owned(), count(number), note]);
    };
    row("frames", findings.frames, naming(findings));
    for (kind, number) in &findings.kinds {
        row(&format!("  {kind}"), *number, String::new());
    }
    if findings.keys > 0 {
        row("keys", findings.keys, String::new());
    }
    if let Some(positions) = &findings.positions {
        let note = format!("{} to {}", positions.min, positions.max);
        row("positions", findings.kinds.get("event").copied().unwrap_or(0), note);
        row("  not above the last", positions.falls, String::new());
        row("  beyond the next", positions.holes, "holes, or a numbering with holes".into());
    }
    for (part, (there, of)) in &findings.optional {
        row(&format!("{part} of events"), *there, format!("of {}", count(*of)));
    }
    let pages = &findings.pages;
    row("heads", pages.heads, String::new());
    let note =
        pages.tags.map_or_else(String::new, |(min, max)| format!("positions {min} to {max}"));
    row("pages", pages.pages, note);
    row("  rows", pages.rows, String::new());
    for (status, number) in &pages.refused {
        row(&format!("  refused with {status}"), *number, String::new());
    }
    text.push_str(&table.render());
    for misread in findings.misread.iter().take(SHOWN_MAX) {
        text.push_str(&misread_words(misread, paint));
    }
    let more = findings.misread.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "\nand {more} kinds more");
    }
    text.push_str(&verdict(findings, paint));
    text
}

fn naming(findings: &Findings) -> String {
    let Findings { subscription_named, epoch_named, .. } = findings;
    let named = [("a subscription", *subscription_named), ("an epoch", *epoch_named)];
    let words: Vec<String> = named
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(what, number)| format!("{} name {what}", count(number)))
        .collect();
    words.join(", ")
}

fn misread_words(misread: &Misread, paint: Paint) -> String {
    let Misread { what, count: number, line, shape, hint } = misread;
    let mut text = format!("\n{} {what}\n", paint.warn("not understood:"));
    let times = if *number == 1 { "once".to_owned() } else { format!("{} times", count(*number)) };
    let _ = writeln!(text, "  {times}, first in line {line}; there is {shape}");
    if let Some(hint) = hint {
        let _ = writeln!(text, "  {hint}");
    }
    text
}

fn verdict(findings: &Findings, paint: Paint) -> String {
    let end = match findings.ended.as_deref() {
        Some("full") => "\nthe capture was full; what came later is not in it\n",
        Some(_) => "",
        None => "\nthe capture has no end: the process that wrote it was cut short\n",
    };
    let verdict = if findings.understood {
        paint.good("understood: everything in the capture")
    } else if findings.misread.is_empty() {
        paint.warn("not understood: there is nothing in the capture")
    } else {
        paint.warn("not understood: see above")
    };
    format!("{end}\n{verdict}\n")
}
