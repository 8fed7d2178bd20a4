//! `unbroken resync`: a running service fetches a fresh snapshot, of all keys or of some.

use unbroken::control::Request;

use super::answer::Answer;
use super::args::ResyncArgs;
use super::control::tell;
use super::error::CliError;
use super::settings::Place;

pub(crate) fn run(args: &ResyncArgs) -> Result<Answer, CliError> {
    let keys = (!args.keys.is_empty()).then(|| args.keys.clone());
    tell(&Place::of(&args.data)?, &Request::Resync { source: args.source.clone(), keys })
}
