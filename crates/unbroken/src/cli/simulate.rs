//! `unbroken simulate`: the simulated vendor alone, for testing any client.

use std::time::Duration;

use unbroken::render::{count, wall};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{Credentials, Fault, News, Script, Stage, Truth, Vendor, genesys};

use super::answer::Answer;
use super::args::{SimulateArgs, SimulateKind, VendorKind};
use super::error::CliError;
use super::output::{Output, say};
use super::run::{runtime, stop_signal};
use super::settings::duration;
use super::vendor::{VendorSettings, genesys_faults};

/// Faults are played for so long if no duration is named: until it is stopped.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(crate) fn run(args: &SimulateArgs) -> Result<Answer, CliError> {
    let limit = args.duration.as_deref().map(|text| duration("--duration", text)).transpose()?;
    match args.kind {
        SimulateKind::Cxone => {
            let mut vendor = VendorSettings::without_pairs(VendorKind::Cxone, &args.vendor)?;
            vendor.dialect.common_mut().bind = args.listen;
            runtime()?.block_on(cxone(vendor, limit))
        }
        SimulateKind::Genesys => {
            let faults = genesys_faults(&args.vendor.faults)?;
            let mut settings = genesys::Settings::default().scaled(u64::from(args.scale));
            settings.vendor.bind = args.listen;
            settings.vendor.seed = args.vendor.seed;
            settings.vendor.agents = args.vendor.agents;
            settings.vendor.rate = f64::from(args.vendor.rate);
            runtime()?.block_on(genesys(settings, faults, limit))
        }
    }
}

async fn cxone(settings: VendorSettings, limit: Option<Duration>) -> Result<Answer, CliError> {
    let told_to_stop = stop_signal()?;
    let mut vendor = settings.start().await?;
    let stream = format!("stream={}", vendor.ws_url);
    print_access(&vendor.http_url, "/token", &vendor.credentials, &[stream])?;
    let news = vendor.told();
    if !settings.faults.is_empty() {
        vendor.play(script(settings.common().seed, settings.faults, limit));
    }
    until_over(told_to_stop, limit, news).await;
    Ok(farewell(&vendor.shutdown().await?))
}

async fn genesys(
    settings: genesys::Settings,
    faults: Vec<Fault>,
    limit: Option<Duration>,
) -> Result<Answer, CliError> {
    let told_to_stop = stop_signal()?;
    let seed = settings.vendor.seed;
    let mut vendor = Vendor::start(settings).await?;
    let account = vendor.account();
    let groups = |name: &'static str, ids: Vec<String>| {
        ids.into_iter().map(move |id| format!("{name}={id}"))
    };
    let ids = |groups: Vec<(String, Vec<String>)>| groups.into_iter().map(|(id, _)| id).collect();
    let lines: Vec<String> = groups("management_unit", ids(account.units))
        .chain(groups("team", ids(account.teams)))
        .chain(groups("queue", account.queues))
        .collect();
    print_access(&vendor.http_url, "/oauth/token", &vendor.credentials, &lines)?;
    let news = vendor.told();
    if !faults.is_empty() {
        vendor.play(script(seed, faults, limit));
    }
    until_over(told_to_stop, limit, news).await;
    Ok(farewell(&vendor.shutdown().await?))
}

fn script(seed: u64, faults: Vec<Fault>, limit: Option<Duration>) -> Script {
    Script::all(seed, faults, unbroken::render::millis(limit.unwrap_or(FOR_EVER)))
}

async fn until_over(told_to_stop: impl Future, limit: Option<Duration>, mut news: News) {
    let over = tokio::time::sleep(limit.unwrap_or(FOR_EVER));
    tokio::select! {
        _ = told_to_stop => {}
        () = over => {}
        () = tell(&mut news) => {}
    }
}

fn farewell(truth: &Truth) -> Answer {
    let events = u64::try_from(truth.events.len()).unwrap_or(u64::MAX);
    say(&format!("{} events made\n", count(events)));
    Answer::Yes
}

/// On stdout, as `name=value` lines that a shell can read.
fn print_access(
    api: &str,
    token_path: &str,
    credentials: &Credentials,
    more: &[String],
) -> Result<(), CliError> {
    let mut out = Output::new();
    out.line(&format!("api={api}"))?;
    out.line(&format!("token_url={api}{token_path}"))?;
    out.line(&format!("client_id={}", credentials.client_id))?;
    out.line(&format!("client_secret={}", credentials.client_secret))?;
    for line in more {
        out.line(line)?;
    }
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
