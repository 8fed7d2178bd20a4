//! Who may come in by a vendor's dialect.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of a secret: all that is kept of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a secret.
    pub(crate) fn of(secret: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(bytes)
    }

    fn is_same(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// The credentials of a dialect's clients. Secrets are kept as fingerprints.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pairs: Vec<(String, Fingerprint)>,
    bearers: Vec<Fingerprint>,
}

impl Credentials {
    /// A client's id and secret, an access key and its secret, or a user and the password: a token
    /// is given for any of them.
    pub fn add_pair(&mut self, id: &str, secret: &str) {
        self.pairs.push((id.to_owned(), Fingerprint::of(secret)));
    }

    /// A bearer token that is always accepted.
    pub fn add_bearer(&mut self, bearer: &str) {
        self.bearers.push(Fingerprint::of(bearer));
    }

    /// Whether nobody can come in.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.bearers.is_empty()
    }

    /// The number of the client whose pair it is.
    pub(crate) fn client_of_pair(&self, id: &str, secret: &str) -> Option<usize> {
        let shown = Fingerprint::of(secret);
        let is_right = |(own, kept): &(String, Fingerprint)| own == id && kept.is_same(&shown);
        self.pairs.iter().position(is_right)
    }

    /// The number of the client whose bearer it is, configured as it stands.
    pub(crate) fn client_of_bearer(&self, shown: &Fingerprint) -> Option<usize> {
        let at = self.bearers.iter().position(|kept| kept.is_same(shown))?;
        Some(self.pairs.len() + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let mut credentials = Credentials::default();
        credentials.add_pair("app", "one");
        credentials.add_pair("key", "two");
        credentials.add_bearer("three");
        credentials
    }

    #[test]
    fn each_client_has_its_number() {
        let ours = credentials();
        assert_eq!(ours.client_of_pair("app", "one"), Some(0));
        assert_eq!(ours.client_of_pair("key", "two"), Some(1));
        assert_eq!(ours.client_of_bearer(&Fingerprint::of("three")), Some(2));
        for (id, secret) in [("app", "two"), ("key", "one"), ("app", ""), ("", "one")] {
            assert_eq!(ours.client_of_pair(id, secret), None);
        }
        assert_eq!(ours.client_of_bearer(&Fingerprint::of("one")), None);
    }

    #[test]
    fn no_secret_can_be_read_from_them() {
        let shown = format!("{:?}", credentials());
        for secret in ["one", "two", "three"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
