//! Section `[hooks]`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::Value;

/// Section `[hooks]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HooksConfig {
    /// Told when a row of the gap ledger opens and when it closes.
    pub on_gap: Option<HookConfig>,
    /// Told when a stream is blocked until a person helps, and when it is live again.
    pub on_blocked: Option<HookConfig>,
}

/// One hook: `["command", "argument"]`, `"https://…"`, or a table with `command` or `url`.
#[derive(Clone, PartialEq, Eq)]
pub struct HookConfig {
    /// What is run or called.
    pub target: Target,
    /// How long one try may take, in milliseconds. Default 10 000.
    pub timeout_ms: u64,
    /// How often a URL is tried before a notice is given up. Default 3. A command is run once: it
    /// may have done half of its work.
    pub tries_max: u32,
    /// A PEM file with certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// Allow `http` to other machines.
    pub insecure: bool,
}

/// What a hook is.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A program and its arguments; no shell reads them.
    Command(Vec<String>),
    /// Where a notice is posted. The path may be a secret.
    Url(String),
}

impl fmt::Debug for HookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match &self.target {
            Target::Command(words) => words.first().map_or("", String::as_str),
            Target::Url(_) => "[url]",
        };
        f.debug_struct("HookConfig").field("target", &target).finish_non_exhaustive()
    }
}

impl HookConfig {
    /// Paths are relative to the configuration's folder.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = self.ca_file.as_mut().filter(|path| path.is_relative()) {
            *path = folder.join(&path);
        }
        if let Target::Command(words) = &mut self.target
            && let Some(program) = words.first_mut()
            // A bare name is looked for where the system's programs are.
            && program.contains('/')
            && Path::new(program).is_relative()
        {
            *program = folder.join(&program).to_string_lossy().into_owned();
        }
    }

    fn new(target: Target) -> Self {
        Self { target, timeout_ms: 10_000, tries_max: 3, ca_file: None, insecure: false }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    command: Option<Vec<String>>,
    url: Option<String>,
    timeout_ms: Option<u64>,
    tries_max: Option<u32>,
    ca_file: Option<PathBuf>,
    #[serde(default, alias = "allow_plaintext")]
    insecure: bool,
}

impl<'de> Deserialize<'de> for HookConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |what: &str| Err(D::Error::custom(what));
        let table = match Value::deserialize(deserializer)? {
            Value::String(url) => return Ok(Self::new(Target::Url(url))),
            Value::Array(words) => {
                let words = Value::Array(words).try_into().map_err(D::Error::custom)?;
                return command(words).map(Self::new).map_err(D::Error::custom);
            }
            Value::Table(table) => table,
            _ => return wrong("a hook is a command (a list of words), a URL, or a table"),
        };
        let table: Table = Value::Table(table).try_into().map_err(D::Error::custom)?;
        let target = match (table.command, table.url) {
            (Some(words), None) => command(words).map_err(D::Error::custom)?,
            (None, Some(url)) => Target::Url(url),
            _ => return wrong("a hook has either `command` or `url`"),
        };
        let base = Self::new(target);
        if table.timeout_ms == Some(0) || table.tries_max == Some(0) {
            return wrong("a hook's `timeout_ms` and `tries_max` are at least 1");
        }
        Ok(Self {
            timeout_ms: table.timeout_ms.unwrap_or(base.timeout_ms),
            tries_max: table.tries_max.unwrap_or(base.tries_max),
            ca_file: table.ca_file,
            insecure: table.insecure,
            ..base
        })
    }
}

fn command(words: Vec<String>) -> Result<Target, &'static str> {
    match words.first() {
        Some(program) if !program.is_empty() => Ok(Target::Command(words)),
        _ => Err("a hook's command names a program first"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{HookConfig, HooksConfig, Target};

    fn read(text: &str) -> Result<HooksConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_hook_is_written_in_three_ways() {
        let hooks = read("on_gap = [\"tell\", \"a b\"]\non_blocked = \"https://h.example/s3\"")
            .expect("it is right");
        let words = vec!["tell".to_owned(), "a b".to_owned()];
        assert_eq!(hooks.on_gap, Some(HookConfig::new(Target::Command(words))));
        assert!(!format!("{hooks:?}").contains("s3"), "a URL's path may be a secret");
        let hooks = read("on_gap = { url = \"https://h\", timeout_ms = 5, tries_max = 1 }");
        let hook = hooks.expect("it is right").on_gap.expect("it is there");
        assert_eq!((hook.timeout_ms, hook.tries_max), (5, 1));
    }

    #[test]
    fn what_is_no_hook_is_refused() {
        for (text, what) in [
            ("on_gap = []", "names a program"),
            ("on_gap = [\"\"]", "names a program"),
            ("on_gap = 3", "a hook is"),
            ("on_gap = {}", "either"),
            ("on_gap = { command = [\"a\"], url = \"b\" }", "either"),
            ("on_gap = { url = \"b\", timeout_ms = 0 }", "at least 1"),
            ("on_gap = { uri = \"b\" }", "unknown field `uri`"),
            ("on_gaps = [\"a\"]", "unknown field `on_gaps`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn a_program_with_a_slash_is_relative_to_the_file_and_a_bare_name_is_not() {
        let resolved = |program: &str| {
            let mut hook = HookConfig::new(Target::Command(vec![program.to_owned()]));
            hook.resolve(Path::new("/etc/unbroken"));
            match hook.target {
                Target::Command(words) => words[0].clone(),
                Target::Url(url) => url,
            }
        };
        assert_eq!(resolved("bin/tell"), "/etc/unbroken/bin/tell");
        assert_eq!(resolved("/bin/tell"), "/bin/tell");
        assert_eq!(resolved("tell"), "tell");
    }
}
