//! Adherence by REST: of users, or of units and teams.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use unbroken_core::connector::{Failure, Page, Row};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Fetch;

use crate::generic::Generic;
use crate::genesys::client::{Client, fatal, read, retry};
use crate::genesys::{adherence, topic};
use crate::secret::Secret;
use crate::transport::Method;

const ADHERENCE: &str = "/api/v2/workforcemanagement/adherence";

/// A unit's or team's listing: its rows, or where they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing<'a> {
    #[serde(borrow)]
    entities: Option<Vec<&'a RawValue>>,
    download_url: Option<String>,
}

/// A page of a snapshot of these users: so many of them.
///
/// # Errors
/// The failure as the machine understands it.
pub(super) async fn users(
    client: &Client,
    what: &Fetch,
    keys: &[Key],
    users_max: usize,
    token: Option<&Secret>,
) -> Result<Page, Failure> {
    // By the last id and not by a number: agents may come and go between two pages.
    let from = match what {
        Fetch::Head => return Err(fatal("there is no head")),
        Fetch::First => 0,
        Fetch::Next(last) => keys.partition_point(|key| key.as_str() <= last.as_str()),
    };
    let mut parts = keys.get(from..).unwrap_or_default().chunks(users_max.max(1));
    let Some(part) = parts.next() else { return Ok(Page::default()) };
    let ids: Vec<String> = part.iter().map(|key| format!("userId={}", key.as_str())).collect();
    let path = format!("{ADHERENCE}?{}", ids.join("&"));
    let answer = client.call(Method::Get, path, None, token).await?;
    let rows: Vec<&RawValue> = read(&answer, "rows of adherence")?;
    let is_asked = |key: &Key| part.binary_search(key).is_ok();
    let rows = rows_of(&client.connector, &rows, is_asked)?;
    let last = part.last().filter(|_| parts.next().is_some());
    let next = last.map(|key| Label::from(key.as_str()));
    Ok(Page { rows, next, ..Page::default() })
}

/// A page of a snapshot of units or teams: one of them.
///
/// # Errors
/// The failure as the machine understands it.
pub(super) async fn listing(
    client: &Client,
    what: &Fetch,
    topics: &[String],
    is_wanted: impl Fn(&Key) -> bool,
    token: Option<&Secret>,
) -> Result<Page, Failure> {
    let at = place(what)?;
    let Some(topic) = topics.get(at) else { return Ok(Page::default()) };
    let path = topic::listing_path(topic).ok_or_else(|| fatal("a topic that has no listing"))?;
    let answer = client.call(Method::Get, path, None, token).await?;
    let said: Listing<'_> = read(&answer, "a listing of adherence")?;
    let next = (at + 1 < topics.len()).then(|| Label::new((at + 1).to_string()));
    let rows = match (said.entities, said.download_url) {
        (Some(rows), None) => rows_of(&client.connector, &rows, is_wanted)?,
        (_, Some(url)) => {
            let answer = client.download(&url).await?;
            let said: Listing<'_> = read(&answer, "a listing of adherence")?;
            let rows = said.entities.ok_or_else(|| retry("download has no `entities`"))?;
            rows_of(&client.connector, &rows, is_wanted)?
        }
        (None, None) => return Err(retry("listing has neither `entities` nor `downloadUrl`")),
    };
    Ok(Page { rows, next, ..Page::default() })
}

fn place(what: &Fetch) -> Result<usize, Failure> {
    match what {
        Fetch::Head => Err(fatal("there is no head")),
        Fetch::First => Ok(0),
        Fetch::Next(label) => label.as_str().parse().map_err(|_| fatal("the page is none of ours")),
    }
}

fn rows_of(
    connector: &Generic,
    rows: &[&RawValue],
    is_wanted: impl Fn(&Key) -> bool,
) -> Result<Vec<Row>, Failure> {
    let mut read = BTreeMap::new();
    for row in rows {
        if let Some(row) = row_of(connector, row.get())?.filter(|row| is_wanted(&row.key)) {
            read.insert(row.key.clone(), row);
        }
    }
    Ok(read.into_values().collect())
}

/// A row as the notification of the same state; `None`: the agent belongs to no unit any more.
fn row_of(connector: &Generic, raw: &str) -> Result<Option<Row>, Failure> {
    let strange = || retry("answer is not understood: expected a row of adherence");
    let read = adherence::read(raw).ok_or_else(strange)?;
    if read.is_removed {
        return Ok(None);
    }
    let payload = adherence::as_event(raw).ok_or_else(strange)?;
    let (_, payload) = connector.keep(payload).map_err(|_| strange())?;
    Ok(Some(Row {
        key: Key::new(read.user),
        version: None,
        occurred_at: read.changed_at,
        digest: connector.digest_of(read.normal.as_bytes()),
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProfileChoice;

    #[test]
    fn rows_are_of_those_who_are_wanted_and_there() {
        let connector = ProfileChoice::embedded("genesys").connector(true).unwrap();
        let text = r#"[{"user":{"id":"b"},"impact":"Neutral"},
            {"user":{"id":"a"},"managementUnit":{"id":"m","selfUri":"/m"}},
            {"user":{"id":"gone"},"removedFromManagementUnit":true},{"user":{"id":"other"}}]"#;
        let rows: Vec<&RawValue> = serde_json::from_str(text).unwrap();
        let rows = rows_of(&connector, &rows, |key| key.as_str() != "other").unwrap();
        let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(&rows[0].payload[..], br#"{"managementUnitId":"m","user":{"id":"a"}}"#);
        let rows: Vec<&RawValue> = serde_json::from_str("[{}]").unwrap();
        assert!(
            rows_of(&connector, &rows, |_| true).is_err(),
            "a row that cannot be read is not left out"
        );
    }
}
