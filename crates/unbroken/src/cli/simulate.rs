//! `unbroken simulate`: the simulated vendor alone, for testing any client.

use std::time::Duration;

use unbroken::render::{count, wall};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{News, Script, Stage, Vendor};

use super::answer::Answer;
use super::args::SimulateArgs;
use super::error::CliError;
use super::output::{Output, say};
use super::run::{runtime, stop_signal};
use super::settings::duration;
use super::vendor::VendorSettings;

/// Faults are played for so long if no duration is named: until it is stopped.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(crate) fn run(args: &SimulateArgs) -> Result<Answer, CliError> {
    let mut vendor = VendorSettings::without_pairs(&args.vendor)?;
    vendor.settings.bind = args.listen;
    let limit = args.duration.as_deref().map(|text| duration("--duration", text)).transpose()?;
    runtime()?.block_on(serve(vendor, limit))
}

async fn serve(settings: VendorSettings, limit: Option<Duration>) -> Result<Answer, CliError> {
    let told_to_stop = stop_signal()?;
    let mut vendor = settings.start().await?;
    print_access(&vendor)?;
    let mut news = vendor.told();
    if !settings.faults.is_empty() {
        let ms = unbroken::render::millis(limit.unwrap_or(FOR_EVER));
        vendor.play(Script::all(settings.settings.seed, settings.faults, ms));
    }
    let over = tokio::time::sleep(limit.unwrap_or(FOR_EVER));
    tokio::select! {
        () = told_to_stop => {}
        () = over => {}
        () = tell(&mut news) => {}
    }
    let truth = vendor.shutdown().await?;
    let events = u64::try_from(truth.events.len()).unwrap_or(u64::MAX);
    say(&format!("{} events made\n", count(events)));
    Ok(Answer::Yes)
}

/// On stdout, as `name=value` lines that a shell can read.
fn print_access(vendor: &Vendor) -> Result<(), CliError> {
    let mut out = Output::new();
    let credentials = &vendor.credentials;
    out.line(&format!("api={}", vendor.http_url))?;
    out.line(&format!("stream={}", vendor.ws_url))?;
    out.line(&format!("token_url={}/token", vendor.http_url))?;
    out.line(&format!("client_id={}", credentials.client_id))?;
    out.line(&format!("client_secret={}", credentials.client_secret))?;
    out.flush()
}

async fn tell(news: &mut News) {
    while let Some(news) = news.next().await {
        let stage = match news.stage {
            Stage::Injected => "begins",
            Stage::Fired => "fired",
            Stage::Ended => "ended",
            Stage::Missed => "did not fire",
        };
        say(&format!("{}  {:<24} {stage}\n", wall(UnixMicros(news.at_us)), news.fault));
    }
}
