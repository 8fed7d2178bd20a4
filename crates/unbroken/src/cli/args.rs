//! The command line as it is typed. What it means is in [`super::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use unbroken::render::RECORD_KINDS;

use super::conformance::ConformanceArgs;
#[cfg(feature = "proof")]
use super::crash::CrashArgs;
use super::profile::ProfileArgs;
use super::sinks::SinksArgs;
use super::token::TokenArgs;

/// Turns an unreliable event feed into an unbroken record.
///
/// New here? `unbroken demo` shows everything in a minute and needs nothing.
#[derive(Debug, Parser)]
#[command(name = "unbroken", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it at work: a simulated vendor that breaks, and the record that does not
    Demo(DemoArgs),
    /// Print a commented configuration to stdout
    Init(InitArgs),
    /// Look at a live source, step by step, without touching the record
    ///
    /// Each line is one thing that must work: the name, the way, the certificate, the token, what
    /// it allows, the snapshot, the handshake, the subscription, the first frames, the end, an
    /// older position. Then it says where the source does something else than its profile declares.
    ///
    /// The vendor sees a client that reads, subscribes and leaves. Where it allows one connection
    /// only, a service that records the same source loses its own, and recovers.
    ///
    /// Exit code 0: all well; 1: something is not; 2: it could not be looked at.
    Check(CheckArgs),
    /// Run the service
    Run(RunArgs),
    /// Tell how a service is doing
    Status(StatusArgs),
    /// Print the current state of every key
    State(StateArgs),
    /// Print the log
    Events(EventsArgs),
    /// Write a part of the log as JSON lines, to a file or to stdout
    ///
    /// `unbroken events` follows the log; this takes a part of it away. A file is there whole or
    /// not at all; with --append an earlier export is gone on with from its last line, also if it
    /// was interrupted. Only what is durable is written, also while a service runs.
    Export(ExportArgs),
    /// Print the gap ledger: every interval the vendor lost
    Gaps(GapsArgs),
    /// Check the record: the log, its ledger, and the store against both
    Verify(VerifyArgs),
    /// Make the SQLite store again from the log
    Rebuild(RebuildArgs),
    /// Cut a damaged log before the damage, keeping the damaged bytes beside it
    ///
    /// Only for a log that `unbroken run` refuses, and only if there is no backup. The log gets a
    /// new id, so cursors given out before are refused; positions go back with the records, so a
    /// vendor that replays fills the hole, and where it does not the gap ledger says so.
    ///
    /// Exit code 0: there is no damage, or it was repaired; 1: --dry-run found damage.
    Repair(RepairArgs),
    /// Leave a vendor alone: a running service unsubscribes and asks for nothing until resumed
    Pause(PauseArgs),
    /// Go on after a pause, from what is on disk
    Resume(PauseArgs),
    /// Tell where each stream stands, or move it while no service runs
    Position(PositionArgs),
    /// Fetch a fresh snapshot, of all keys or of some
    Resync(ResyncArgs),
    /// Ask a running service to do something
    Control(ControlArgs),
    /// See to what the targets of sinks refuse
    Sinks(SinksArgs),
    /// Make, list and take back tokens for clients of the relay
    Token(TokenArgs),
    /// See what is known of vendors, and try a profile on a capture
    Profile(ProfileArgs),
    /// Run the simulated vendor alone, for testing any client
    Simulate(SimulateArgs),
    /// Test any client's reconnect logic: what it loses, doubles and passes over in silence
    ///
    /// For each scenario a simulated vendor is started, breaks in its own way, and the client, a
    /// command in any language, is told of it by environment variables. It prints one JSON object
    /// for each event it accepts; what it should have printed is in the vendor's ledger. The guide
    /// docs/guides/conformance.md has the protocol and two small clients.
    ///
    /// Exit code 0: clean in every scenario; 1: there are findings; 2: it could not be played.
    Conformance(ConformanceArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one page for each command
    Man(ManArgs),
    /// Kill a service again and again, and judge what is left
    #[command(hide = true)]
    Kill(KillArgs),
    /// Run a service for a long time, and watch its memory
    #[command(hide = true)]
    Soak(SoakArgs),
    /// Kill a service at each of its crash points, and judge what is left
    #[cfg(feature = "proof")]
    #[command(hide = true)]
    Crash(CrashArgs),
}

