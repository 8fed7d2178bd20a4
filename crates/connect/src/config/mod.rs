//! One `[[source]]` of a configuration, as the user writes it.

mod budget_choice;
mod fields;
mod keys;
mod limits;
mod profile_choice;
mod proxy_choice;
mod source_config;
mod start_choice;
mod timing_choice;

pub use budget_choice::BudgetChoice;
pub use fields::{FieldsConfig, FieldsError};
pub use keys::{KeysError, read_keys};
pub use limits::Limits;
pub use profile_choice::{ProfileChoice, ProfileOrigin};
pub use proxy_choice::ProxyChoice;
pub use source_config::SourceConfig;
pub use start_choice::{StartChoice, StartError, read_sequence};
pub use timing_choice::TimingChoice;
