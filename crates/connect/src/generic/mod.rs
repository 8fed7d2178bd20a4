//! The generic connector: a WebSocket and HTTP JSON source described by data.
//!
//! A [`Profile`] says what to ask and how to read the answers; a new vendor is a new file. Nothing
//! here knows a vendor's word.

mod classify;
mod connector;
mod digest;
mod message;
mod nearest;
mod overlay;
mod pointer;
mod profile;
mod request;
mod rest;
mod template;
mod value;
mod wire;

pub use classify::ClassName;
pub use connector::{Context, Generic, ProfileError};
pub use nearest::{nearest, nearest_key_hint};
pub use overlay::{embedded, embedded_names, merge};
pub use profile::{
    AckFields, Advance, ClassifyProfile, ClosingFields, CoverageFields, Encoding, EventFields,
    FailureRule, FrameKind, FrameRule, FramesProfile, HeadProfile, MessagesProfile, Profile,
    RequestProfile, RowFields, Rule, Scalar, SnapshotProfile, StreamProfile, SubscribeMessages,
    TimeFormat, TokenProfile,
};
pub use template::{Place, Template, TemplateError, Values};
