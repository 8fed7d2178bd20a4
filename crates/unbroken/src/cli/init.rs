//! `unbroken init`: a configuration to begin from.

use unbroken::config;

use super::answer::Answer;
use super::args::{InitArgs, InitKind};
use super::error::CliError;
use super::output::Output;

pub(crate) fn run(args: &InitArgs) -> Result<Answer, CliError> {
    let mut out = Output::new();
    out.text(match args.kind {
        InitKind::Cxone => config::CXONE,
        InitKind::CxonePoll => config::CXONE_POLL,
        InitKind::Genesys => config::GENESYS,
        InitKind::Etcd => config::ETCD,
    })?;
    out.flush()?;
    Ok(Answer::Yes)
}
