//! The repository keeps to its own rules (STYLE.md): sizes, names, words that stand for unfinished
//! work, files that nothing compiles, links that lead nowhere.
#![cfg(test)]

mod tree;

use std::collections::BTreeSet;

use tree::TextFile;

const FILE_LINES_MAX: usize = 600;
const FILE_LINES_MEDIAN_MAX: usize = 200;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;

/// The one function that may be longer: the machine's match on what happened, whose arms only call.
const LONG_FUNCTION: (&str, &str, usize) = ("crates/core/src/machine/mod.rs", "handle_input", 120);

/// Names that say nothing of what is inside.
const BANNED_NAMES: &[&str] =
    &["util", "utils", "common", "types", "helper", "helpers", "manager", "misc", "shared_types"];

/// Documents that a reader of the repository looks for first.
const DOCUMENTS: &[&str] =
    &["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "STYLE.md"];

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} findings: {wrong:#?}", wrong.len());
}

#[test]
fn files_are_short() {
    let mut lengths = Vec::new();
    let mut wrong = Vec::new();
    for file in tree::files(&["rs", "sql"]) {
        let lines = file.lines().count();
        lengths.push(lines);
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", file.path));
        }
    }
    assert_none(wrong);
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= FILE_LINES_MEDIAN_MAX, "half of the files have {median} lines and more");
}

