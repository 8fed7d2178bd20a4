//! Who is trusted, by which way, and who sees a secret: against servers with TLS and a proxy, all
//! on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authorities;
mod client_certificates;
mod hosts;
mod pki;
mod proxies;
mod tunnel;
mod vendor;
