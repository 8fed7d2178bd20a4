//! The historical adherence job: asked for, looked at until it is done, downloaded.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unbroken_core::connector::{Fact, Failure, HistoryPage};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Past;
use unbroken_core::time::UnixMicros;

use crate::genesys::client::{Client, fatal, read, retry};
use crate::genesys::config::GenesysConfig;
use crate::genesys::conversation::iso;
use crate::genesys::topic::is_id;
use crate::secret::Secret;
use crate::transport::{Answer, Method};

const JOBS: &str = "/api/v2/workforcemanagement/adherence/historical/bulk";

/// A period's begin is cut where the question begins. Asked from the begin of a day on, a period
/// that two gaps of a day touch begins at the same moment in both answers.
const DAY_US: i64 = 86_400 * SECOND_US;
const SECOND_US: i64 = 1_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    items: Vec<Item>,
    time_zone: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    management_unit_id: String,
    start_date: String,
    end_date: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    job: JobReference,
    #[serde(default)]
    download_urls: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct JobReference {
    id: String,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    start_date: String,
    #[serde(borrow, default)]
    user_results: Vec<UserResult<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserResult<'a> {
    user_id: String,
    #[serde(borrow, default)]
    actuals: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    exception_info: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Period {
    start_offset_seconds: i64,
    end_offset_seconds: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    user_id: &'a str,
    start_date: &'a str,
    period: &'a RawValue,
}

/// Asks for the job, or looks at one that was asked for.
///
/// # Errors
/// The failure as the machine understands it.
pub(super) async fn ask(
    client: &Client,
    what: &Past,
    config: &GenesysConfig,
    is_wanted: impl Fn(&Key) -> bool,
    token: Option<&Secret>,
) -> Result<HistoryPage, Failure> {
    let job = match &what.page {
        None => begin(client, what, &config.management_units, token).await?,
        Some(id) if is_id(id.as_str()) => {
            let answer = client.find(Method::Get, format!("{JOBS}/jobs/{id}"), token).await?;
            let answer = answer.ok_or_else(|| retry("history: the job is gone"))?;
            read(&answer, "a job")?
        }
        Some(_) => return Err(fatal("history: the job is none of ours")),
    };
    let urls = job.download_urls.unwrap_or_default();
    let status = job.job.status.unwrap_or_default();
    match status.as_str() {
        "Complete" => {}
        "Error" | "Canceled" => return Err(retry(format!("history: the job ended as {status}"))),
        _ if !is_id(&job.job.id) => {
            return Err(retry("answer is not understood: expected a job's id"));
        }
        _ => {
            let next = Some(Label::new(job.job.id));
            let later_ms = Some(config.history_look_ms);
            return Ok(HistoryPage { next, later_ms, ..HistoryPage::default() });
        }
    }
    let mut facts = Vec::new();
    for url in &urls {
        take(&client.download(url).await?, &is_wanted, &mut facts)?;
    }
    let hits = facts.len() as u64;
    Ok(HistoryPage { facts, hits, ..HistoryPage::default() })
}

async fn begin(
    client: &Client,
    what: &Past,
    units: &[String],
    token: Option<&Secret>,
) -> Result<Job, Failure> {
    let day = UnixMicros(what.since.0.div_euclid(DAY_US) * DAY_US);
    let (start_date, end_date) = (iso(day)?, iso(what.to)?);
    let item = |unit: &String| Item {
        management_unit_id: unit.clone(),
        start_date: start_date.clone(),
        end_date: end_date.clone(),
    };
    let query = Query { items: units.iter().map(item).collect(), time_zone: "UTC" };
    let body = serde_json::to_string(&query).map_err(|error| fatal(error.to_string()))?;
    let answer = client.call(Method::Post, JOBS.to_owned(), Some(body), token).await?;
    read(&answer, "a job")
}

fn take(
    answer: &Answer,
    is_wanted: &impl Fn(&Key) -> bool,
    facts: &mut Vec<Fact>,
) -> Result<(), Failure> {
    let report: Report<'_> = read(answer, "historical adherence")?;
    let start: jiff::Timestamp = report
        .start_date
        .parse()
        .map_err(|_| retry("answer is not understood: expected a report's time"))?;
    let start = start.as_microsecond();
    for result in &report.user_results {
        let key = Key::from(result.user_id.as_str());
        if !is_wanted(&key) {
            continue;
        }
        let periods = result.actuals.iter().map(|raw| ("actual", raw));
        for (kind, raw) in periods.chain(result.exception_info.iter().map(|raw| ("exception", raw)))
        {
            let period: Period = serde_json::from_str(raw.get())
                .map_err(|_| retry("answer is not understood: expected a period"))?;
            let at = |offset_s: i64| {
                UnixMicros(start.saturating_add(offset_s.saturating_mul(SECOND_US)))
            };
            let began_at = at(period.start_offset_seconds);
            let kept =
                Kept { user_id: &result.user_id, start_date: &report.start_date, period: raw };
            let payload = serde_json::to_vec(&kept).map_err(|error| fatal(error.to_string()))?;
            facts.push(Fact {
                id: Label::new(format!("{}/{kind}/{}", result.user_id, iso(began_at)?)),
                key: key.clone(),
                kind: Some(kind.into()),
                began_at,
                // Offsets are whole seconds: it ended within this one.
                ended_at: Some(UnixMicros(at(period.end_offset_seconds).0 + SECOND_US - 1)),
                over: false,
                payload: Bytes::from(payload),
            });
        }
    }
    Ok(())
}
