//! One line of a check.

use unbroken_core::connector::{Class, Failure};

/// Something that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, in one word.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, or why it was skipped. Never a secret, never a payload.
    pub what: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Good,
    /// Not well.
    Bad {
        /// Whose fault it seems to be.
        blame: Blame,
        /// What to do.
        hint: String,
    },
    /// Not tried: what it needs is not there, or it makes no sense for this source.
    Skipped,
}

/// Whose fault something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// What stands in the configuration, or what the vendor's administrator has granted.
    Configuration,
    /// What lies between us and the vendor.
    Network,
    /// The vendor.
    Vendor,
    /// The profile does not describe what the vendor does.
    Profile,
}

impl Step {
    /// Whether it went wrong.
    pub fn is_bad(&self) -> bool {
        matches!(self.outcome, Outcome::Bad { .. })
    }

    pub(super) fn good(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Good, what: what.into(), took_ms: 0 }
    }

    pub(super) fn bad(
        name: &'static str,
        what: impl Into<String>,
        blame: Blame,
        hint: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Bad { blame, hint: hint.into() };
        Self { name, outcome, what: what.into(), took_ms: 0 }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Skipped, what: why.into(), took_ms: 0 }
    }

    /// Of a failure: the class says what the profile makes of it.
    pub(super) fn failed(name: &'static str, failure: &Failure) -> Self {
        let what = failure.what.as_str();
        let (blame, hint) = match (failure.code, failure.class) {
            (Some(429), _) => (Blame::Vendor, "the vendor wants fewer requests: wait, check again"),
            (Some(404), _) => {
                (Blame::Profile, "there is no such path: compare the profile with the vendor's API")
            }
            (Some(300..400), _) => (
                Blame::Configuration,
                "redirects are not followed: name the origin that answers, `api` or `stream`",
            ),
            (Some(500..600), _) => (Blame::Vendor, "the vendor is in trouble: check again later"),
            (_, Class::Reauthorize) => (Blame::Configuration, "the token is not accepted here"),
            (_, Class::Stale { .. }) => {
                (Blame::Vendor, "the vendor does not serve from this position")
            }
            (_, Class::Closing) => (Blame::Vendor, "the vendor closes for now: check again later"),
            (_, Class::Fatal) => {
                (Blame::Configuration, "the vendor will not accept this however often it is asked")
            }
            (_, Class::Retry { .. }) => {
                (Blame::Network, "the way to the vendor: firewall, proxy, or its own load")
            }
        };
        Self::bad(name, what, blame, hint)
    }
}
