//! Asks for tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use unbroken_core::connector::{Class, Failure};
use url::form_urlencoded;

use crate::auth::answer;
use crate::auth::grant::{AuthConfig, ClientAuth};
use crate::generic::TokenProfile;
use crate::secret::{Secret, SecretError, SecretSource};
use crate::transport::{Answer, Header, Http, Method, Origin, OriginError, Request};

/// A granted token.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// Its life in milliseconds, to be counted from when it was asked for.
    pub life_ms: Option<u64>,
}

/// Why tokens cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token URL is not usable.
    #[error("token URL is not usable")]
    Url(#[from] OriginError),
    /// Neither a token URL nor an API origin is configured.
    #[error("source has neither `auth.url` nor `api`, so tokens cannot be asked for")]
    NoUrl,
}

/// Asks for tokens by one grant at one place.
#[derive(Clone, Debug)]
pub struct Authorizer {
    config: AuthConfig,
    profile: TokenProfile,
    place: Option<(Origin, String)>,
}

impl Authorizer {
    /// An authorizer; the place is the user's URL, else the profile's path at the API's origin.
    ///
    /// # Errors
    /// If there is no usable place.
    pub fn new(
        config: AuthConfig,
        profile: TokenProfile,
        api: Option<&Origin>,
        insecure: bool,
    ) -> Result<Self, AuthError> {
        let place = match (&config, config.url(), api) {
            (AuthConfig::Token { .. }, _, _) => None,
            (_, Some(url), _) => Some(Origin::of_url(url, insecure)?),
            (_, None, Some(api)) => Some((api.clone(), profile.path.clone())),
            (_, None, None) => return Err(AuthError::NoUrl),
        };
        if config.has_literal() {
            tracing::warn!("a secret stands in the configuration; use {{ env = … }} or a file");
        }
        Ok(Self { config, profile, place })
    }

    /// Whether TLS protects the place.
    pub fn is_encrypted(&self) -> bool {
        self.place.as_ref().is_some_and(|(origin, _)| origin.is_encrypted())
    }

    /// Whether the place is the profile's path at the API's origin, in want of the user's URL.
    pub(crate) fn follows_api(&self) -> bool {
        self.place.is_some() && self.config.url().is_none()
    }

    /// The same at another origin.
    pub(crate) fn at(&self, origin: Origin) -> Self {
        let place = self.place.as_ref().map(|(_, path)| (origin, path.clone()));
        Self { place, ..self.clone() }
    }

