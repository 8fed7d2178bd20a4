//! `[relay]` with its dialects, whose secrets are read as those of the sources are.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use unbroken_connect::secret::SecretSource;
use unbroken_relay::{RESUME_MS, RelayConfig, TOKEN_LIFE_MS};

/// The table in `[relay]` that the relay itself does not know.
const DIALECT: &str = "dialect";

/// Section `[relay]`.
#[derive(Clone, Debug, Default)]
pub struct RelaySection {
    /// What the relay knows of.
    pub relay: RelayConfig,
    /// `[relay.dialect.…]`.
    pub dialect: DialectConfig,
}

/// Which vendors' dialects are spoken.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DialectConfig {
    /// That of NICE CXone.
    pub cxone: Option<CxoneConfig>,
    /// That of Genesys Cloud.
    pub genesys: Option<GenesysConfig>,
}

/// Section `[relay.dialect.cxone]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CxoneConfig {
    /// The source whose events are told.
    pub source: String,
    /// The resource that clients subscribe to: the name of the source's stream.
    #[serde(default = "adherence")]
    pub resource: String,
    /// Who is given a token.
    #[serde(default)]
    pub clients: Vec<ClientConfig>,
    /// Bearers that are accepted as they are.
    #[serde(default)]
    pub bearers: Vec<SecretSource>,
    /// How long a token lives, in milliseconds.
    #[serde(default = "token_life_ms")]
    pub token_life_ms: u64,
    /// How long the place is kept of a client that names no `sequenceId`, in milliseconds.
    #[serde(default = "resume_ms")]
    pub resume_ms: u64,
}

/// Section `[relay.dialect.genesys]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesysConfig {
    /// The source whose events are told.
    pub source: String,
    /// Who is given a token.
    #[serde(default)]
    pub clients: Vec<ClientConfig>,
    /// Bearers that are accepted as they are.
    #[serde(default)]
    pub bearers: Vec<SecretSource>,
    /// How long a token lives, in milliseconds.
    #[serde(default = "token_life_ms")]
    pub token_life_ms: u64,
}

/// A client's id and secret, an access key and its secret, or a user and the password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: SecretSource,
}

fn adherence() -> String {
    "adherence".to_owned()
}

fn token_life_ms() -> u64 {
    TOKEN_LIFE_MS
}

fn resume_ms() -> u64 {
    RESUME_MS
}

impl DialectConfig {
    /// What is wrong with it, and what to do, if anything is. `names` are those of the sources.
    pub fn fault(&self, names: &[&str]) -> Option<(String, &'static str)> {
        let cxone = self.cxone.as_ref().map(|it| ("cxone", &it.source, &it.clients, &it.bearers));
        let genesys =
            self.genesys.as_ref().map(|it| ("genesys", &it.source, &it.clients, &it.bearers));
        for (dialect, source, clients, bearers) in cxone.into_iter().chain(genesys) {
            if !names.contains(&source.as_str()) {
                let what = format!("relay.dialect.{dialect}: there is no source `{source}`");
                return Some((what, "name one of the [[source]] tables"));
            }
            if clients.is_empty() && bearers.is_empty() {
                let what = format!("relay.dialect.{dialect}: nobody could come in");
                return Some((what, "give `clients` or `bearers`"));
            }
        }
        None
    }

    /// Every secret in it.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretSource> {
        let cxone = self.cxone.iter_mut().flat_map(|it| of(&mut it.clients, &mut it.bearers));
        let genesys = self.genesys.iter_mut().flat_map(|it| of(&mut it.clients, &mut it.bearers));
        cxone.chain(genesys)
    }
}

fn of<'a>(
    clients: &'a mut [ClientConfig],
    bearers: &'a mut [SecretSource],
) -> impl Iterator<Item = &'a mut SecretSource> {
    clients.iter_mut().map(|client| &mut client.secret).chain(bearers)
}

impl<'de> Deserialize<'de> for RelaySection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SectionVisitor)
    }
}

struct SectionVisitor;

impl<'de> Visitor<'de> for SectionVisitor {
    type Value = RelaySection;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut dialect = DialectConfig::default();
        let rest = Rest { map, dialect: &mut dialect };
        let relay = RelayConfig::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(RelaySection { relay, dialect })
    }
}

/// The section without its dialects, which are taken out as they come.
struct Rest<'a, A> {
    map: A,
    dialect: &'a mut DialectConfig,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if key == DIALECT {
                *self.dialect = self.map.next_value()?;
                continue;
            }
            let key: StrDeserializer<'_, A::Error> = key.as_str().into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, ConfigError, parse};

    const SOURCE: &str = r#"
data_dir = "data"
[[source]]
name = "a"
profile = "cxone"
api = "https://a.example"
stream = "wss://a.example"
"#;

    fn read(relay: &str) -> Result<Config, ConfigError> {
        parse(Path::new("/etc/unbroken.toml"), &format!("{SOURCE}\n{relay}"))
    }

    fn wrong(relay: &str) -> String {
        match read(relay) {
            Ok(_) => panic!("it was taken: {relay}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_dialect_stands_beside_what_the_relay_itself_knows() {
        let config = read(
            "[relay]\nheartbeat_ms = 250\n[relay.dialect.cxone]\nsource = \"a\"\n\
             clients = [{ id = \"app\", secret = { file = \"secret\" } }]\n",
        );
        let section = config.unwrap().relay.unwrap();
        assert_eq!(section.relay.heartbeat_ms, 250);
        let cxone = section.dialect.cxone.unwrap();
        assert_eq!((cxone.source.as_str(), cxone.resource.as_str()), ("a", "adherence"));
        assert_eq!((cxone.token_life_ms, cxone.resume_ms), (3_600_000, 3_600_000));
        assert!(format!("{:?}", cxone.clients).contains("/etc/secret"));
    }

    #[test]
    fn what_is_misspelt_or_missing_is_told() {
        assert!(wrong("[relay]\nheartbeat = 1\n").contains("heartbeat"));
        assert!(wrong("[relay.dialect.cxone]\nsource = \"a\"\nclient = []\n").contains("client"));
        assert!(wrong("[relay.dialect.nice]\nsource = \"a\"\n").contains("nice"));
        assert!(wrong("[relay.dialect.cxone]\nsource = \"a\"\n").contains("nobody"));
        let other = "[relay.dialect.genesys]\nsource = \"b\"\nbearers = [{ env = \"B\" }]\n";
        assert!(wrong(other).contains("no source `b`"));
    }
}
