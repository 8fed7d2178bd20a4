//! From a file's text to a [`Config`] that can be run, or to the line that is wrong.

use std::collections::BTreeSet;
use std::path::Path;

use unbroken_connect::generic::nearest;

use super::relative::resolve;
use super::{Config, ConfigError, SinkSection};

/// Reads and checks a configuration. Opens nothing but the file itself.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let config = parse(path, &text)?;
    if let Some((what, hint)) = SinkSection::unbuilt(&config.sinks) {
        return Err(ConfigError::Invalid { path: path.to_owned(), what, hint: hint.to_owned() });
    }
    Ok(config)
}

/// Like [`load`], of a text, whether or not this program can run it; `path` is for messages and for
/// relative paths.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut config: Config =
        toml::from_str(text).map_err(|error| syntax_error(path, text, &error))?;
    check(path, &config)?;
    resolve(&mut config, path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

fn check(path: &Path, config: &Config) -> Result<(), ConfigError> {
    let invalid = |what: String, hint: &str| ConfigError::Invalid {
        path: path.to_owned(),
        what,
        hint: hint.to_owned(),
    };
    if config.data_dir.as_os_str().is_empty() {
        return Err(invalid("`data_dir` is empty".to_owned(), "name a directory of your own"));
    }
    if config.sources.is_empty() {
        return Err(invalid(
            "there is no source".to_owned(),
            "add a [[source]]; `unbroken init cxone` shows one",
        ));
    }
    let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    let relay = config.relay.as_ref();
    let fault = relay.and_then(|it| it.relay.fault().or_else(|| it.dialect.fault(&names)));
    if let Some((what, hint)) = fault.or_else(|| SinkSection::fault_of(&config.sinks)) {
        return Err(invalid(what, hint));
    }
    let mut names = BTreeSet::new();
    for source in &config.sources {
        if !names.insert(source.name.as_str()) {
            return Err(invalid(
                format!("two sources are called `{}`", source.name),
                "give each source a name of its own: it names its streams in the record",
            ));
        }
    }
    Ok(())
}

/// serde says what is wrong only in words; these are its own, and have not changed in ten years.
fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    let path = path.to_owned();
    match unknown_key(error.message()) {
        Some((key, known)) => {
            let line = line_of_key(text, line, &key);
            let nearest = nearest(&key, known.iter().map(String::as_str)).map(ToOwned::to_owned);
            ConfigError::UnknownKey { path, line, key, nearest, known }
        }
        None => {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            let what = without_text(&in_our_words(&what));
            ConfigError::Syntax { path, line, what }
        }
    }
}

/// serde's words for what the file calls otherwise.
fn in_our_words(what: &str) -> String {
    [
        ("missing field", "missing key"),
        ("internally tagged enum AuthConfig", "a table with a `grant`"),
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected a sequence", "expected a list"),
    ]
    .into_iter()
    .fold(what.to_owned(), |what, (theirs, ours)| what.replace(theirs, ours))
}

/// A text that stands where none is expected may be a secret in the wrong place: `invalid type:
/// string "…", expected …` loses it.
fn without_text(what: &str) -> String {
    const BEGIN: &str = "string \"";
    match (what.find(BEGIN), what.rfind("\", expected")) {
        (Some(begin), Some(end)) if begin + BEGIN.len() <= end => {
            let (before, after) = (&what[..begin], &what[end + 1..]);
            format!("{before}string{after}")
        }
        _ => what.to_owned(),
    }
}

/// The key and the known ones, from ``unknown field `a`, expected one of `b`, `c` ``.
fn unknown_key(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2).map(ToOwned::to_owned);
    Some((quoted.next()?, quoted.collect()))
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Of a table that is read through a tag (such as `[source.auth]`) only the beginning is known; the
/// key is the first of its name from there on.
fn line_of_key(text: &str, from: usize, key: &str) -> usize {
    let names = |line: &str| {
        let before = line.split('#').next().unwrap_or_default();
        before.split(['{', ',', '=']).any(|word| word.trim().trim_matches(['"', '\'']) == key)
    };
    let lines = text.lines().enumerate().skip(from.saturating_sub(1));
    lines.filter(|(_, line)| names(line)).map(|(index, _)| index + 1).next().unwrap_or(from)
}