/// Where the data is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DataArgs {
    /// Data directory, instead of the one in the configuration
    #[arg(long, value_name = "DIR", visible_alias = "dir")]
    pub(crate) journal: Option<PathBuf>,
    /// Configuration file that names the data directory [default: unbroken.toml]
    #[arg(short, long, value_name = "FILE", conflicts_with = "journal")]
    pub(crate) config: Option<PathBuf>,
}

/// How the simulated vendor numbers its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NumberingArg {
    /// 1, 2, 3, …
    Contiguous,
    /// Rising, with holes that mean nothing
    Increasing,
    /// As increasing, but the client may only compare them
    Opaque,
    /// Not at all
    None,
}

/// The simulated vendor.
#[derive(Debug, Clone, Args)]
pub(crate) struct VendorArgs {
    /// Agents whose shifts are simulated
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = some())]
    pub(crate) agents: u32,
    /// Events per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = some())]
    pub(crate) rate: u32,
    /// Seed of the whole story; the same seed plays the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How the vendor numbers its events
    #[arg(long, value_enum, default_value_t = NumberingArg::Contiguous)]
    pub(crate) numbering: NumberingArg,
    /// Which faults to inject: `all` that apply to the numbering, `none`, or a list: a,b,c. In the
    /// demo also `pairs`, any two at once, or certain ones: pairs:a+b
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub(crate) faults: String,
}

/// At least one; the bound keeps a typing error from filling the memory.
pub(super) fn some() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

/// Which vendor is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VendorKind {
    /// A CXone-shaped notification stream
    Cxone,
    /// Genesys Cloud: channels, adherence, analytics; it has faults of its own
    Genesys,
    /// CXone's agent states, asked for again and again; it has faults of its own
    CxonePoll,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Which vendor to simulate
    #[arg(long = "vendor", value_enum, default_value_t = VendorKind::Cxone)]
    pub(crate) kind: VendorKind,
    /// How long faults are injected; extended up to threefold until each has fired and recovered
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) duration: String,
    #[command(flatten)]
    pub(crate) vendor: VendorArgs,
    /// Keep the data here; must be empty or new [default: a fresh temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object with all figures as the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which configuration to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitKind {
    /// NICE CXone adherence events
    Cxone,
    /// NICE CXone agent states, asked for again and again
    CxonePoll,
    /// Genesys Cloud: adherence, presence, conversations
    Genesys,
    /// The change stream of an etcd server
    Etcd,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// For which kind of source
    #[arg(value_enum)]
    pub(crate) kind: InitKind,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "unbroken.toml")]
    pub(crate) config: PathBuf,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// How long to listen to the stream
    #[arg(long = "for", value_name = "TIME", default_value = "10s")]
    pub(crate) listen: String,
    /// Open a second connection beside the first: it may end the connection of a service that runs
    #[arg(long)]
    pub(crate) probe_second: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogArg {
    /// One readable line per event
    Human,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "unbroken.toml")]
    pub(crate) config: PathBuf,
    /// How log lines are written to stderr [default: as configured, else human]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) log: Option<LogArg>,
    /// Capture what is said to and by the vendor in this new file, at most 64 MiB, without secrets
    /// and without what `[source.fields]` takes out; see `unbroken profile test`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Let this sink begin anew behind what its target holds, if its checkpoint is of another log
    /// or beyond the end of this one; may be given more than once
    #[arg(long, value_name = "SINK")]
    pub(crate) adopt: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// One JSON object per line
    Ndjson,
    /// Columns for people
    Table,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Only this stream (`source/stream`)
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: Option<String>,
    /// Only this key
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Begin after this cursor (`journal_id:offset`, as printed), or after this offset
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Go on with what arrives, until interrupted; a log that is not there yet is waited for
    #[arg(long)]
    pub(crate) follow: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Ndjson)]
    pub(crate) format: FormatArg,
    /// Stop after so many records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// What an export is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvelopeArg {
    /// A record as `unbroken events` prints it
    Record,
    /// A CloudEvent 1.0 with the record's fields as data
    Cloudevents,
    /// A line of comma-separated values, under a line of headings
    Csv,
    /// A row of typed columns in a Parquet file
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Write to this file, which must be new [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Go on with the file of an earlier export
    #[arg(long, requires = "output", conflicts_with = "after")]
    pub(crate) append: bool,
    /// Begin after this cursor (`journal_id:offset`), or after this offset
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// End with this cursor, or with this offset [default: the end of what is durable]
    #[arg(long, value_name = "CURSOR")]
    pub(crate) until: Option<String>,
    /// Only what was received at this time or later (a date, or a time with its offset)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only what was received before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only this stream (`source/stream`); may be given more than once
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: Vec<String>,
    /// Only records of this kind; may be given more than once
    #[arg(long, value_name = "KIND", value_parser = RECORD_KINDS)]
    pub(crate) kind: Vec<String>,
    /// What each record becomes
    #[arg(long, value_enum, default_value_t = EnvelopeArg::Record)]
    pub(crate) format: EnvelopeArg,
}

