//! `unbroken simulate`: the simulated vendor alone, for testing any client.

use std::time::Duration;

use unbroken::render::{count, wall, wall_now};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{Credentials, Fault, News, PollVendor, Script, Stage, Truth, Vendor, genesys};

use super::answer::Answer;
use super::args::{SimulateArgs, VendorKind};
use super::error::CliError;
use super::output::{Output, say};
use super::run::{runtime, stop_signal};
use super::settings::duration;
use super::vendor::{PolledSettings, VendorSettings, genesys_faults};

/// Between two looks at what has fired.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Faults are played for so long if no duration is named: until it is stopped.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(crate) fn run(args: &SimulateArgs) -> Result<Answer, CliError> {
    let limit = args.duration.as_deref().map(|text| duration("--duration", text)).transpose()?;
    match args.kind {
        VendorKind::Cxone => {
            let mut vendor = VendorSettings::without_pairs(VendorKind::Cxone, &args.vendor)?;
            vendor.dialect.common_mut().bind = args.listen;
            runtime()?.block_on(cxone(vendor, limit))
        }
        VendorKind::Genesys => {
            let faults = genesys_faults(&args.vendor.faults)?;
            let mut settings = genesys::Settings::default().scaled(u64::from(args.scale));
            settings.vendor.bind = args.listen;
            settings.vendor.seed = args.vendor.seed;
            settings.vendor.agents = args.vendor.agents;
            settings.vendor.rate = f64::from(args.vendor.rate);
            runtime()?.block_on(genesys(settings, faults, limit))
        }
        VendorKind::CxonePoll => {
            let mut vendor = PolledSettings::of(&args.vendor)?;
            vendor.settings.bind = args.listen;
            runtime()?.block_on(cxone_poll(vendor, limit))
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
    Ok(farewell(made(&vendor.shutdown().await?)))
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
    Ok(farewell(made(&vendor.shutdown().await?)))
}

async fn cxone_poll(polled: PolledSettings, limit: Option<Duration>) -> Result<Answer, CliError> {
    let told_to_stop = stop_signal()?;
    let seed = polled.settings.seed;
    let vendor = PollVendor::start(polled.settings).await?;
    let (api, (id, secret)) = (&vendor.http_url, &vendor.access_key);
    print_lines(&[
        format!("api={api}"),
        format!("discovery={}", vendor.discovery_url),
        format!("tenant_id={}", vendor.tenant_id),
        format!("token_url={api}/authentication/v1/token/access-key"),
        format!("key_id={id}"),
        format!("key_secret={secret}"),
    ])?;
    if !polled.faults.is_empty() {
        vendor.play(seed, polled.faults);
    }
    let over = tokio::time::sleep(limit.unwrap_or(FOR_EVER));
    tokio::select! {
        _ = told_to_stop => {}
        () = over => {}
        () = tell_fired(&vendor) => {}
    }
    Ok(farewell(vendor.events_emitted()))
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

fn made(truth: &Truth) -> u64 {
    u64::try_from(truth.events.len()).unwrap_or(u64::MAX)
}

fn farewell(events: u64) -> Answer {
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
    let access = [
        format!("api={api}"),
        format!("token_url={api}{token_path}"),
        format!("client_id={}", credentials.client_id),
        format!("client_secret={}", credentials.client_secret),
    ];
    print_lines(&[&access[..], more].concat())
}

fn print_lines(lines: &[String]) -> Result<(), CliError> {
    let mut out = Output::new();
    for line in lines {
        out.line(line)?;
    }
    out.flush()
}

/// Says of each fault when it was seen on the wire; ends never.
async fn tell_fired(vendor: &PollVendor) {
    let mut told = vendor.fired();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let fired = vendor.fired();
        for (fault, _) in fired.iter().filter(|(fault, times)| told.get(fault) != Some(times)) {
            say(&format!("{}  {:<24} fired\n", wall(wall_now()), fault.name()));
        }
        told = fired;
    }
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
