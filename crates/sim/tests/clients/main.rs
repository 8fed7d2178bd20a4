//! The vendor's own clients, unchanged and from the registries, against the simulator.
//!
//! `make clients-setup` installs them, once; `make test` calls it.

#[cfg(test)]
mod genesys;
