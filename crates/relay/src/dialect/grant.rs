//! Requests for a token, in every shape that clients of the vendors send.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

/// What a client shows for a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A pair of an id and a secret.
    Pair(String, String),
    /// Nothing that could be one.
    NoCredentials,
    /// A grant that is not offered.
    Unsupported,
}

/// Reads a request: the client by `Authorization: Basic` or in the body; the body a form or JSON.
///
/// * `grant_type=client_credentials`: the client's id and secret;
/// * `grant_type=password`: the user and the password, or an access key and its secret;
/// * `{"accessKeyId": …, "accessKeySecret": …}` without a grant type.
pub(crate) fn read(authorization: Option<&str>, body: &[u8]) -> Grant {
    let fields = fields_of(body);
    let pair =
        |id: &str, secret: &str| Some((fields.get(id)?.clone(), fields.get(secret)?.clone()));
    let shown = match fields.get("grant_type").map(String::as_str) {
        Some("client_credentials") => {
            authorization.and_then(basic).or_else(|| pair("client_id", "client_secret"))
        }
        Some("password") => pair("username", "password"),
        None if fields.contains_key("accessKeyId") => pair("accessKeyId", "accessKeySecret"),
        Some(_) | None => return Grant::Unsupported,
    };
    shown.map_or(Grant::NoCredentials, |(id, secret)| Grant::Pair(id, secret))
}

fn fields_of(body: &[u8]) -> HashMap<String, String> {
    if body.trim_ascii_start().first() == Some(&b'{') {
        let members: HashMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let texts = members.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            _ => None,
        });
        return texts.collect();
    }
    form_urlencoded::parse(body).into_owned().collect()
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: &str, secret: &str) -> Grant {
        Grant::Pair(id.to_owned(), secret.to_owned())
    }

    #[test]
    fn every_shape_is_understood() {
        let form = b"grant_type=client_credentials";
        let header = format!("Basic {}", STANDARD.encode("app:s:1"));
        assert_eq!(read(Some(&header), form), pair("app", "s:1"));
        let own = b"grant_type=client_credentials&client_id=app&client_secret=s%26+1";
        assert_eq!(read(None, own), pair("app", "s& 1"));
        let password = b"grant_type=password&username=key&password=s";
        assert_eq!(read(Some(&header), password), pair("key", "s"));
        let key = br#" {"accessKeyId":"key","accessKeySecret":"s"}"#;
        assert_eq!(read(None, key), pair("key", "s"));
        let json = br#"{"grant_type":"client_credentials","client_id":"a","client_secret":"b"}"#;
        assert_eq!(read(None, json), pair("a", "b"));
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        assert_eq!(read(None, b"grant_type=client_credentials"), Grant::NoCredentials);
        let header = Some("Basic ????");
        assert_eq!(read(header, b"grant_type=client_credentials"), Grant::NoCredentials);
        assert_eq!(read(None, br#"{"accessKeyId":"key"}"#), Grant::NoCredentials);
        assert_eq!(read(None, b"grant_type=refresh_token"), Grant::Unsupported);
        assert_eq!(read(None, b""), Grant::Unsupported);
        assert_eq!(read(None, b"{"), Grant::Unsupported);
    }

    #[test]
    fn a_bearer_is_what_follows_the_scheme() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}
