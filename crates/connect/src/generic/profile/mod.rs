//! What a profile file may say. Every table denies unknown keys.

mod discovery;
mod failure;
mod frames;
mod messages;
mod poll;
mod root;
mod snapshot;
mod value;

pub use discovery::DiscoveryProfile;
pub use failure::{ClassifyProfile, FailureRule};
pub use frames::{
    AckFields, ClosingFields, CoverageFields, EventFields, FrameKind, FrameRule, FramesProfile,
};
pub use messages::{MessagesProfile, SubscribeMessages};
pub use poll::PollProfile;
pub use root::{Native, Profile, StreamProfile, TokenProfile};
pub use snapshot::{Advance, HeadProfile, RequestProfile, RowFields, SnapshotProfile};
pub use value::{Encoding, PositionFormat, Rule, Scalar, TimeFormat};
