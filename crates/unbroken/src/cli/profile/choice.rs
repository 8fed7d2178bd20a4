//! Which profile a capture is read with.

use std::path::Path;

use unbroken::config;
use unbroken_connect::capture::Line;
use unbroken_connect::config::{ProfileChoice, ProfileOrigin};
use unbroken_connect::generic::{Generic, embedded};

use super::super::error::CliError;
use super::args::ProfileTestArgs;

/// The source of a capture, and what its lines are read with.
pub(super) struct Choice {
    pub(super) source: String,
    /// The profile, in words for a person.
    pub(super) profile: String,
    pub(super) connector: Generic,
}

pub(super) fn choose(args: &ProfileTestArgs, lines: &[Line]) -> Result<Choice, CliError> {
    let (source, profile, changed, keyed) = head(args.source.as_deref(), lines)?;
    let (choice, name) = if let Some(named) = &args.profile {
        (named_profile(named), named.clone())
    } else if let Some(path) = &args.config {
        let config = config::load(path)?;
        let known = config.sources.into_iter().find(|known| known.name == source);
        let known = known.ok_or_else(|| CliError::NoSuchSource(source.clone()))?;
        (known.profile, format!("that of `{source}` in {}", path.display()))
    } else {
        let name = profile.filter(|_| !changed).ok_or(CliError::ProfileUnknown)?;
        (ProfileChoice::embedded(&name), name)
    };
    let connector = choice.connector(keyed).map_err(CliError::Profile)?;
    Ok(Choice { source, profile: name, connector })
}

/// Name, embedded profile, whether it was changed, whether keys are named.
type Head = (String, Option<String>, bool, bool);

fn head(wanted: Option<&str>, lines: &[Line]) -> Result<Head, CliError> {
    let heads = lines.iter().filter_map(|line| match line {
        Line::Source { source, profile, changed, keyed, .. } => {
            Some((source.clone(), profile.clone(), *changed, *keyed))
        }
        _ => None,
    });
    let mut heads = heads.filter(|(name, ..)| wanted.is_none_or(|wanted| wanted == name));
    heads.next().ok_or_else(|| CliError::NoSuchSource(wanted.unwrap_or_default().to_owned()))
}

/// An embedded profile's name; anything else is a file.
fn named_profile(named: &str) -> ProfileChoice {
    let looks_like_file = Path::new(named).extension().is_some() || named.contains('/');
    if embedded(named).is_some() || (!looks_like_file && !Path::new(named).exists()) {
        return ProfileChoice::embedded(named);
    }
    ProfileChoice { origin: ProfileOrigin::File(named.into()), over: toml::Table::new() }
}
