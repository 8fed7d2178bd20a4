//! Where a Genesys account's own addresses may lead, and who is asked for what.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use unbroken_connect::secret::Secret;
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::connector::Class;
use unbroken_core::ids::Key;
use unbroken_core::machine::Fetch;

/// What was asked for, and whether with a token.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

#[derive(Clone)]
struct Vendor {
    asked: Asked,
    /// What a listing names in place of its rows.
    download: String,
}

async fn answer(State(vendor): State<Vendor>, request: Request) -> axum::response::Response {
    let has_token = request.headers().contains_key("authorization");
    let path = request.uri().to_string();
    vendor.asked.lock().unwrap().push((path.clone(), has_token));
    let rows = r#"[{"user":{"id":"a"}},{"user":{"id":"b"}}]"#;
    if path.starts_with("/downloads") {
        return format!("{{\"entities\":{rows}}}").into_response();
    }
    if path.starts_with("/api/v2/workforcemanagement/adherence") {
        return rows.into_response();
    }
    format!("{{\"downloadUrl\":\"{}\"}}", vendor.download).into_response()
}

/// A source by a unit whose listing is somewhere else, and by users.
async fn sources(download: impl Fn(&str) -> String) -> (Source, Source, Asked) {
    let asked = Asked::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let vendor = Vendor { asked: Arc::clone(&asked), download: download(&at) };
    let router = Router::new().fallback(answer).with_state(vendor);
    tokio::spawn(axum::serve(listener, router).into_future());
    let source = |more: &str| {
        let text = format!(
            r#"
            name = "g"
            profile = "genesys"
            api = "http://{at}"
            stream = "ws://{at}"
            {more}
            [auth]
            grant = "token"
            token = "t"
            "#
        );
        let config: SourceConfig = toml::from_str(&text).unwrap();
        Source::new(config).unwrap()
    };
    let of_unit = source("genesys = { management_units = [\"m\"] }");
    let of_users =
        source("agents = [\"a\", \"b\", \"c\"]\ngenesys = { users_per_request_max = 2 }");
    (of_unit, of_users, asked)
}

fn token() -> Secret {
    Secret::new("hunter2")
}

#[tokio::test]
async fn a_download_is_asked_for_without_the_token() {
    let (source, _, asked) = sources(|at| format!("http://{at}/downloads/x?signature=s")).await;
    let page = source.fetch(&Fetch::First, None, Some(&token())).await.unwrap();
    assert_eq!(page.rows.len(), 2);
    let unit = "/api/v2/workforcemanagement/managementunits/m/adherence".to_owned();
    let download = "/downloads/x?signature=s".to_owned();
    assert_eq!(*asked.lock().unwrap(), [(unit, true), (download, false)]);
}

#[tokio::test]
async fn a_download_from_a_host_that_nobody_allowed_is_refused_and_its_path_is_not_told() {
    let (source, _, asked) = sources(|_| "https://evil.example/x?signature=hunter2".into()).await;
    let failure = source.fetch(&Fetch::First, None, Some(&token())).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    let what = failure.what.as_str();
    assert!(what.contains("https://evil.example") && what.contains("allowed_hosts"), "{what}");
    assert!(!what.contains("hunter2"), "{what}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn users_are_asked_for_in_batches_and_a_key_alone_by_itself() {
    let (_, source, asked) = sources(|_| String::new()).await;
    let first = source.fetch(&Fetch::First, None, Some(&token())).await.unwrap();
    let next = first.next.unwrap();
    let second = source.fetch(&Fetch::Next(next), None, Some(&token())).await.unwrap();
    assert_eq!(second.next, None);
    let only = [Key::from("b"), Key::from("stranger")];
    let page = source.fetch(&Fetch::First, Some(&only), Some(&token())).await.unwrap();
    assert_eq!(page.rows.len(), 1, "rows of others do not count");
    let path = |query: &str| (format!("/api/v2/workforcemanagement/adherence?{query}"), true);
    let expected = [path("userId=a&userId=b"), path("userId=c"), path("userId=b")];
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[test]
fn a_region_gives_the_hosts_and_a_user_s_own_go_before_it() {
    let config = |more: &str| {
        let text = format!(
            "name = \"g\"\nprofile = \"genesys\"\nagents = [\"a\"]\n{more}\n\
             [auth]\ngrant = \"client_credentials\"\nclient_id = \"i\"\nclient_secret = \"s\"\n"
        );
        toml::from_str::<SourceConfig>(&text).unwrap()
    };
    Source::new(config("genesys = { region = \"mypurecloud.ie\" }")).unwrap();
    let error = Source::new(config("genesys = { region = \"ireland\" }")).unwrap_err();
    assert!(error.hint().unwrap().contains("mypurecloud.ie"), "{error}");
    let error = Source::new(config("api = \"https://api.example.com\"")).unwrap_err();
    assert!(error.to_string().contains("stream"), "{error}");
    let both = "api = \"http://plain.example\"\ngenesys = { region = \"mypurecloud.ie\" }";
    assert!(Source::new(config(both)).is_err(), "what a user names counts, and is plain text here");
    let other = SourceConfig {
        profile: unbroken_connect::config::ProfileChoice::embedded("etcd"),
        ..config("genesys = { queues = [\"q\"] }")
    };
    let error = Source::new(other).unwrap_err();
    assert!(error.to_string().contains("its profile is another"), "{error}");
}

#[test]
fn audits_that_would_take_what_recovery_needs_are_refused_with_the_sum() {
    let agents: Vec<String> = (0..12_000).map(|at| format!("u{at}")).collect();
    let text = format!(
        "name = \"g\"\nprofile = \"genesys\"\nagents = {agents:?}\n\
         genesys = {{ region = \"mypurecloud.ie\" }}\n[auth]\ngrant = \"token\"\ntoken = \"t\"\n"
    );
    let error = Source::new(toml::from_str(&text).unwrap()).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("120 times for each audit, every 60000 ms"), "{said}");
    assert!(error.hint().unwrap().contains("timing.audit_ms"));
    let slower = format!("{text}[timing]\naudit_ms = 300000\n");
    Source::new(toml::from_str(&slower).unwrap()).unwrap();
}
