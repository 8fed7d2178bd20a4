//! Where a URL that the vendor named may lead.

use url::Url;

use crate::transport::origin::{Origin, OriginError};
use crate::transport::request::Request;

/// Why a URL is not followed. Names an origin at most: paths and queries may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NextUrlError {
    /// It cannot be read.
    #[error("next page's URL is none")]
    NotUrl,
    /// It leads to a host that nobody has allowed.
    #[error("next page's URL leads to {0}, which is not configured")]
    Elsewhere(String),
    /// It leads to a host that is allowed, but in a way that is not.
    #[error("next page's URL leads where no request may go")]
    Refused(#[from] OriginError),
}

impl NextUrlError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Elsewhere(_) => Some("add the host to `allowed_hosts` of the source".into()),
            Self::NotUrl => None,
            Self::Refused(error) => Some(error.hint()),
        }
    }
}

/// Makes `request` one for the URL that the vendor named. At the API's own origin nothing changes
/// but path and query; at an allowed host (https only) headers that hold a secret are left out.
///
/// # Errors
/// See [`NextUrlError`].
pub fn follow(
    text: &str,
    api: &Origin,
    allowed_hosts: &[String],
    request: &mut Request,
) -> Result<Origin, NextUrlError> {
    let base = api.join(&request.path_and_query).ok_or(NextUrlError::NotUrl)?;
    let mut url = base.join(text).map_err(|_| NextUrlError::NotUrl)?;
    let host = url.host_str().map(str::to_ascii_lowercase).ok_or(NextUrlError::NotUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NextUrlError::NotUrl);
    }
    url.set_fragment(None);
    let path_and_query = url
        .query()
        .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let target = bare_origin(&url);
    if api.join("/").is_some_and(|own| bare_origin(&own) == target) {
        request.path_and_query = path_and_query;
        return Ok(api.clone());
    }
    if !allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host)) {
        return Err(NextUrlError::Elsewhere(target));
    }
    let origin = Origin::api(&target, false)?;
    request.path_and_query = path_and_query;
    request.headers.retain(|header| !header.secret);
    Ok(origin)
}

fn bare_origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Header, Method};

    fn request() -> Request {
        let header =
            |name: &str, secret| Header { name: name.into(), value: "hunter2".into(), secret };
        Request {
            method: Method::Get,
            path_and_query: "/v1/agents?limit=5".into(),
            headers: vec![header("authorization", true), header("accept", false)],
            body: None,
        }
    }

    fn followed(text: &str) -> Result<(String, String, usize), NextUrlError> {
        let api = Origin::api("https://api.example.com", false).unwrap();
        let allowed = ["files.example.com".to_owned(), "127.0.0.1".to_owned()];
        let mut request = request();
        let origin = follow(text, &api, &allowed, &mut request)?;
        Ok((origin.to_string(), request.path_and_query, request.headers.len()))
    }

    #[test]
    fn at_the_api_s_origin_the_bearer_goes_along() {
        let own = |path: &str| Ok(("https://api.example.com".to_owned(), path.to_owned(), 2));
        assert_eq!(followed("https://api.example.com/v1/x?page=2#f"), own("/v1/x?page=2"));
        assert_eq!(followed("https://API.example.com:443/v1/x"), own("/v1/x"));
        assert_eq!(followed("/v2/agents?page=2"), own("/v2/agents?page=2"));
        assert_eq!(followed("?page=2"), own("/v1/agents?page=2"));
        assert_eq!(followed("more"), own("/v1/more"));
    }

    #[test]
    fn at_an_allowed_host_it_stays_at_home() {
        let (origin, path, headers) = followed("https://files.example.com/f?sig=x").unwrap();
        assert_eq!((origin.as_str(), path.as_str()), ("https://files.example.com", "/f?sig=x"));
        assert_eq!(headers, 1, "the header with the secret is left out");
    }

    #[test]
    fn nowhere_else_and_never_in_plain_text() {
        for (text, elsewhere) in [
            ("https://evil.example/x?hunter2", "https://evil.example"),
            ("//evil.example/x", "https://evil.example"),
            ("https://api.example.com.evil.example/", "https://api.example.com.evil.example"),
            ("https://api.example.com:8443/x", "https://api.example.com:8443"),
            ("http://api.example.com/x", "http://api.example.com"),
            ("http://evil.example/x", "http://evil.example"),
            ("ftp://evil.example/x", "ftp://evil.example"),
        ] {
            let error = followed(text).unwrap_err();
            assert_eq!(error, NextUrlError::Elsewhere(elsewhere.into()), "{text}");
            assert!(error.hint().unwrap().contains("allowed_hosts"));
        }
        let error = followed("http://files.example.com/f").unwrap_err();
        assert!(matches!(error, NextUrlError::Refused(OriginError::Plaintext(_))), "{error:?}");
        for text in ["https://user:hunter2@api.example.com/", "https://", "file:///etc/passwd"] {
            assert_eq!(followed(text), Err(NextUrlError::NotUrl), "{text}");
        }
    }
}
