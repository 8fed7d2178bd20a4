//! A connection: statements are asked as text, one at a time.

use tokio_postgres::{Error, SimpleQueryMessage, SimpleQueryRow};

use super::fault::fault;
use crate::SinkError;
use crate::sql::Connected;

/// See the module.
pub(super) struct Connection {
    client: Connected,
    /// What COPY is given, and nobody is told.
    secrets: Vec<String>,
}

impl Connection {
    pub(super) fn new(client: Connected, secrets: Vec<String>) -> Self {
        Self { client, secrets }
    }

    /// The rows of its answer.
    pub(super) async fn rows(
        &self,
        doing: &'static str,
        statement: &str,
    ) -> Result<Vec<SimpleQueryRow>, SinkError> {
        let told = self.asked(statement).await.map_err(|error| self.means(doing, error))?;
        Ok(told
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .collect())
    }

    /// One after the other.
    pub(super) async fn run(
        &self,
        doing: &'static str,
        statements: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), SinkError> {
        for statement in statements {
            self.rows(doing, statement.as_ref()).await?;
        }
        Ok(())
    }

    pub(super) async fn asked(&self, statement: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.client.simple_query(statement).await
    }

    pub(super) fn means(&self, doing: &'static str, error: Error) -> SinkError {
        fault(doing, &self.secrets, error)
    }
}
