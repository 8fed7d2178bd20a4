//! The simulated vendors as the command line asks for them, and the configurations of sources that
//! speak to them.

mod configuration;
mod faults;
mod polled;
mod settings;

pub(crate) use configuration::{SECRET_VARIABLE, SecretIn, configuration};
pub(crate) use faults::genesys_faults;
pub(crate) use polled::PolledSettings;
pub(crate) use settings::VendorSettings;

/// The name of the source in the demo's record.
pub(crate) const SOURCE: &str = "demo";
