//! The repository's files, for the tests that look at the repository itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Folders without anything of ours in them.
const SKIPPED: &[&str] = &["target", "node_modules", "data", "dist"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// One text file.
pub(crate) struct TextFile {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files with one of these endings, in order.
pub(crate) fn files(endings: &[&str]) -> Vec<TextFile> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All Rust sources.
pub(crate) fn sources() -> Vec<TextFile> {
    let found = files(&["rs"]);
    assert!(found.len() > 50, "only {} sources found", found.len());
    found
}

fn walk(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<TextFile>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
            walk(root, &path, endings, found);
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        if kind.is_file() && ending.is_some_and(|ending| endings.contains(&ending)) {
            let inside = path.strip_prefix(root).unwrap();
            let path = inside.components().map(|c| c.as_os_str().to_string_lossy());
            let path = path.collect::<Vec<_>>().join("/");
            let text = fs::read_to_string(entry.path()).unwrap();
            found.push(TextFile { path, text });
        }
    }
}

impl TextFile {
    /// Its lines, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The lines that end up in the product: of a file under `src` those before its tests, of any
    /// other none. The fuzzer's checks are all tests. Files that are declared as tests
    /// (`#[cfg(test)] mod x;`) have none either.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let product = self.path.contains("/src/")
            && !self.path.starts_with("crates/fuzz/")
            && !test_modules().contains(&self.path);
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text.get(..end).unwrap_or_default().lines();
        (1..).zip(lines).filter(move |_| product)
    }
}

/// The files of modules that are declared under `#[cfg(test)]`, and of the modules in those.
pub(crate) fn test_modules() -> &'static BTreeSet<String> {
    static TEST_MODULES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let sources = files(&["rs"]);
        let all: BTreeSet<&str> = sources.iter().map(|file| file.path.as_str()).collect();
        let mut tests = BTreeSet::new();
        loop {
            let known = tests.len();
            for file in &sources {
                let in_tests = tests.contains(&file.path);
                let declared = modules(file).into_iter().filter(|m| m.only_tests || in_tests);
                tests.extend(declared.filter_map(|m| find_module(file, &m, &all)));
            }
            if tests.len() == known {
                return tests;
            }
        }
    });
    &TEST_MODULES
}

/// A `mod name;` of a file.
pub(crate) struct Module {
    pub(crate) name: String,
    /// Where it is, if that is said.
    path: Option<String>,
    /// It stands under `#[cfg(test)]`.
    pub(crate) only_tests: bool,
}

/// The modules that a file declares without giving their body.
pub(crate) fn modules(file: &TextFile) -> Vec<Module> {
    let mut found = Vec::new();
    let (mut only_tests, mut path) = (false, None);
    for (_, line) in file.lines() {
        let line = line.trim();
        if let Some(named) = line.strip_prefix("#[path = \"") {
            path = named.strip_suffix("\"]").map(str::to_owned);
            continue;
        }
        if let Some(name) = line.strip_suffix(';').and_then(|line| line.split_once("mod "))
            && (name.0.is_empty() || name.0.starts_with("pub"))
        {
            found.push(Module { name: name.1.to_owned(), path: path.take(), only_tests });
        }
        only_tests = line == "#[cfg(test)]" || (only_tests && line.starts_with("#["));
    }
    found
}

/// Where the compiler looks for a module that a file declares.
pub(crate) fn find_module(
    file: &TextFile,
    module: &Module,
    all: &BTreeSet<&str>,
) -> Option<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    if let Some(path) = &module.path {
        let ups = path.matches("../").count();
        let kept = folder.split('/').count().checked_sub(ups)?;
        let folder: Vec<&str> = folder.split('/').take(kept).collect();
        let path = format!("{}/{}", folder.join("/"), path.trim_start_matches("../"));
        return all.contains(path.as_str()).then_some(path);
    }
    let module = &module.name;
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let is_root = matches!(stem, "lib" | "main" | "mod") || is_target(&file.path);
    let base = if is_root { folder.to_owned() } else { format!("{folder}/{stem}") };
    let candidates = [format!("{base}/{module}.rs"), format!("{base}/{module}/mod.rs")];
    candidates.into_iter().find(|candidate| all.contains(candidate.as_str()))
}

/// Whether cargo compiles the file by itself: a library, a binary, a test, an example, a bench.
pub(crate) fn is_target(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let parts: Vec<&str> = inside.1.split('/').collect();
    if parts[0] == "tests" && !is_declared(inside.0, inside.1) {
        return false;
    }
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] => true,
        // What the fuzzer runs.
        ["targets", _] => true,
        ["tests" | "examples" | "benches", file] => file.ends_with(".rs"),
        ["tests" | "examples" | "benches", _, "main.rs"] | ["src", "bin", _, "main.rs"] => true,
        _ => false,
    }
}

/// Unless cargo looks for a crate's tests itself, its manifest names them, by their path or, as
/// cargo does without it, by the name of the file.
fn is_declared(krate: &str, path: &str) -> bool {
    let manifest = root().join("crates").join(krate).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    let name = path.trim_start_matches("tests/").trim_end_matches(".rs");
    !manifest.contains("autotests = false")
        || manifest.contains(&format!("path = \"{path}\""))
        || manifest.contains(&format!("name = \"{name}\"\nrequired-features"))
}
