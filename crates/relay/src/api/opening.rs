//! How every reading of events begins: at a cursor, or with state. One read of the store gives rows
//! and the place that they are exact at; the reading begins there, so there is no hole between.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::ending;
use super::stored::{self, StateWish};
use super::wish::Wish;
use crate::app::App;
use crate::feed::Tail;
use crate::http::Problem;

/// A reading that has begun.
pub(super) struct Opening {
    /// State first, if that was wanted.
    pub(super) rows: Option<Vec<Box<RawValue>>>,
    pub(super) tail: Tail,
}

/// Begins to read.
pub(super) async fn open(app: &Arc<App>, wish: Wish) -> Result<Opening, Problem> {
    let Wish { after, from_state, filter } = wish;
    if from_state {
        let of_state = StateWish { filter: filter.clone(), ..StateWish::default() };
        let state = stored::state(app, of_state).await?;
        let tail = app.feed.subscribe(state.offset, filter);
        return Ok(Opening { rows: Some(state.rows), tail });
    }
    let feed = app.feed.clone();
    let from = tokio::task::spawn_blocking(move || feed.begin(after)).await;
    let from = match from {
        Ok(from) => from.map_err(|error| ending::of_cursor(&error))?,
        Err(_) => return Err(ending::of_feed(&crate::feed::FeedError::Stopped)),
    };
    Ok(Opening { rows: None, tail: app.feed.subscribe(from, filter) })
}
