//! Access tokens: how they are asked for, and what the answers mean.

mod answer;
mod authorizer;
mod grant;

pub use authorizer::{AuthError, Authorizer, Granted};
pub use grant::{AuthConfig, ClientAuth};
