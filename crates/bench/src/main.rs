//! Measures the real binary against other ways to store the same events, and against what the
//! machine could do at best, and plays the conformance suite with other clients. See
//! `bench/README.md` and `bench/clients/README.md`.

mod args;
mod contest;
mod crowd;
mod fanout;
mod limits;
mod paths;
mod process;
mod report;
mod scoreboard;
mod size;
mod summary;
mod vendor;

use std::io::Write;
use std::process::ExitCode;

use args::Arguments;

/// Whatever went wrong, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let result = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| match arguments {
        Arguments::Vendor(settings) => vendor::run(&settings),
        Arguments::Limits(settings) => limits::run(&settings),
        Arguments::Contest(settings) => contest::run(&settings),
        Arguments::Scoreboard(settings) => scoreboard::run(&settings),
        Arguments::Crowd(settings) => crowd::run(&settings),
        Arguments::CrowdClients(settings) => crowd::run_clients(&settings),
        Arguments::Fanout(settings) => fanout::run(&settings),
        Arguments::FanoutHouse(settings) => fanout::run_house(&settings),
        Arguments::FanoutClients(settings) => fanout::run_clients(&settings),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "bench: {failure}");
            ExitCode::from(2)
        }
    }
}
