//! Where a region's hosts are.

/// The hosts of one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Origin of the API.
    pub(crate) api: String,
    /// Origin of the sockets.
    pub(crate) stream: String,
    /// Where tokens are asked for.
    pub(crate) token: String,
}

/// The places of a region, such as `mypurecloud.ie` or `usw2.pure.cloud`: the part of the hosts
/// that is common to all of them. All regions are built alike, so none is listed here.
pub(crate) fn places(region: &str) -> Option<Places> {
    let region = region.trim().to_ascii_lowercase();
    let is_host = region.contains('.')
        && region.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    is_host.then(|| Places {
        api: format!("https://api.{region}"),
        stream: format!("wss://streaming.{region}"),
        token: format!("https://login.{region}/oauth/token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_region_has_its_places() {
        for region in [
            "mypurecloud.com",
            "mypurecloud.ie",
            "mypurecloud.com.au",
            "usw2.pure.cloud",
            "use2.us-gov-pure.cloud",
            "edee1.eusc-pure.cloud",
        ] {
            let places = places(region).unwrap();
            assert_eq!(places.api, format!("https://api.{region}"));
            assert_eq!(places.stream, format!("wss://streaming.{region}"));
            assert_eq!(places.token, format!("https://login.{region}/oauth/token"));
        }
    }

    #[test]
    fn what_is_no_host_is_no_region() {
        for region in ["", "ie", "mypurecloud..ie", "mypurecloud.ie/", "a.b@evil.example", "a.b:1"]
        {
            assert_eq!(places(region), None, "{region}");
        }
    }
}
