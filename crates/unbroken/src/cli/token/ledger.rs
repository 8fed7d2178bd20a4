//! The list of tokens, which a running relay reads again when it has changed.

use std::time::Duration;

use serde_json::json;
use unbroken::render::{Table, wall, wall_now};
use unbroken_core::time::UnixMicros;
use unbroken_relay::place::ledger_file;
use unbroken_relay::{Ledger, Scope, TokenLine};

use super::args::{
    ScopeArg, TokenAddArgs, TokenArgs, TokenCommand, TokenListArgs, TokenRevokeArgs,
};
use crate::cli::answer::Answer;
use crate::cli::args::FormatArg;
use crate::cli::error::CliError;
use crate::cli::output::{Output, say};
use crate::cli::settings::{Place, duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn run(args: &TokenArgs) -> Result<Answer, CliError> {
    match &args.command {
        TokenCommand::Add(args) => add(args),
        TokenCommand::List(args) => list(args),
        TokenCommand::Revoke(args) => revoke(args),
    }
}

fn add(args: &TokenAddArgs) -> Result<Answer, CliError> {
    let path = ledger_file(&Place::of(&args.data)?.data_dir);
    let mut ledger = Ledger::read(&path)?;
    let scope = match args.scope {
        ScopeArg::Read => Scope::Read,
        ScopeArg::Admin => Scope::Admin,
    };
    let made_us = wall_now().0;
    let life = args.expires.as_deref().map(life).transpose()?;
    let ends = |life: Duration| {
        made_us.saturating_add(i64::try_from(life.as_micros()).unwrap_or(i64::MAX))
    };
    let issued = ledger.add(&args.name, scope, made_us, life.map(ends))?;
    ledger.write(&path)?;
    let mut out = Output::new();
    out.line(issued.expose())?;
    out.flush()?;
    say("this is the only time that the token is shown: only a digest of it is kept\n");
    Ok(Answer::Yes)
}

fn list(args: &TokenListArgs) -> Result<Answer, CliError> {
    let path = ledger_file(&Place::of(&args.data)?.data_dir);
    let ledger = Ledger::read(&path)?;
    let now_us = wall_now().0;
    let mut out = Output::new();
    let mut table = Table::new(&["name", "scope", "made", "expires", "good"]);
    for token in ledger.tokens() {
        match args.format {
            FormatArg::Ndjson => out.json(&json!({
                "name": token.name, "scope": token.scope.to_string(), "made_at": made(token),
                "expires_at": ends(token), "good": token.is_good(now_us),
            }))?,
            FormatArg::Table => table.row([
                token.name.clone(),
                token.scope.to_string(),
                made(token),
                ends(token).unwrap_or_else(|| "never".to_owned()),
                if token.is_good(now_us) { "yes" } else { "no" }.to_owned(),
            ]),
        }
    }
    if args.format == FormatArg::Table {
        out.text(&table.render())?;
    }
    out.flush()?;
    Ok(Answer::Yes)
}

fn revoke(args: &TokenRevokeArgs) -> Result<Answer, CliError> {
    let path = ledger_file(&Place::of(&args.data)?.data_dir);
    let mut ledger = Ledger::read(&path)?;
    ledger.revoke(&args.name)?;
    ledger.write(&path)?;
    say(&format!("{} is good no more\n", args.name));
    Ok(Answer::Yes)
}

fn made(token: &TokenLine) -> String {
    wall(UnixMicros(token.made_us))
}

fn ends(token: &TokenLine) -> Option<String> {
    token.expires_us.map(|expires_us| wall(UnixMicros(expires_us)))
}

/// As other durations, and in days.
fn life(text: &str) -> Result<Duration, CliError> {
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    match days {
        Some(days @ 1..) => Ok(DAY * days),
        _ => duration("--expires", text),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, life};

    #[test]
    fn a_token_s_life_is_told_in_days_or_less() {
        assert_eq!(life("30d").ok(), Some(DAY * 30));
        assert_eq!(life("12h").ok(), Some(DAY / 2));
        assert!(life("0d").is_err() && life("-1d").is_err() && life("soon").is_err());
    }
}
