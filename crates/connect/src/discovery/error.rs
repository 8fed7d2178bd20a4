//! Why a service cannot be asked.

use crate::generic::ProfileError;
use crate::transport::OriginError;

/// Why `[source.discovery]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// One of the two would be ignored.
    #[error("hosts are both configured (`api`) and to be asked for")]
    Both,
    /// Nothing says what to ask.
    #[error("profile has no `[discovery]`: it does not know such a service")]
    NotInProfile,
    /// The service's origin is wrong.
    #[error("`discovery.url` is not usable")]
    Url(#[source] OriginError),
    /// Whatever the service named would be believed, or nothing.
    #[error("`discovery.allowed_hosts` is empty")]
    NobodyAllowed,
    /// It is no host, or stands for half of the world.
    #[error("`discovery.allowed_hosts` names `{0}`, which is neither a host nor the end of one")]
    Allowed(String),
    /// The profile's table is wrong.
    #[error("`[discovery]` of the profile is not usable")]
    Profile(#[source] Box<ProfileError>),
}

impl DiscoveryError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Both => Some("remove one: `api`, or `[source.discovery]`".into()),
            Self::NotInProfile => Some("set `api` instead".into()),
            Self::Url(error) => Some(error.hint()),
            Self::NobodyAllowed | Self::Allowed(_) => {
                Some("name the vendor's domain, such as \".vendor.example\"".into())
            }
            Self::Profile(error) => error.hint(),
        }
    }
}
