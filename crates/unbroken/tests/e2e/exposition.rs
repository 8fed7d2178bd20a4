//! A strict reader of the Prometheus text format 0.0.4, written from the format's documentation
//! (prometheus.io/docs/instrumenting/exposition_formats) and from nothing of ours.

use std::collections::{BTreeMap, BTreeSet};

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// The samples, if every rule of the format (and of naming) is kept.
pub(crate) fn read(text: &str) -> Result<Vec<Sample>, String> {
    if !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut samples: Vec<Sample> = Vec::new();
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    let mut open: Option<String> = None;
    let mut ended = BTreeSet::new();
    for line in text.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let [word, name, rest] = [0; 3].map(|_| words.next().unwrap_or_default());
            if !is_name(name, true) || rest.is_empty() {
                return wrong("a comment without name or text");
            }
            if open.as_deref() != Some(name) {
                if let Some(last) = open.replace(name.to_owned()) {
                    ended.insert(last);
                }
                if ended.contains(name) {
                    return wrong("a family in two places");
                }
            }
            let first = match word {
                "HELP" => helped.insert(name.to_owned()),
                "TYPE" if !matches!(rest, "counter" | "gauge" | "histogram") => {
                    return wrong("another type");
                }
                "TYPE" => typed.insert(name.to_owned(), rest.to_owned()).is_none(),
                _ => return wrong("another comment"),
            };
            if !first {
                return wrong("said twice");
            }
            continue;
        }
        let sample = sample(line)?;
        let family = family(&sample.name, &typed);
        let Some(kind) = typed.get(family).filter(|_| helped.contains(family)) else {
            return wrong("a sample without HELP and TYPE before it");
        };
        if kind == "histogram" && (family == sample.name || !is_cumulative(&sample, &samples)) {
            return wrong("a histogram that does not add up");
        }
        if open.as_deref() != Some(family) {
            return wrong("a sample outside its family");
        }
        if (kind == "counter") != sample.name.ends_with("_total") {
            return wrong("a counter ends in _total, and nothing else does");
        }
        if kind == "counter" && (sample.value < 0.0 || sample.value.fract() != 0.0) {
            return wrong("a counter of ours counts whole things");
        }
        if samples.iter().any(|s| s.name == sample.name && s.labels == sample.labels) {
            return wrong("the same series twice");
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// The family of a sample: of a histogram's, the name without what it ends with.
fn family<'a>(name: &'a str, typed: &BTreeMap<String, String>) -> &'a str {
    let endings = ["_bucket", "_sum", "_count"].into_iter();
    let mut stems = endings.filter_map(|ending| name.strip_suffix(ending));
    let of_histogram = |stem: &&str| typed.get(*stem).is_some_and(|kind| kind == "histogram");
    stems.find(of_histogram).unwrap_or(name)
}

/// Whether a bucket holds no less than the one before it, and the count as much as the last.
fn is_cumulative(sample: &Sample, before: &[Sample]) -> bool {
    if sample.name.ends_with("_sum") {
        return true;
    }
    let is_bucket = sample.labels.contains_key("le");
    let same = |other: &&Sample| {
        let rest = |s: &Sample| {
            let labels = s.labels.iter().filter(|(name, _)| *name != "le");
            labels.map(|(name, text)| (name.clone(), text.clone())).collect::<Vec<_>>()
        };
        other.labels.contains_key("le") && rest(other) == rest(sample)
    };
    let last = before.iter().rev().take_while(|other| other.name.contains("_bucket")).find(same);
    match (is_bucket, last) {
        (true, None) => true,
        (true, Some(last)) => last.value <= sample.value,
        (false, _) => before
            .iter()
            .rev()
            .find(same)
            .is_some_and(|last| last.labels["le"] == "+Inf" && last.value == sample.value),
    }
}

fn sample(line: &str) -> Result<Sample, String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err(wrong("no name of a metric"));
    }
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            let (text, after) = quoted(after).ok_or_else(|| wrong("no end of a label"))?;
            if !is_name(label, false) || labels.insert(label.to_owned(), text).is_some() {
                return Err(wrong("no name of a label, or one given twice"));
            }
            match after.split_at_checked(1) {
                Some((",", after)) => rest = after,
                Some(("}", after)) => {
                    rest = after;
                    break;
                }
                _ => return Err(wrong("neither comma nor brace")),
            }
        }
    }
    let number = rest.strip_prefix(' ').ok_or_else(|| wrong("no space before the value"))?;
    let plain = number.chars().all(|c| c.is_ascii_digit() || ".-+e".contains(c));
    let value = number.parse().ok().filter(|_| plain).ok_or_else(|| wrong("no number"))?;
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing mark, without its escapes, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut plain = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((plain, &text[at + 1..])),
            '\\' => plain.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => plain.push(c),
        }
    }
    None
}

fn is_name(name: &str, metric: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (metric && c == ':');
    name.chars().all(fits) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[test]
fn the_reader_refuses_what_the_format_forbids() {
    let head = "# HELP a_total Of a.\n# TYPE a_total counter\n";
    let good = format!("{head}a_total{{x=\"q\\\"\\\\\\n\",y=\"\"}} 1\na_total 2\n");
    let samples = read(&good).expect("it is right");
    assert_eq!((samples[0].labels["x"].as_str(), samples[1].value), ("q\"\\\n", 2.0));
    for (body, what) in [
        ("a_total 1", "does not end"),
        ("a_total 1\na_total 1\n", "twice"),
        ("a_total\n", "no value"),
        ("a_total  1\n", "no number"),
        ("a_total NaN\n", "no number"),
        ("a_total -1\n", "whole things"),
        ("a_total{x=\"1\" 1\n", "neither"),
        ("a_total{x=\"1\",x=\"2\"} 1\n", "twice"),
        ("a_total{1x=\"1\"} 1\n", "no name"),
        ("a_total{x=\"\\t\"} 1\n", "no end"),
        ("b_total 1\n", "without HELP"),
        ("# TYPE a_total counter\n", "said twice"),
        ("# TYPE b summary\n", "another type"),
        ("# HELP b B.\n# TYPE b histogram\nb 1\n", "does not add up"),
        (
            "# HELP b B.\n# TYPE b histogram\nb_bucket{le=\"1\"} 2\nb_bucket{le=\"+Inf\"} 1\n",
            "does not add up",
        ),
        (
            "# HELP b B.\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 1\nb_count 2\n",
            "does not add up",
        ),
        ("# HELP b B.\n# TYPE b gauge\nb 1\na_total 1\n", "outside"),
        ("# HELP b B.\n# TYPE b gauge\nb 1\n# HELP a_total A.\n", "two places"),
        ("# HELP b B.\n# TYPE b counter\nb 1\n", "_total"),
        ("# HELP b_total B.\n# TYPE b_total gauge\nb_total 1\n", "_total"),
    ] {
        let error = read(&format!("{head}{body}")).expect_err(body);
        assert!(error.contains(what), "{body}: {error}");
    }
}
