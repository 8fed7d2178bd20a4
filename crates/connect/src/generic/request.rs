//! Requests and handshakes, rendered from the profile.

use std::collections::BTreeMap;

use crate::generic::connector::ProfileError;
use crate::generic::profile::{RequestProfile, StreamProfile};
use crate::generic::template::{Place, Template, TemplateError, Values};
use crate::transport::{Header, Method, Request};

/// A request of the profile's, parsed.
#[derive(Clone, Debug)]
pub(crate) struct RequestTemplate {
    method: Method,
    path: Template,
    query: Vec<(String, Template)>,
    headers: Vec<(String, Template)>,
    body: Option<Template>,
}

type Variables = BTreeMap<String, String>;

impl RequestTemplate {
    pub(crate) fn request(
        profile: &RequestProfile,
        variables: &Variables,
    ) -> Result<Self, ProfileError> {
        let method = match profile.method.as_str() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            other => return Err(ProfileError::Method { method: other.to_owned() }),
        };
        let body = profile.body.as_deref();
        Ok(Self {
            method,
            body: body.map(|body| Template::parse(body, Place::Json, variables)).transpose()?,
            ..Self::parts(&profile.path, &profile.query, &profile.headers, variables)?
        })
    }

    pub(crate) fn handshake(
        profile: &StreamProfile,
        variables: &Variables,
    ) -> Result<Self, ProfileError> {
        Self::parts(&profile.path, &profile.query, &profile.headers, variables)
    }

    fn parts(
        path: &str,
        query: &Variables,
        headers: &Variables,
        variables: &Variables,
    ) -> Result<Self, ProfileError> {
        if !path.starts_with('/') {
            return Err(ProfileError::Path { path: path.to_owned() });
        }
        let all = |texts: &Variables, place| {
            texts
                .iter()
                .map(|(name, text)| Ok((name.clone(), Template::parse(text, place, variables)?)))
                .collect::<Result<Vec<_>, TemplateError>>()
        };
        Ok(Self {
            method: Method::Get,
            path: Template::parse(path, Place::Url, variables)?,
            query: all(query, Place::Url)?,
            headers: all(headers, Place::Header)?,
            body: None,
        })
    }

    pub(crate) fn render(&self, values: &Values<'_>) -> Result<Request, TemplateError> {
        let mut path_and_query = self.path.render(values)?;
        // A parameter whose position is not known is left out: the subscription names none.
        let known = |t: &Template| values.position.is_some() || !uses_position(t);
        for (index, (name, template)) in self.query.iter().filter(|(_, t)| known(t)).enumerate() {
            path_and_query.push(if index == 0 { '?' } else { '&' });
            path_and_query.push_str(name);
            path_and_query.push('=');
            path_and_query.push_str(&template.render(values)?);
        }
        let headers = self
            .headers
            .iter()
            .filter(|(_, template)| known(template))
            .map(|(name, template)| {
                Ok(Header {
                    name: name.clone(),
                    value: template.render(values)?,
                    secret: template.uses("token"),
                })
            })
            .collect::<Result<Vec<_>, TemplateError>>()?;
        let body = self.body.as_ref().map(|body| body.render(values)).transpose()?;
        Ok(Request { method: self.method, path_and_query, headers, body })
    }
}

fn uses_position(template: &Template) -> bool {
    template.uses("position") || template.uses("position_next")
}
