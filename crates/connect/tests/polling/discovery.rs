//! A tenant whose hosts are named by the vendor's service.

use std::time::Duration;

use unbroken_connect::probe::{Wish, observe};
use unbroken_connect::secret::Secret;
use unbroken_connect::source::SourceError;
use unbroken_connect::{Source, SourceConfig};
use unbroken_core::connector::{Class, Failure, Page};
use unbroken_core::machine::Fetch;

use crate::vendor::{Vendor, answer, nothing, page};

const RETRY: Class = Class::Retry { after_ms: None };

/// What the service says: the API is here, and tokens are there.
fn names(api: &Vendor, tokens: &Vendor) -> Vec<u8> {
    let (api, tokens) = (api.url(), tokens.url());
    let body = format!(r#"{{"area":"na1","api_endpoint":"{api}","auth_endpoint":"{tokens}"}}"#);
    answer("200 OK", "", &body)
}

fn config(service: &Vendor, allowed: &str) -> String {
    format!(
        r#"
        name = "poll"
        [auth]
        grant = "access_key"
        key_id = "id"
        key_secret = "secret"
        [discovery]
        url = "{}"
        tenant_id = "a/b"
        allowed_hosts = [{allowed}]
        [profile]
        extends = "cxone-poll"
        [profile.discovery]
        token = "{{{{ auth_endpoint }}}}"
        "#,
        service.url()
    )
}

fn source(service: &Vendor) -> Source {
    let config: SourceConfig = toml::from_str(&config(service, "\"127.0.0.1\"")).unwrap();
    Source::new(config).unwrap()
}

async fn snapshot(source: &Source) -> Result<Page, Failure> {
    source.fetch(&Fetch::First, None, Some(&Secret::new("t"))).await
}

fn everybody() -> Vec<u8> {
    page(&[(1, "Available", 1)], 30, 1)
}

fn gone() -> Vec<u8> {
    answer("404 Not Found", "", "")
}

#[tokio::test]
async fn the_service_is_asked_once_and_each_thing_where_it_says() {
    let api = Vendor::start([everybody()]).await;
    let token = answer("200 OK", "", r#"{"access_token":"x","expires_in":60}"#);
    let tokens = Vendor::start([token]).await;
    let service = Vendor::start([names(&api, &tokens)]).await;
    let source = source(&service);
    source.authorize().await.unwrap();
    assert_eq!(snapshot(&source).await.unwrap().rows.len(), 1);
    source.open(None, Some(&Secret::new("t"))).await.unwrap();
    let asked = service.questions();
    assert_eq!(asked.len(), 1);
    let wanted = "GET /.well-known/cxone-configuration?tenantId=a%2Fb HTTP/1.1\r\n";
    assert!(asked[0].starts_with(wanted), "{}", asked[0]);
    assert!(!asked[0].to_lowercase().contains("authorization"), "it needs no token");
    let path = "POST /authentication/v1/token/access-key ";
    assert!(tokens.questions()[0].starts_with(path), "{:?}", tokens.questions());
    assert_eq!((tokens.questions().len(), api.questions().len()), (1, 2));
}

#[tokio::test]
async fn before_a_person_is_asked_the_service_is_and_a_tenant_that_moved_is_found() {
    let (old, new) = (Vendor::start([everybody(), gone()]).await, Vendor::start([]).await);
    new.say([everybody()]);
    let service = Vendor::start([names(&old, &old), names(&new, &new)]).await;
    let source = source(&service);
    snapshot(&source).await.unwrap();
    let failure = snapshot(&source).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (RETRY, Some(404)), "{}", failure.what);
    snapshot(&source).await.unwrap();
    assert_eq!((old.questions().len(), new.questions().len()), (2, 1));
    assert_eq!(service.questions().len(), 2);
}

#[tokio::test]
async fn a_refusal_by_hosts_that_were_just_named_is_a_person_s() {
    let api = Vendor::start([gone(), gone()]).await;
    let service = Vendor::start([names(&api, &api), names(&api, &api)]).await;
    let source = source(&service);
    let failure = snapshot(&source).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal, "{}", failure.what);
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_asked_for_anew_and_an_overloaded_one_is_not() {
    let old = Vendor::start([everybody(), answer("503 Down", "", ""), Vec::new()]).await;
    let new = Vendor::start([everybody()]).await;
    let service = Vendor::start([names(&old, &old), names(&new, &new)]).await;
    let source = source(&service);
    snapshot(&source).await.unwrap();
    assert_eq!(snapshot(&source).await.unwrap_err().code, Some(503));
    assert_eq!(snapshot(&source).await.unwrap_err().code, None);
    assert_eq!(service.questions().len(), 1);
    snapshot(&source).await.unwrap();
    assert_eq!((service.questions().len(), new.questions().len()), (2, 1));
}

#[tokio::test]
async fn while_the_service_is_down_the_old_hosts_are_tried_with_one_question_for_each_attempt() {
    let api = Vendor::start([everybody(), Vec::new(), everybody(), everybody()]).await;
    let down = || answer("503 Down", "", "");
    let service = Vendor::start([down(), names(&api, &api), down()]).await;
    let source = source(&service);
    let failure = snapshot(&source).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (RETRY, Some(503)), "nothing is known yet");
    snapshot(&source).await.unwrap();
    snapshot(&source).await.unwrap_err();
    snapshot(&source).await.unwrap();
    assert_eq!(service.questions().len(), 3);
    snapshot(&source).await.unwrap();
    assert_eq!(service.questions().len(), 3, "the host has answered since");
}

