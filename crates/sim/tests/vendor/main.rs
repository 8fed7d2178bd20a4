//! The vendor, held to its published rules over real sockets.

#[cfg(test)]
mod bookkeeper;
#[cfg(test)]
mod carriers;
#[cfg(test)]
mod client;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod follower;
#[cfg(test)]
mod load;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod verdicts;
