//! Which dialects are spoken, and which of them a request is in.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::request::Parts;

use super::cxone::Cxone;
use super::genesys::Genesys;
use super::settings::DialectSettings;
use crate::app::App;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Dialects {
    cxone: Option<Arc<Cxone>>,
    genesys: Option<Arc<Genesys>>,
}

/// The dialect that a request is in.
pub(crate) enum Dialect {
    /// That of NICE CXone.
    Cxone(Arc<Cxone>),
    /// That of Genesys Cloud.
    Genesys(Arc<Genesys>),
}

impl Dialects {
    pub(crate) fn new(settings: &DialectSettings) -> Self {
        Self {
            cxone: settings.cxone.as_ref().map(|cxone| Arc::new(Cxone::new(cxone))),
            genesys: settings.genesys.as_ref().map(|genesys| Arc::new(Genesys::new(genesys))),
        }
    }

    /// In which dialect a request for this path is; `None`: in none that is spoken.
    pub(crate) fn of(&self, path: &str) -> Option<Dialect> {
        let cxone = self.cxone.as_ref().filter(|_| Cxone::has(path));
        let genesys = self.genesys.as_ref().filter(|_| Genesys::has(path));
        cxone.cloned().map(Dialect::Cxone).or_else(|| genesys.cloned().map(Dialect::Genesys))
    }
}

impl Dialect {
    /// Answers a request.
    pub(crate) async fn answer(self, app: Arc<App>, parts: Parts, body: Bytes) -> Response<Body> {
        match self {
            Self::Cxone(cxone) => cxone.answer(app, parts, body).await,
            Self::Genesys(genesys) => genesys.answer(app, parts, body).await,
        }
    }
}
