//! Each failure case of docs/reference/failures.md is proved by tests that exist and that look at
//! the ledger's cause that the case promises; each rule of docs/reference/security.md by tests that
//! exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const CASES: usize = 19;
const RULES: usize = 24;

struct Case {
    name: String,
    shows: String,
    tests: Vec<String>,
}

fn cases(table: &str) -> Vec<Case> {
    rows(table, "| F", |cells| (cells[5], cells[6]))
}

/// The rules of security.md: they promise nothing of the ledger.
fn rules(table: &str) -> Vec<Case> {
    rows(table, "| S", |cells| ("", cells[3]))
}

fn rows<'a>(
    table: &'a str,
    begin: &str,
    shows_and_tests: impl Fn(&[&'a str]) -> (&'a str, &'a str),
) -> Vec<Case> {
    let rows = table.lines().filter(|line| line.starts_with(begin));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let (shows, tests) = shows_and_tests(&cells);
            let tests = marked(tests).map(ToOwned::to_owned).collect();
            Case { name: cells[1].to_owned(), shows: shows.to_owned(), tests }
        })
        .collect()
}

/// What stands in code marks.
fn marked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The causes that a case promises, as the code names them.
fn causes(case: &Case) -> Vec<String> {
    let words = marked(&case.shows).filter_map(|mark| mark.strip_prefix("cause = "));
    let variant = |word: &str| {
        let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
        format!("GapCause::{}", word.split('_').map(capital).collect::<String>())
    };
    words.map(variant).collect()
}

/// The text of a test, if the file has one of this name.
fn body<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    // Indented in a file of the product, which ends with its tests.
    let found = ["", "    "].into_iter().find_map(|indent| {
        let begins = |word: &str| text.find(&format!("\n{indent}{word}fn {name}("));
        Some((indent, begins("").or_else(|| begins("async "))?))
    });
    let (indent, at) = found?;
    let before = text[..at].lines().next_back()?.trim_start();
    let is_test = before.starts_with("#[test]") || before.starts_with("#[tokio::test");
    let length = text[at..].find(&format!("\n{indent}}}\n"))?;
    is_test.then(|| &text[at..at + length])
}

fn faults(cases: &[Case], files: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases {
        let mut bodies = String::new();
        for test in &case.tests {
            let found = test.split_once("::").and_then(|(path, name)| body(files.get(path)?, name));
            match found {
                Some(found) => bodies.push_str(found),
                None => wrong.push(format!("{}: there is no test {test}", case.name)),
            }
        }
        if case.tests.is_empty() {
            wrong.push(format!("{}: no test", case.name));
        }
        for cause in causes(case).iter().filter(|cause| !bodies.contains(*cause)) {
            wrong.push(format!("{}: no test looks at {cause}", case.name));
        }
    }
    wrong
}

/// Holds a document's table against the tests that it names.
fn check(document: &str, read: fn(&str) -> Vec<Case>, letter: char, count: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = fs::read_to_string(root.join("docs/reference").join(document));
    let table = table.unwrap_or_else(|error| panic!("{document}: {error}"));
    let cases = read(&table);
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let expected: Vec<String> = (1..=count).map(|number| format!("{letter}{number}")).collect();
    assert_eq!(names, expected);
    let tests = cases.iter().flat_map(|case| &case.tests);
    let paths = tests.filter_map(|test| Some(test.split_once("::")?.0.to_owned()));
    let files =
        paths.filter_map(|path| Some((path.clone(), fs::read_to_string(root.join(path)).ok()?)));
    let files = files.collect();
    let wrong = faults(&cases, &files);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_is_proved_by_tests_that_exist() {
    check("failures.md", cases, 'F', CASES);
}

#[test]
fn every_rule_of_security_is_proved_by_tests_that_exist() {
    check("security.md", rules, 'S', RULES);
}

#[test]
fn a_missing_test_and_an_unseen_cause_are_found() {
    let file = "\n#[test]\nfn there() {\n    GapCause::NoReplay;\n}\n\nfn plain() {\n}\n";
    let files = [("a.rs".to_owned(), file.to_owned())].into();
    let row = |test: &str, cause: &str| format!("| F1 | a | b | c | `cause = {cause}` | {test} |");
    let of = |test: &str, cause: &str| faults(&cases(&row(test, cause)), &files);
    assert!(of("`a.rs::there`", "no_replay").is_empty());
    assert_eq!(of("`a.rs::there`", "mute"), ["F1: no test looks at GapCause::Mute"]);
    assert_eq!(of("`a.rs::gone`", "mute").len(), 2);
    assert_eq!(of("`a.rs::plain`", "mute").len(), 2, "a function is no test");
    assert_eq!(of("`b.rs::there`", "mute").len(), 2);
    assert_eq!(of("", "mute").len(), 2);
}
