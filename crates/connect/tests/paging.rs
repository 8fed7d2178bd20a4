//! Every way to page a snapshot, each to its end, over a vendor made of answers.

use bytes::Bytes;
use unbroken_connect::generic::{Context, Generic, ProfileError, Reply};
use unbroken_connect::secret::Secret;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::connector::{Class, Failure, Page};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Fetch;

const BASE: &str = r#"
description = "paged"
stream = { name = "s", path = "/s" }
messages = { subscribe = { now = "{}" } }
[capabilities]
snapshot = "unpositioned"
paging = "offset"
token_needed = false
[snapshot]
limit = 2
[snapshot.request]
path = "/rows"
[snapshot.rows]
items = "/rows"
key = "/id"
[frames]
kinds = []
event = { key = "/id" }
"#;

fn profile(over: &str) -> Generic {
    Generic::from_toml(BASE, over.parse().unwrap(), false).unwrap()
}

fn refused(over: &str) -> ProfileError {
    Generic::from_toml(BASE, over.parse().unwrap(), false).unwrap_err()
}

/// An answer: its body, and one header.
type Answer = (&'static str, Option<(&'static str, &'static str)>);

fn page(profile: &Generic, what: &Fetch, answer: &Answer) -> Result<Page, Failure> {
    let header = |name: &str| {
        answer.1.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
    };
    let body = Bytes::from_static(answer.0.as_bytes());
    profile.page_of(what, Reply { status: 200, body: &body, header: &header }, &[])
}

/// Asks until the last page; the requests that were made (a URL where one was named), and the keys.
fn walk(profile: &Generic, answers: &[Answer]) -> (Vec<String>, Vec<String>) {
    let (mut asked, mut keys) = (Vec::new(), Vec::new());
    let mut what = Fetch::First;
    for answer in answers {
        let request = profile.fetch(&what, Context::default()).unwrap();
        asked.push(profile.next_url(&what).unwrap_or(request.path_and_query));
        let page = page(profile, &what, answer).unwrap();
        keys.extend(page.rows.iter().map(|row| row.key.as_str().to_owned()));
        match page.next {
            Some(next) => what = Fetch::Next(next),
            None => {
                assert_eq!(asked.len(), answers.len(), "it stopped too early");
                return (asked, keys);
            }
        }
    }
    panic!("it would go on after {asked:?}");
}

fn check(over: &str, answers: &[Answer], paths: &[&str]) {
    let (asked, keys) = walk(&profile(over), answers);
    assert_eq!(asked, paths);
    assert_eq!(keys, ["a", "b", "c"]);
}

const TWO: Answer = (r#"{"rows":[{"id":"a"},{"id":"b"}]}"#, None);
const ONE: Answer = (r#"{"rows":[{"id":"c"}]}"#, None);
const NONE: Answer = (r#"{"rows":[]}"#, None);

#[test]
fn one_answer_is_one_page() {
    let all: Answer = (r#"{"rows":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#, None);
    check("capabilities.paging = 'none'", &[all], &["/rows"]);
}

#[test]
fn by_offset_until_a_page_is_not_full() {
    let over = "snapshot.advance = 'offset'\nsnapshot.request.query.from = '{{ offset }}'";
    check(over, &[TWO, ONE], &["/rows?from=0", "/rows?from=2"]);
}

#[test]
fn by_page_number_from_the_number_that_the_vendor_begins_with() {
    let over = "snapshot.advance = 'page'\nsnapshot.request.query.p = '{{ page }}'";
    check(over, &[TWO, ONE], &["/rows?p=1", "/rows?p=2"]);
    let from_zero = format!("{over}\nsnapshot.first_page = 0");
    check(&from_zero, &[TWO, ONE], &["/rows?p=0", "/rows?p=1"]);
}

#[test]
fn a_total_in_a_header_ends_it_without_an_empty_page() {
    let over = "snapshot.advance = 'page'\nsnapshot.request.query.p = '{{ page }}'
        snapshot.total = 'header:X-Total-Count'";
    let total = Some(("x-total-count", "3"));
    check(over, &[(TWO.0, total), (ONE.0, total)], &["/rows?p=1", "/rows?p=2"]);
    let page = page(&profile(over), &Fetch::First, &(TWO.0, total)).unwrap();
    assert_eq!(page.total, Some(3));
}

#[test]
fn by_the_last_key_percent_encoded() {
    let over = "snapshot.advance = 'last_key'\nsnapshot.next_request.path = '/rows'
        snapshot.next_request.query.after = '{{ next }}'";
    let (asked, _) = walk(&profile(over), &[(r#"{"rows":[{"id":1},{"id":"a/&b"}]}"#, None), ONE]);
    assert_eq!(asked, ["/rows", "/rows?after=a%2F%26b"]);
}

#[test]
fn by_a_token_in_the_body_or_a_header_until_it_is_absent_null_or_empty() {
    let over = |next: &str| {
        format!(
            "snapshot.advance = 'next'\nsnapshot.next = '{next}'
             snapshot.next_request = {{ path = '/more/{{{{ next }}}}' }}"
        )
    };
    let more = (r#"{"rows":[{"id":"a"},{"id":"b"}],"token":"t/1"}"#, None);
    for last in
        [ONE.0, r#"{"rows":[{"id":"c"}],"token":null}"#, r#"{"rows":[{"id":"c"}],"token":""}"#]
    {
        check(&over("/token"), &[more, (last, None)], &["/rows", "/more/t%2F1"]);
    }
    let header = (TWO.0, Some(("x-next", "t2")));
    check(&over("header:x-next"), &[header, ONE], &["/rows", "/more/t2"]);
}

#[test]
fn by_a_url_in_the_body_or_in_a_link_header() {
    let url = "https://api.example.com/rows?cursor=x%2Fy";
    let body = (
        r#"{"rows":[{"id":"a"},{"id":"b"}],"next":"https://api.example.com/rows?cursor=x%2Fy"}"#,
        None,
    );
    check("snapshot.advance = 'url'\nsnapshot.next = '/next'", &[body, ONE], &["/rows", url]);
    let link = r#"</rows?page=1>; rel="prev", </rows?page=3>; rel="next""#;
    let answers = [(TWO.0, Some(("Link", link))), (ONE.0, Some(("link", r#"</r>; rel="prev""#)))];
    let over = "snapshot.advance = 'url'\nsnapshot.next = 'header:link'";
    check(over, &answers, &["/rows", "/rows?page=3"]);
}

#[test]
fn a_url_s_request_keeps_its_headers_so_that_only_the_way_is_the_vendor_s() {
    let over = "snapshot.advance = 'url'\nsnapshot.next = '/next'
        snapshot.request.headers.Authorization = 'Bearer {{ token }}'";
    let profile = profile(over);
    let answer = (r#"{"rows":[],"next":"https://evil.example/"}"#, None);
    let next = Fetch::Next(page(&profile, &Fetch::First, &answer).unwrap().next.unwrap());
    let token = Secret::new("t");
    let context = Context { token: Some(&token), ..Context::default() };
    let request = profile.fetch(&next, context).unwrap();
    assert_eq!(request.path_and_query, "/rows", "nothing of the URL is in the request itself");
    assert!(request.headers[0].secret);
}

#[test]
fn the_id_of_a_frozen_snapshot_may_be_an_etag() {
    let over = "snapshot.advance = 'offset'\nsnapshot.snapshot_id = 'header:etag'
        snapshot.request.query.id = '{{ snapshot_id }}'
        snapshot.next_request = { path = '/rows', query = { id = '{{ snapshot_id }}' } }
        snapshot.request.query = {}";
    let over = over.replace("snapshot.request.query.id = '{{ snapshot_id }}'\n", "");
    let profile = profile(&over);
    let first = page(&profile, &Fetch::First, &(TWO.0, Some(("etag", "\"v7\"")))).unwrap();
    assert_eq!(first.snapshot_id, Some("\"v7\"".into()));
    let request = profile.fetch(&Fetch::Next(first.next.unwrap()), Context::default()).unwrap();
    assert_eq!(request.path_and_query, "/rows?id=%22v7%22");
}

#[test]
fn a_vendor_that_names_the_same_page_again_is_not_followed_for_ever() {
    let over = "snapshot.advance = 'next'\nsnapshot.next = '/token'
        snapshot.next_request = { path = '/more/{{ next }}' }";
    let profile = profile(over);
    let answer = (r#"{"rows":[{"id":"a"}],"token":"t"}"#, None);
    let next = Fetch::Next(page(&profile, &Fetch::First, &answer).unwrap().next.unwrap());
    let error = page(&profile, &next, &answer).unwrap_err();
    assert_eq!(error.class, Class::Retry { after_ms: None });
    assert_eq!(error.what.as_str(), "the next page is this page again");
}

#[test]
fn an_empty_page_ends_a_walk_by_rows() {
    let over = "snapshot.advance = 'offset'\nsnapshot.request.query.from = '{{ offset }}'";
    let (asked, _) = walk(&profile(over), &[TWO, NONE]);
    assert_eq!(asked.len(), 2);
}

#[test]
fn rows_may_lie_in_lists_of_lists_or_be_members_of_an_object() {
    let nested = "capabilities.paging = 'none'\nsnapshot.rows.items = '/teams/*/rows'";
    let body = r#"{"teams":[{"rows":[{"id":"a"},{"id":"b"}]},{"rows":[{"id":"c"}]}]}"#;
    check(nested, &[(body, None)], &["/rows"]);
    let map = "capabilities.paging = 'none'
        snapshot.rows = { items = '/byId', items_map = true, key = '@name', payload = '/v' }";
    let body = r#"{"byId":{"a":{"v":1},"b":{"v":2},"c":{"v":3}}}"#;
    check(map, &[(body, None)], &["/rows"]);
}

#[test]
fn requests_take_forms_and_repeat_a_list() {
    let over = "capabilities.paging = 'none'
        snapshot.request.method = 'POST'
        snapshot.request.form = { ids = '{{ keys }}', all = '{{ keys | join }}' }";
    let keys = [Key::from("a b"), Key::from("c&d=e")];
    let context = Context { keys: &keys, ..Context::default() };
    let request = profile(over).fetch(&Fetch::First, context).unwrap();
    let body = request.body.unwrap();
    assert_eq!(body, "all=a%20b%2Cc%26d%3De&ids=a%20b&ids=c%26d%3De");
    let form = request.headers.iter().find(|header| header.name == "content-type").unwrap();
    assert_eq!(form.value, "application/x-www-form-urlencoded");
    let over = "capabilities.paging = 'none'\nsnapshot.request.query = { id = '{{ keys }}' }";
    let request = profile(over).fetch(&Fetch::First, context).unwrap();
    assert_eq!(request.path_and_query, "/rows?id=a%20b&id=c%26d%3De");
}

#[test]
fn what_cannot_work_is_refused_with_the_profile() {
    let advance = "snapshot.advance = 'url'";
    assert!(matches!(refused(advance), ProfileError::NoNext), "{:?}", refused(advance));
    assert!(matches!(refused(""), ProfileError::NoAdvance));
    let both = "snapshot.advance = 'offset'
        snapshot.request = { method = 'POST', body = '{}', form = { a = 'b' } }";
    assert!(matches!(refused(both), ProfileError::TwoBodies));
    let list = "snapshot.advance = 'offset'\nsnapshot.request.path = '/rows/{{ keys }}'";
    let error = refused(list);
    assert_eq!(error.hint().unwrap(), "write `{{ keys | join }}`");
    let pointer = "snapshot.advance = 'next'\nsnapshot.next = 'headr:link'";
    assert!(matches!(refused(pointer), ProfileError::Pointer(_)));
}

#[test]
fn a_status_may_say_that_there_is_nobody() {
    let body = Bytes::from_static(b"<no json>");
    let read = |profile: &Generic, what: &Fetch, status| {
        profile.page_of(what, Reply { status, body: &body, header: &|_| None }, &[])
    };
    let plain = profile("snapshot = { advance = 'offset', empty = [204, 404] }");
    for status in [204, 404] {
        assert_eq!(read(&plain, &Fetch::First, status).unwrap(), Page::default());
    }
    assert!(read(&plain, &Fetch::First, 200).is_err(), "any other answer is read");
    let with_place = |position: &str, tag: &str| {
        let text = format!(
            "capabilities = {{ position = '{position}', snapshot = 'positioned' }}\n\
             [snapshot]\n\
             advance = 'offset'\ntag = '/at'\nempty = [204]\nempty_tag = '{tag}'\n\
             [frames.event]\nsequence = '/at'"
        );
        Generic::from_toml(BASE, text.parse().unwrap(), false)
    };
    let opaque = with_place("opaque", "begin").unwrap();
    let page = read(&opaque, &Fetch::First, 204).unwrap();
    assert_eq!((page.bookmark, page.tag), (Bookmark::new(b"begin"), None));
    let later = Fetch::Next(page_after_rows(&opaque));
    assert!(read(&opaque, &later, 204).is_err(), "there were rows a moment ago");
    let numbered = with_place("increasing", "7").unwrap();
    assert_eq!(read(&numbered, &Fetch::Head, 204).unwrap().tag, Some(7));
    for (position, tag, says) in [
        ("increasing", "begin", "a text that is no number"),
        ("increasing", "-1", "a negative number"),
        ("opaque", "", "nothing"),
    ] {
        let error = with_place(position, tag).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = refused(
        "capabilities = { position = 'opaque', snapshot = 'positioned' }\n\
         snapshot = { advance = 'offset', tag = '/at', empty = [204] }",
    );
    assert!(matches!(error, ProfileError::NoEmptyTag), "{error}");
}

/// The name of the page after one that had rows.
fn page_after_rows(profile: &Generic) -> Label {
    let body = Bytes::from_static(br#"{"at":"x","rows":[{"id":1},{"id":2}]}"#);
    let reply = Reply { status: 200, body: &body, header: &|_| None };
    profile.page_of(&Fetch::First, reply, &[]).unwrap().next.unwrap()
}
