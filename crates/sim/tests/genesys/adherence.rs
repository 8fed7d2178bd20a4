//! Adherence by REST, now and in the past.

use serde_json::{Value, json};
use unbroken_sim::Vendor;
use unbroken_sim::genesys::Settings;
use unbroken_sim::truth::TruthRow;

use crate::client::{Caller, settings, within};

#[tokio::test]
async fn users_are_asked_for_by_the_hundred_and_answered_with_a_bare_array() {
    let mut large = settings();
    large.vendor.agents = 120;
    let vendor = Vendor::start(large).await.unwrap();
    let caller = Caller::new(&vendor).await;
    vendor.stop_emission();
    let users = vendor.account().users;
    let path = |users: &[String]| {
        let query: Vec<String> = users.iter().map(|user| format!("userId={user}")).collect();
        format!("/api/v2/workforcemanagement/adherence?{}", query.join("&"))
    };
    assert_eq!(caller.get(&path(&users[..0])).await.status, 400);
    assert_eq!(caller.get(&path(&users[..101])).await.status, 400);
    let told = caller.get(&path(&users[5..105])).await;
    let rows = told.body.as_array().unwrap();
    assert_eq!(rows.len(), 100);
    let truth = vendor.truth();
    let page = truth.pages.last().unwrap();
    for (row, key) in rows.iter().zip(page.agents.as_ref().unwrap()) {
        let id = row["user"]["id"].as_str().unwrap();
        assert_eq!(*key, format!("adherence/{id}"));
        let last = truth.events.iter().rfind(|event| *event.agent == *key).unwrap();
        let TruthRow::Other(bytes) = &last.row else { panic!("{last:?}") };
        assert_eq!(serde_json::from_slice::<Value>(bytes).unwrap(), *row);
        assert!(told.text.contains(std::str::from_utf8(bytes).unwrap()), "other bytes");
        assert!(row["timeOfAdherenceChange"].is_string());
        assert!(row.get("adherenceChangeTime").is_none());
    }
    assert_eq!((page.rows, page.as_of), (100, truth.events.len() as u64));
}

#[tokio::test]
async fn a_large_listing_is_downloaded_from_an_address_that_needs_no_token() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    vendor.stop_emission();
    let account = vendor.account();
    let (unit, users) = &account.units[0];
    let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/adherence");
    let plain = caller.get(&path).await.body;
    assert_eq!(plain["entities"].as_array().unwrap().len(), users.len());
    assert!(plain.get("downloadUrl").is_none());
    let forced = caller.get(&format!("{path}?forceDownloadService=true")).await.body;
    assert!(forced.get("entities").is_none(), "{forced}");
    let url = forced["downloadUrl"].as_str().unwrap();
    let downloaded: Value = within(reqwest::get(url)).await.unwrap().json().await.unwrap();
    assert_eq!(downloaded, plain);
    let (team, members) = &account.teams[0];
    let path = format!("/api/v2/workforcemanagement/teams/{team}/adherence");
    let rows = caller.get(&path).await.body["entities"].as_array().unwrap().len();
    assert_eq!(rows, members.len());
    let small = Settings { listing_rows_max: 3, ..settings() };
    let vendor = Vendor::start(small).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let unit = &vendor.account().units[0].0;
    let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/adherence");
    assert!(caller.get(&path).await.body["downloadUrl"].is_string());
    assert_eq!(caller.get(&path.replace(unit, "nobody")).await.status, 404);
}

#[tokio::test]
async fn the_historical_job_is_polled_and_its_results_downloaded() {
    let mut lively = settings();
    lively.vendor.rate = 2_000.0;
    let vendor = Vendor::start(lively).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (unit, users) = vendor.account().units[0].clone();
    while vendor.events_emitted() < 1_500 {
        tokio::task::yield_now().await;
    }
    let path = "/api/v2/workforcemanagement/adherence/historical/bulk";
    let item = json!({"managementUnitId": unit, "startDate": "2020-01-01T00:00:00.000Z",
                      "endDate": "2100-01-01T00:00:00.000Z", "userIds": &users[..2],
                      "includeExceptions": true, "includeActuals": true});
    let told = caller.post(path, json!({"items": [item], "timeZone": "UTC"})).await;
    assert_eq!((told.status, &told.body["job"]["status"]), (202, &json!("Processing")));
    let at = told.body["job"]["selfUri"].as_str().unwrap();
    let done = loop {
        let told = caller.get(at).await;
        assert_eq!(told.status, 200, "{told:?}");
        if told.body["job"]["status"] == "Complete" {
            break told.body;
        }
        assert_eq!(told.body["downloadUrls"], json!([]));
    };
    let url = done["downloadUrls"][0].as_str().unwrap();
    let result: Value = within(reqwest::get(url)).await.unwrap().json().await.unwrap();
    assert_eq!(result["managementUnitId"], json!(unit));
    let results = result["userResults"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for of_user in results {
        let actuals = of_user["actuals"].as_array().unwrap();
        assert!(!actuals.is_empty());
        for two in actuals.windows(2) {
            assert_ne!(two[0]["actualActivityCategory"], two[1]["actualActivityCategory"]);
            assert_eq!(two[0]["endOffsetSeconds"], two[1]["startOffsetSeconds"]);
        }
    }
    assert_eq!(caller.post(path, json!({"items": [], "timeZone": "UTC"})).await.status, 400);
    assert_eq!(caller.get(&format!("{path}/jobs/none")).await.status, 404);
}
