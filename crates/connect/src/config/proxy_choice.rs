//! Which way to the vendor.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::secret::SecretSource;
use crate::transport::{Proxies, Proxy, ProxyError};

/// `proxy = "http://proxy.example:3128"` (a user name and a password may stand in it), `"none"`, or
/// a table with `url`, `username` and `password`, which may come from elsewhere. Without it the
/// environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
#[derive(Clone, Debug, Default)]
pub enum ProxyChoice {
    /// As the environment says.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// This one.
    Named(Proxy),
}

impl ProxyChoice {
    /// The proxies that it means.
    ///
    /// # Errors
    /// If a variable of the environment names no proxy.
    pub fn proxies(&self) -> Result<Proxies, ProxyError> {
        match self {
            Self::Environment => Proxies::from_env(|name| std::env::var(name).ok()),
            Self::None => Ok(Proxies::none()),
            Self::Named(proxy) => Ok(Proxies::only(proxy.clone())),
        }
    }

    /// Whether a password stands in the configuration itself.
    pub fn has_literal(&self) -> bool {
        matches!(self, Self::Named(proxy) if proxy.has_literal())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyTable {
    url: String,
    username: Option<SecretSource>,
    password: Option<SecretSource>,
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = ProxyChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a URL, "none" or { url = "…", username = …, password = … }"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProxyChoice, E> {
        if text == "none" {
            return Ok(ProxyChoice::None);
        }
        Proxy::parse(text).map(ProxyChoice::Named).map_err(refused)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProxyChoice, A::Error> {
        let table = ProxyTable::deserialize(MapAccessDeserializer::new(map))?;
        let proxy = Proxy::parse(&table.url).map_err(refused)?;
        Ok(ProxyChoice::Named(proxy.with_credentials(table.username, table.password)))
    }
}

fn refused<E: Error>(error: ProxyError) -> E {
    E::custom(format!("`proxy`: {error}; {}", error.hint()))
}

impl<'de> Deserialize<'de> for ProxyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        #[serde(default)]
        proxy: ProxyChoice,
    }

    fn read(text: &str) -> Result<ProxyChoice, toml::de::Error> {
        toml::from_str::<Holder>(text).map(|holder| holder.proxy)
    }

    #[test]
    fn a_proxy_is_a_url_a_table_none_or_the_environment_s() {
        assert!(matches!(read("").unwrap(), ProxyChoice::Environment));
        assert!(matches!(read("proxy = \"none\"").unwrap(), ProxyChoice::None));
        let named = read("proxy = \"http://me:hunter2@p.example:3128\"").unwrap();
        assert!(named.has_literal() && !format!("{named:?}").contains("hunter2"));
        let named = read(
            r#"proxy = { url = "http://p.example", username = "me", password = { env = "P" } }"#,
        )
        .unwrap();
        assert!(
            matches!(&named, ProxyChoice::Named(proxy) if proxy.to_string() == "http://p.example")
        );
        assert!(!named.has_literal());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for text in [
            "proxy = \"me:hunter2@p\"",
            "proxy = \"socks5://me:hunter2@p\"",
            "proxy = { url = \"http://me:hunter2@p/x\" }",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.message().contains("hunter2"), "{error}");
            assert!(error.message().contains("http://user:password@"), "{error}");
        }
    }
}
