//! What a connector makes of a vendor's bytes, and what it sends, of one binary.
#![cfg(test)]

mod coverage;
mod decode;
mod frames;
mod genesys;
mod http;
mod keyed;
mod login;
mod opaque;
mod paging;
mod positions;
mod profiles;
mod reference;
mod sockets;
mod tokens;
