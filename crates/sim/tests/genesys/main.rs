//! The Genesys-shaped vendor, held to its published rules over real sockets.

#[cfg(test)]
mod adherence;
#[cfg(test)]
mod bookkeeper;
#[cfg(test)]
mod channels;
#[cfg(test)]
mod client;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod history;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod verdicts;
