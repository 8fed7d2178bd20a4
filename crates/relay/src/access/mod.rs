//! Who may ask for what: tokens, the browser's sessions, and how many may ask at once.

mod caller;
mod gate;
mod ledger;
mod private;
mod secret;
mod session;

pub use caller::Scope;
pub use ledger::{Issued, Ledger, LedgerError, TokenLine};
pub(crate) use private::write_private;
pub use private::{AccessError, ensure_admin_token};

pub(crate) use caller::{Caller, Identity, Permit};
pub(crate) use gate::Gate;
pub(crate) use secret::Digest;
pub(crate) use session::{COOKIE, LIFE, Sessions};
