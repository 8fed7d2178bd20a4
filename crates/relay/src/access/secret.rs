//! Secrets: made from the operating system's randomness, kept as digests, compared in constant
//! time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// What every token begins with, so that scanners of leaked secrets know one.
pub(crate) const PREFIX: &str = "ubk_";

/// Of a token's randomness.
const RANDOM_BYTES: usize = 32;

/// SHA-256 of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(secret: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    pub(crate) fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// 32 random bytes as text; `None` if the operating system has none to give.
pub(crate) fn random_text() -> Option<String> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new token.
pub(crate) fn new_token() -> Option<SecretString> {
    random_text().map(|text| SecretString::from(format!("{PREFIX}{text}")))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Digest, new_token};

    #[test]
    fn a_token_is_long_new_each_time_and_kept_as_a_digest() {
        let [one, two] = [new_token(), new_token()].map(|token| token.expect("randomness"));
        let (one, two) = (one.expose_secret(), two.expose_secret());
        assert_eq!((one.len(), one.get(..4)), (47, Some("ubk_")));
        assert_ne!(one, two);
        assert!(Digest::of(one).matches(&Digest::of(one)));
        assert!(!Digest::of(one).matches(&Digest::of(two)));
        let kept = Digest::of(one).to_text();
        assert_eq!(Digest::from_text(&kept), Some(Digest::of(one)));
        assert_eq!(Digest::from_text("abc"), None);
    }
}
