//! The generic connector: a WebSocket and HTTP JSON source described by data.
//!
//! A [`Profile`] says what to ask and how to read the answers; a new vendor is a new file. Nothing
//! here knows a vendor's word.

#[cfg(test)]
mod bent;
mod canonical;
mod classify;
mod connector;
mod cursor;
mod digest;
mod earlier;
mod empty;
mod event;
mod fields;
mod items;
mod keeping;
mod link_header;
mod message;
mod nearest;
mod overlay;
mod pager;
mod part;
mod pointer;
mod poll;
mod profile;
mod request;
mod rest;
mod row;
mod scan;
mod shape;
mod template;
mod value;
mod wire;

pub use classify::ClassName;
pub use connector::{Context, Generic, ProfileError};
pub use fields::{FieldKey, FieldRules};
pub(crate) use fields::{members, split_member};
pub use nearest::{nearest, nearest_key_hint};
pub use overlay::{embedded, embedded_names, merge};
pub use pointer::PointerError;
pub(crate) use poll::Turn;
pub use profile::{
    AckFields, Advance, ClassifyProfile, ClosingFields, CoverageFields, DiscoveryProfile, Encoding,
    EventFields, FailureRule, FrameKind, FrameRule, FramesProfile, HeadProfile, MessagesProfile,
    Native, PollProfile, PositionFormat, Profile, RequestProfile, RowFields, Rule, Scalar,
    SnapshotProfile, StreamProfile, SubscribeMessages, TimeFormat, TokenProfile,
};
pub(crate) use request::RequestTemplate;
pub use rest::Reply;
pub(crate) use shape::{kind, shape};
pub use template::{Place, Template, TemplateError, Values};
pub(crate) use value::text as scalar;