    /// Where tokens are asked for, if anywhere.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.place.as_ref().map(|(origin, _)| origin)
    }

    /// What they are asked for.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.config.scope()
    }

    /// Asks for a token. Secrets are read now, so a rotated one counts.
    ///
    /// # Errors
    /// The failure as the machine understands it, without any secret.
    pub async fn authorize(&self, http: &Http, deadline: Duration) -> Result<Granted, Failure> {
        let Some((origin, path)) = &self.place else {
            return self.static_token().await;
        };
        let request = self.request(path).await.map_err(|error| unreadable(&error))?;
        let refused = match self.ask(http, origin, path, &request, deadline).await {
            Err(failure) if failure.class == Class::Fatal => failure,
            other => return other,
        };
        // A secret may have been rotated between our reading it and the vendor's looking at it.
        let fresh = self.request(path).await.map_err(|error| unreadable(&error))?;
        if fresh == request {
            return Err(refused);
        }
        tracing::info!("credentials have changed since they were refused: asking again");
        self.ask(http, origin, path, &fresh, deadline).await
    }

    async fn ask(
        &self,
        http: &Http,
        origin: &Origin,
        path: &str,
        request: &Request,
        deadline: Duration,
    ) -> Result<Granted, Failure> {
        let place = self.described(origin, path);
        let sent = http.send(origin, request, deadline).await;
        let sent = sent.map_err(|error| error.failure_at(&format!("for a token {place}")))?;
        answer::read(&sent, &self.profile, &place)
    }

    /// The place, with the scope, for a person.
    fn described(&self, origin: &Origin, path: &str) -> String {
        match self.config.scope() {
            Some(scope) => format!("{origin}{path} (scope {scope})"),
            None => format!("{origin}{path}"),
        }
    }

    /// The request, without its host.
    pub(crate) async fn token_request(&self) -> Result<Request, Failure> {
        let path = self.place.as_ref().map(|(_, path)| path.as_str());
        let path = path.ok_or_else(|| fatal("no place to ask for a token"))?;
        self.request(path).await.map_err(|error| unreadable(&error))
    }

    /// Reads the answer to it.
    pub(crate) fn read(&self, sent: &Answer) -> Result<Granted, Failure> {
        let place = self.place.as_ref().map(|(origin, path)| self.described(origin, path));
        answer::read(sent, &self.profile, &place.unwrap_or_default())
    }

    async fn static_token(&self) -> Result<Granted, Failure> {
        match &self.config {
            AuthConfig::Token { token } => {
                let token = token.read().await.map_err(|error| unreadable(&error))?;
                Ok(Granted { token, life_ms: None })
            }
            _ => Err(fatal("no place to ask for a token")),
        }
    }

    async fn request(&self, path: &str) -> Result<Request, SecretError> {
        let mut form = Form::new();
        match &self.config {
            AuthConfig::ClientCredentials {
                client_id,
                client_secret,
                client_auth,
                scope,
                params,
                ..
            } => {
                form.add("grant_type", "client_credentials");
                form.client(Some(client_id), Some(client_secret), *client_auth).await?;
                form.scope_and_params(scope.as_deref(), params);
            }
            AuthConfig::Password {
                username,
                password,
                client_id,
                client_secret,
                client_auth,
                scope,
                params,
                ..
            } => {
                form.add("grant_type", "password");
                form.add("username", username.read().await?.expose());
                form.add("password", password.read().await?.expose());
                form.client(client_id.as_ref(), client_secret.as_ref(), *client_auth).await?;
                form.scope_and_params(scope.as_deref(), params);
            }
            AuthConfig::AccessKey { key_id, key_secret, .. } => {
                return self.access_key(path, key_id, key_secret).await;
            }
            AuthConfig::Token { .. } => {}
        }
        Ok(form.request(path))
    }

    async fn access_key(
        &self,
        path: &str,
        id: &SecretSource,
        secret: &SecretSource,
    ) -> Result<Request, SecretError> {
        let [id_name, secret_name] = self.profile.access_key_fields.clone();
        let body = serde_json::json!({
            id_name: id.read().await?.expose(),
            secret_name: secret.read().await?.expose(),
        });
        let path_and_query = path.to_owned();
        let body = Some(body.to_string());
        Ok(Request { method: Method::Post, path_and_query, headers: Vec::new(), body })
    }
}

/// A form under construction, with the header that goes with it.
struct Form {
    fields: Vec<(String, String)>,
    basic: Option<String>,
}

impl Form {
    fn new() -> Self {
        Self { fields: Vec::new(), basic: None }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// Basic takes id and secret as they are: vendors whose ids hold `@` do not expect the form
    /// encoding that RFC 6749 asks for, and for plain ids both are the same.
    async fn client(
        &mut self,
        id: Option<&SecretSource>,
        secret: Option<&SecretSource>,
        how: ClientAuth,
    ) -> Result<(), SecretError> {
        let Some(id) = id else { return Ok(()) };
        let id = id.read().await?;
        let secret = match secret {
            Some(secret) => Some(secret.read().await?),
            None => None,
        };
        let secret = secret.as_ref().map_or("", Secret::expose);
        match how {
            ClientAuth::Basic => {
                let pair = format!("{}:{secret}", id.expose());
                self.basic = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
            ClientAuth::Body => {
                self.add("client_id", id.expose());
                self.add("client_secret", secret);
            }
        }
        Ok(())
    }

    fn scope_and_params(
        &mut self,
        scope: Option<&str>,
        params: &std::collections::BTreeMap<String, String>,
    ) {
        if let Some(scope) = scope {
            self.add("scope", scope);
        }
        for (name, value) in params {
            self.add(name, value);
        }
    }

    fn request(self, path: &str) -> Request {
        let header = |name: &str, value: &str, secret| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret,
        };
        let mut headers = vec![header("content-type", "application/x-www-form-urlencoded", false)];
        if let Some(basic) = &self.basic {
            headers.push(header("authorization", basic, true));
        }
        let path_and_query = path.to_owned();
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = Some(form.extend_pairs(self.fields).finish());
        Request { method: Method::Post, path_and_query, headers, body }
    }
}

fn unreadable(error: &SecretError) -> Failure {
    fatal(&format!("{error}; {}", error.hint()))
}

fn fatal(what: &str) -> Failure {
    Failure { class: Class::Fatal, code: None, what: what.into() }
}