#[derive(Debug, Args)]
pub(crate) struct GapsArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Only gaps that are still open
    #[arg(long)]
    pub(crate) open: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Say what would be cut, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The data directory was put back from a backup: give the log a new id, so that clients and
    /// sinks that are further on do not take it for the one that it was
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) restored: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Only this source, or this stream of it (`source/stream`) [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PositionArgs {
    #[command(subcommand)]
    pub(crate) command: PositionCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PositionCommand {
    /// Tell where each stream stands: what a resume would ask from
    Get(PositionGetArgs),
    /// Step over events: the next start asks from this position, and the ledger has the rest
    Set(PositionSetArgs),
    /// Forget the position: the next start begins again, like the first one
    Reset(PositionResetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PositionGetArgs {
    /// Only this source, or this stream of it (`source/stream`) [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PositionSetArgs {
    /// As the vendor writes it: a whole number (4711, 0x1267), or its text where it is one
    #[arg(value_name = "POSITION")]
    pub(crate) position: String,
    /// Of which source, or stream (`source/stream`); needed if there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PositionResetArgs {
    /// Of which source, or stream (`source/stream`); needed if there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResyncArgs {
    /// Only this source, or this stream of it (`source/stream`) [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Only these keys: nothing follows from it for others
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// What to ask of a running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ControlKind {
    /// Print its figures
    Metrics,
    /// Fetch a fresh snapshot
    Resync,
    /// Read agents and secrets again
    Reload,
    /// Unsubscribe, commit and exit
    Stop,
}

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// What to do
    #[arg(value_enum)]
    pub(crate) request: ControlKind,
    /// Only for this source, or this stream of it (`source/stream`)
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Address to listen on; port 0 picks a free one and prints it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8480")]
    pub(crate) listen: std::net::SocketAddr,
    /// Which vendor to be
    #[arg(long = "vendor", value_enum, default_value_t = VendorKind::Cxone)]
    pub(crate) kind: VendorKind,
    /// Divide this vendor's documented times (30 s, 24 h) by so much; of genesys only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some())]
    pub(crate) scale: u32,
    #[command(flatten)]
    pub(crate) vendor: VendorArgs,
    /// Stop after this time [default: when interrupted]
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
}

/// For which shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellArg {
    /// source <(unbroken completions bash)
    Bash,
    /// unbroken completions zsh > "${fpath[1]}/_unbroken"
    Zsh,
    /// unbroken completions fish > ~/.config/fish/completions/unbroken.fish
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub(crate) shell: ShellArg,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write `unbroken.1` and one page for each command into this directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// How often the service is killed
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) count: u32,
    /// Which vendor to simulate
    #[arg(long = "vendor", value_enum, default_value_t = VendorKind::Cxone)]
    pub(crate) kind: VendorKind,
    #[command(flatten)]
    pub(crate) vendor: VendorArgs,
    /// Keep the data here; must be empty or new [default: a fresh temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Shortest life of the service between two kills
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    pub(crate) life_min: String,
    /// Longest life of the service between two kills
    #[arg(long, value_name = "TIME", default_value = "1500ms")]
    pub(crate) life_max: String,
    /// Print one JSON object with all figures as the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which vendor is soaked: one that pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SoakKind {
    /// A CXone-shaped notification stream
    Cxone,
    /// Genesys Cloud: channels, adherence, analytics; it has faults of its own
    Genesys,
}

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// Which vendor to simulate
    #[arg(long = "vendor", value_enum, default_value_t = SoakKind::Cxone)]
    pub(crate) kind: SoakKind,
    /// How long faults are injected
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(crate) duration: String,
    /// Between two faults
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub(crate) fault_every: String,
    /// Between two looks at the service's memory
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) look_every: String,
    #[command(flatten)]
    pub(crate) vendor: VendorArgs,
    /// Keep the data here; must be empty or new [default: a fresh temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object with all figures as the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
}
