//! Profiles as text: the embedded ones, and a user's keys laid over them.

use toml::{Table, Value};

const EMBEDDED: [(&str, &str); 4] = [
    ("cxone", include_str!("../../../../profiles/cxone.toml")),
    ("cxone-poll", include_str!("../../../../profiles/cxone-poll.toml")),
    ("genesys", include_str!("../../../../profiles/genesys.toml")),
    ("etcd", include_str!("../../../../profiles/etcd.toml")),
];

/// The text of an embedded profile.
pub fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the embedded profiles.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// Lays `over` on `base`: tables are merged key by key, everything else (arrays too) is replaced.
pub fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_merge_by_key_and_arrays_are_replaced() {
        let mut base: Table = toml::from_str("a = 1\nb = [1, 2]\n[c]\nd = 1\ne = 2").unwrap();
        merge(&mut base, toml::from_str("b = [3]\n[c]\ne = 5\n[f]\ng = 1").unwrap());
        let expected: Table =
            toml::from_str("a = 1\nb = [3]\n[c]\nd = 1\ne = 5\n[f]\ng = 1").unwrap();
        assert_eq!(base, expected);
    }
}
