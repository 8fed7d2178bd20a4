//! Which vendor to be.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::estate::Share;
use crate::server::house::House;
use crate::server::listener;
use crate::vendor::Credentials;
use crate::{Body, Numbering, Settings, SimError, cxone, genesys};

/// Which vendor to be, with its settings.
#[derive(Clone, Debug)]
pub enum Dialect {
    /// See [`crate::cxone`].
    Cxone(Settings),
    /// See [`crate::genesys`]. Its events have no numbers and its baseline has state, whatever the
    /// settings say.
    Genesys(genesys::Settings),
}

impl From<Settings> for Dialect {
    fn from(settings: Settings) -> Self {
        Self::Cxone(settings)
    }
}

impl From<genesys::Settings> for Dialect {
    fn from(settings: genesys::Settings) -> Self {
        Self::Genesys(settings)
    }
}

impl Dialect {
    /// What every vendor is told.
    pub fn common(&self) -> &Settings {
        match self {
            Self::Cxone(settings) => settings,
            Self::Genesys(settings) => &settings.vendor,
        }
    }

    /// The same, to be changed.
    pub fn common_mut(&mut self) -> &mut Settings {
        match self {
            Self::Cxone(settings) => settings,
            Self::Genesys(settings) => &mut settings.vendor,
        }
    }

    /// What its positions are worth.
    pub(crate) fn numbering(&self) -> Numbering {
        match self {
            Self::Cxone(settings) => settings.numbering,
            Self::Genesys(_) => Numbering::None,
        }
    }

    /// Begins to serve on a listener, reached under these addresses (HTTP and WebSocket).
    pub(crate) fn open(
        self,
        credentials: Credentials,
        (http_url, ws_url): (String, String),
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
    ) -> Result<(Share, JoinHandle<()>), SimError> {
        Ok(match self {
            Self::Cxone(settings) => {
                let hub = cxone::Hub::new(settings, credentials)?;
                (hub.share(), accept(hub, listener, acceptor))
            }
            Self::Genesys(mut settings) => {
                settings.vendor.numbering = Numbering::None;
                settings.vendor.body = Body::State;
                let hub = genesys::Hub::new(settings, credentials, http_url, ws_url)?;
                (hub.share(), accept(hub, listener, acceptor))
            }
        })
    }
}

fn accept<H: House>(
    hub: H,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
) -> JoinHandle<()> {
    tokio::spawn(listener::accept(Arc::new(hub), listener, acceptor))
}
