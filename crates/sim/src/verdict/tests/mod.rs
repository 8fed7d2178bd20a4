//! For each figure a case in which it counts, and its neighbour in which it must not.

mod deaths;
mod facts;
mod missing;
mod scene;
mod state;
mod stored;
mod unpositioned;
