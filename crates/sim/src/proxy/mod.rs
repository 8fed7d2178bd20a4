//! A path through the network that breaks on command: TCP from a port of this machine to a server,
//! whichever it is and whatever it speaks.
//!
//! It stands between a client and a real server that cannot be told to misbehave. [`Proxy`] carries
//! bytes; a [`Fault`] breaks connections, now or at a byte to come; [`Weather`] slows all of them;
//! a [`Door`] decides what becomes of new ones. What was chosen by chance follows from the seed,
//! and [`Counts`] says what has really fired.
//!
//! ```no_run
//! # async fn doc() -> Result<(), unbroken_sim::SimError> {
//! use unbroken_sim::proxy::{Break, Fault, Proxy, Route, Way, Whom};
//!
//! let server = std::net::SocketAddr::from(([127, 0, 0, 1], 2379));
//! let proxy = Proxy::start(Route { mark: b"GET /v3/watch".to_vec(), ..Route::to(server) })?;
//! // The next bytes from the server are cut off in the middle, and then the socket is reset.
//! proxy.strike(Whom::Marked, Fault::within(Way::Down, Break::Reset));
//! assert_eq!(proxy.counts().cut_short, 0, "nothing has come since");
//! # Ok(())
//! # }
//! ```

mod counts;
mod door;
mod fault;
mod lane;
mod line;
mod road;
mod weather;

pub use counts::Counts;
pub use door::{Door, Proxy, Route};
pub use fault::{Break, Fault, Moment, Way, Whom};
pub use weather::Weather;