#[test]
fn lines_fit_a_screen() {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs", "sql"]) {
        for (number, line) in file.lines() {
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX {
                wrong.push(format!("{}:{number}: {chars} characters", file.path));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn functions_fit_a_screen() {
    let mut wrong = Vec::new();
    let mut found = 0;
    for file in tree::sources() {
        for (number, name, lines) in functions(&file) {
            found += 1;
            let (path, long, lines_max) = LONG_FUNCTION;
            let is_long = file.path == path && name == long;
            if lines > if is_long { lines_max } else { FUNCTION_LINES_MAX } {
                wrong.push(format!("{}:{number}: {name} has {lines} lines", file.path));
            }
        }
    }
    assert!(found > 500, "only {found} functions found");
    assert_none(wrong);
}

/// Line, name and length of each function with a body. rustfmt puts the brace that ends it on a
/// line of its own, under the function's first letter.
fn functions(file: &TextFile) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = function_name(code) else { continue };
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let one_line = code.ends_with('}') || code.ends_with(';');
        let length = lines[index..].iter().position(|line| *line == end);
        if let Some(length) = length.filter(|_| !one_line) {
            found.push((index + 1, name.to_owned(), length + 1));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let (before, after) = code.split_once("fn ")?;
    let before = before.replace("pub(crate)", "pub").replace("pub(super)", "pub");
    let qualifiers = ["pub", "const", "async", "unsafe"];
    let declares = before.split_whitespace().all(|word| qualifiers.contains(&word));
    let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (declares && !name.is_empty()).then_some(name)
}

#[test]
fn files_are_named_for_what_they_hold() {
    let named = |path: &str| {
        path.split('/').any(|part| BANNED_NAMES.contains(&part.trim_end_matches(".rs")))
    };
    let wrong = tree::sources().into_iter().map(|file| file.path).filter(|path| named(path));
    assert_none(wrong.collect());
}

#[test]
fn nothing_unfinished_is_left_behind() {
    // In two pieces each, so that this file does not hold them.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[igno", "re"),
        concat!("#[all", "ow("),
        concat!("#![all", "ow("),
        concat!("dbg", "!("),
    ];
    let endings =
        ["rs", "sql", "md", "toml", "yml", "yaml", "js", "mjs", "ts", "py", "php", "html"];
    let mut wrong = Vec::new();
    for file in tree::files(&endings) {
        for (number, line) in file.lines() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                // STYLE.md may name what it forbids.
                if file.path != "STYLE.md" {
                    wrong.push(format!("{}:{number}: {mark}", file.path));
                }
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn the_product_does_not_panic_by_choice() {
    let panics = [
        concat!(".unwrap", "()"),
        concat!(".expect", "(\""),
        concat!("panic", "!("),
        concat!("unreachable", "!("),
    ];
    let mut wrong = Vec::new();
    for file in tree::sources() {
        for (number, line) in file.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            for panic in panics.iter().filter(|panic| code.contains(**panic)) {
                wrong.push(format!("{}:{number}: {panic}", file.path));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn every_source_is_compiled() {
    let sources = tree::sources();
    let all: BTreeSet<&str> = sources.iter().map(|file| file.path.as_str()).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in &sources {
        if tree::is_target(&file.path) {
            reached.insert(file.path.clone());
        }
        for module in tree::modules(file) {
            match tree::find_module(file, &module, &all) {
                Some(path) => drop(reached.insert(path)),
                None => wrong.push(format!("{}: mod {} is in no file", file.path, module.name)),
            }
        }
    }
    let dead = all.iter().filter(|path| !reached.contains(**path));
    wrong.extend(dead.map(|path| format!("{path}: no mod names it")));
    assert_none(wrong);
}

#[test]
fn documents_exist_and_their_links_lead_somewhere() {
    let root = tree::root();
    let mut wrong: Vec<String> = DOCUMENTS
        .iter()
        .filter(|name| !root.join(name).is_file())
        .map(|name| format!("{name} is missing"))
        .collect();
    for file in tree::files(&["md"]) {
        let folder = root.join(&file.path).parent().map(ToOwned::to_owned).unwrap_or_default();
        for (number, target) in links(&file) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { root.join(&file.path) } else { folder.join(path) };
            let leads = path.exists()
                && (anchor.is_empty()
                    || std::fs::read_to_string(&path).is_ok_and(|text| has_anchor(&text, anchor)));
            if !leads {
                wrong.push(format!("{}:{number}: {target}", file.path));
            }
        }
        for (number, path) in named_paths(&file) {
            if !root.join(path.trim_end_matches('/')).exists() {
                wrong.push(format!("{}:{number}: {path} does not exist", file.path));
            }
        }
    }
    assert_none(wrong);
}

/// The targets of `[text](target)` that are not addresses of the web.
fn links(file: &TextFile) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// Paths into the crates that a document names in code marks.
fn named_paths(file: &TextFile) -> Vec<(usize, &str)> {
    let in_marks =
        |line: &'_ str| -> Vec<usize> { line.match_indices('`').map(|(at, _)| at).collect() };
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        let marks = in_marks(line);
        for pair in marks.chunks_exact(2) {
            let path = &line[pair[0] + 1..pair[1]];
            let plain = !path.contains(['*', '{', '<', ' ', ':']);
            if path.starts_with("crates/") && plain {
                found.push((number, path));
            }
        }
    }
    found
}

/// Whether a document has a heading of this anchor, in GitHub's spelling.
fn has_anchor(text: &str, anchor: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>() == anchor
    })
}

#[test]
fn the_scanners_see_what_they_look_for() {
    let text = "\
pub(crate) async fn long(
    one: u8,
) -> u8 {
    one
}

    fn indented() {
        if true {
        }
    }

fn short() {}
// fn comment() {
trait Asks {
    fn declared(&self);
}
#[cfg(test)]
\x6dod tests;
pub(crate) \x6dod inside;
mod body {
}
[a](b.md#c) [d](https://example.com) `crates/x` `crates/*`
";
    let file = TextFile { path: "crates/x/src/lib.rs".to_owned(), text: text.to_owned() };
    let found = [(1, "long".to_owned(), 5), (7, "indented".to_owned(), 4)];
    assert_eq!(functions(&file), found);
    let modules: Vec<_> =
        tree::modules(&file).iter().map(|m| (m.name.clone(), m.only_tests)).collect();
    assert_eq!(modules, [("tests".to_owned(), true), ("inside".to_owned(), false)]);
    assert_eq!(links(&file), [(22, "b.md#c".to_owned())]);
    assert_eq!(named_paths(&file), [(22, "crates/x")]);
    assert!(has_anchor("## Two words, one `mark`", "two-words-one-mark"));
    assert!(!has_anchor("text two", "text-two"));
}
