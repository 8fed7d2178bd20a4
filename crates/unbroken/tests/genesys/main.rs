//! Goal: a Genesys Cloud account is recorded whole, whatever its channels do.
//!
//! Method: the whole pipeline against the simulated vendor over real sockets, and the record held
//! against the vendor's own ledger. How long things take is not asserted.

#[cfg(test)]
mod channels;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod record;
#[cfg(test)]
mod rotations;
#[cfg(test)]
mod world;
