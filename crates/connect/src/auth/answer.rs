//! What a token endpoint's answer means.

use serde_json::{Map, Value};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::auth::authorizer::Granted;
use crate::generic::TokenProfile;
use crate::secret::Secret;
use crate::transport::Answer;

/// Error codes of RFC 6749 and RFC 6750 that a person may be shown: anything else in an answer
/// might be anything.
const ERROR_CODES: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "invalid_token",
    "insufficient_scope",
    "temporarily_unavailable",
];

/// Reads the answer. `place` names the endpoint and the scope for a person.
pub(crate) fn read(
    answer: &Answer,
    profile: &TokenProfile,
    place: &str,
) -> Result<Granted, Failure> {
    let body: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.is_success() {
        return Err(refusal(answer, &body, place));
    }
    let token = first(&body, &profile.access_token).and_then(Value::as_str);
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        let what =
            format!("token answer of {place} holds none of: {}", profile.access_token.join(", "));
        let class = Class::Retry { after_ms: None };
        return Err(Failure { class, code: Some(answer.status), what: Label::new(what) });
    };
    let life_s = first(&body, &profile.expires_in).and_then(seconds);
    Ok(Granted { token: Secret::new(token), life_ms: life_s.map(|s| s.saturating_mul(1_000)) })
}

fn first<'a>(body: &'a Map<String, Value>, names: &[String]) -> Option<&'a Value> {
    names.iter().find_map(|name| body.get(name)).filter(|value| !value.is_null())
}

/// A number of seconds, also as a text or with a fraction.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => {
            number.as_u64().or_else(|| number.to_string().split('.').next()?.parse().ok())
        }
        Value::String(text) => text.trim().split('.').next()?.parse().ok(),
        _ => None,
    }
}

/// A 4xx is about us and will not change by asking again, except "too many" and "too slow"; nor
/// does a redirect, which is not followed. With 5xx the vendor is at fault.
fn refusal(answer: &Answer, body: &Map<String, Value>, place: &str) -> Failure {
    let code = body.get("error").and_then(Value::as_str).filter(|code| ERROR_CODES.contains(code));
    let class = match (answer.status, code) {
        (_, Some("temporarily_unavailable")) | (408 | 425 | 429, _) => {
            Class::Retry { after_ms: answer.retry_after_ms }
        }
        (300..500, _) => Class::Fatal,
        _ => Class::Retry { after_ms: answer.retry_after_ms },
    };
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    let what = format!("token refused by {place}: HTTP {}{code}", answer.status);
    Failure { class, code: Some(answer.status), what: Label::new(what) }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer { status, retry_after_ms: Some(7), headers: HeaderMap::new(), body: body.into() }
    }

    fn profile() -> TokenProfile {
        TokenProfile {
            access_token: ["access_token", "accessToken", "token"].map(String::from).to_vec(),
            expires_in: ["expires_in", "tokenExpirationTimeSec"].map(String::from).to_vec(),
            ..TokenProfile::default()
        }
    }

    #[test]
    fn keys_are_found_under_their_aliases() {
        for (body, life_ms) in [
            (r#"{"access_token":"t","expires_in":3600}"#, Some(3_600_000)),
            (r#"{"accessToken":"t","expires_in":"3600"}"#, Some(3_600_000)),
            (r#"{"token":"t","tokenExpirationTimeSec":3600.9}"#, Some(3_600_000)),
            (r#"{"access_token":"t","expires_in":null}"#, None),
            (r#"{"access_token":"t","expires_in":-5}"#, None),
        ] {
            let granted = read(&answer(200, body), &profile(), "x").unwrap();
            assert_eq!((granted.token.expose(), granted.life_ms), ("t", life_ms), "{body}");
        }
    }

    #[test]
    fn our_faults_are_fatal_and_the_vendors_are_retried() {
        let retry = Class::Retry { after_ms: Some(7) };
        for (status, body, class) in [
            (401, r#"{"error":"invalid_client"}"#, Class::Fatal),
            (400, r#"{"error":"invalid_scope"}"#, Class::Fatal),
            (403, "<html>", Class::Fatal),
            (302, "", Class::Fatal),
            (429, "", retry),
            (503, "", retry),
            (400, r#"{"error":"temporarily_unavailable"}"#, retry),
        ] {
            let failure = read(&answer(status, body), &profile(), "x").unwrap_err();
            assert_eq!((failure.class, failure.code), (class, Some(status)), "{status} {body}");
        }
    }

    #[test]
    fn an_answers_text_is_not_shown() {
        let body = r#"{"error":"hunter2","error_description":"hunter2"}"#;
        let failure = read(&answer(400, body), &profile(), "https://a.example/token").unwrap_err();
        assert!(!failure.what.as_str().contains("hunter2"));
        assert!(failure.what.as_str().contains("https://a.example/token"));
    }
}