#[tokio::test]
async fn a_poll_that_is_refused_while_the_connection_lives_leads_to_the_service() {
    let old = Vendor::start([nothing(), answer("403 No", "", "")]).await;
    let new = Vendor::start([everybody()]).await;
    let service = Vendor::start([names(&old, &old), names(&new, &new)]).await;
    let text = config(&service, "\"127.0.0.1\"") + "[profile.poll]\ninterval_ms = 1\n";
    let text = format!("budget = {{ requests_per_minute = 1000000 }}\n{text}");
    let source = Source::new(toml::from_str(&text).unwrap()).unwrap();
    let mut connection = source.open(None, Some(&Secret::new("t"))).await.unwrap();
    let ended = crate::asking::ended(&mut *connection).await;
    let failure = source.ended(&ended);
    assert_eq!((failure.class, failure.code), (RETRY, Some(403)), "{}", failure.what);
    source.open(None, Some(&Secret::new("t"))).await.unwrap();
    assert_eq!((service.questions().len(), new.questions().len()), (2, 1));
}

#[tokio::test]
async fn a_host_that_nobody_allowed_is_sent_nothing_and_says_what_to_write() {
    let api = Vendor::start([everybody()]).await;
    let service = Vendor::start([names(&api, &api)]).await;
    let text = config(&service, "\".vendor.example\"");
    let source = Source::new(toml::from_str(&text).unwrap()).unwrap();
    let failure = source.authorize().await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    let wanted = "add \"127.0.0.1\" to `allowed_hosts` of `[source.discovery]`";
    assert!(failure.what.as_str().contains(wanted), "{}", failure.what);
    assert_eq!(api.questions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tenant_that_the_service_does_not_know_is_a_person_s() {
    let service = Vendor::start([gone()]).await;
    let failure = source(&service).authorize().await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Fatal, Some(404)));
    assert!(failure.what.as_str().contains("`tenant_id`"), "{}", failure.what);
    assert!(!failure.what.as_str().contains("a%2Fb"), "no query is shown: {}", failure.what);
}

#[tokio::test]
async fn a_check_shows_the_hosts_and_what_is_wrong_with_them() {
    let api = Vendor::start([]).await;
    for (allowed, good, says) in [
        ("\"127.0.0.1\"", true, format!("the API is at {0}, tokens at {0}", api.url())),
        ("\"localhost\"", false, "which is not allowed".to_owned()),
    ] {
        let service = Vendor::start([names(&api, &api), names(&api, &api)]).await;
        let source = Source::new(toml::from_str(&config(&service, allowed)).unwrap()).unwrap();
        let wish = Wish { listen: Duration::from_millis(50), second: false };
        let steps = observe(&source, wish, &mut |_| {}).await.steps;
        let step = steps.iter().find(|step| step.name == "discovery").unwrap();
        assert_eq!(step.is_bad(), !good, "{step:?}");
        assert!(format!("{step:?}").contains(&says), "{step:?}");
        let token = steps.iter().find(|step| step.name == "token").unwrap();
        let skipped = token.what == "the host is not known: see `discovery`";
        assert_eq!(skipped, !good, "{token:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_way_out() {
    let text = "name = 'x'\n{api}\n\
                auth = { grant = 'access_key', key_id = 'a', key_secret = 'b' }\n\
                profile = '{profile}'\nstream = 'wss://vendor.example'\n\
                [discovery]\nurl = '{url}'\ntenant_id = 't'\nallowed_hosts = [{allowed}]\n";
    let refused = |api: &str, profile: &str, url: &str, allowed: &str| {
        let text = text.replace("{api}", api).replace("{profile}", profile);
        let text = text.replace("{url}", url).replace("{allowed}", allowed);
        let error = Source::new(toml::from_str(&text).unwrap()).unwrap_err();
        let SourceError::Discovery { source, .. } = &error else { panic!("{error:?}") };
        (source.to_string(), error.hint().unwrap())
    };
    let (url, allowed) = ("https://vendor.example", "'.vendor.example'");
    for (api, profile, url, allowed, what, hint) in [
        ("api = 'https://x.example'", "cxone-poll", url, allowed, "both", "remove one"),
        ("", "cxone", url, allowed, "no `[discovery]`", "set `api`"),
        ("", "cxone-poll", "http://vendor.example", allowed, "`discovery.url`", "https"),
        ("", "cxone-poll", url, "", "is empty", "\".vendor.example\""),
        ("", "cxone-poll", url, "'.com'", "`.com`", "\".vendor.example\""),
    ] {
        let (said, cure) = refused(api, profile, url, allowed);
        assert!(said.contains(what) && cure.contains(hint), "{said}: {cure}");
    }
}
