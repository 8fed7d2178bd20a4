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
    form: Vec<(String, Template)>,
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
        if body.is_some() && !profile.form.is_empty() {
            return Err(ProfileError::TwoBodies);
        }
        Ok(Self {
            form: all(&profile.form, Place::Form, variables)?,
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
        Ok(Self {
            method: Method::Get,
            path: Template::parse(path, Place::Path, variables)?,
            query: all(query, Place::Query, variables)?,
            headers: all(headers, Place::Header, variables)?,
            body: None,
            form: Vec::new(),
        })
    }

    pub(crate) fn render(&self, values: &Values<'_>) -> Result<Request, TemplateError> {
        let mut path_and_query = self.path.render(values)?;
        // A parameter whose position is not known is left out: the subscription names none.
        let known = |t: &Template| values.position.is_some() || !uses_position(t);
        let query = self.query.iter().filter(|(_, template)| known(template));
        let query = parameters(query, values)?;
        if !query.is_empty() {
            path_and_query.push('?');
            path_and_query.push_str(&query);
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
        let mut headers = headers;
        let body = if self.form.is_empty() {
            self.body.as_ref().map(|body| body.render(values)).transpose()?
        } else {
            headers.push(form_header());
            Some(parameters(self.form.iter(), values)?)
        };
        Ok(Request { method: self.method, path_and_query, headers, body })
    }
}

fn all(
    texts: &Variables,
    place: Place,
    variables: &Variables,
) -> Result<Vec<(String, Template)>, TemplateError> {
    let parsed = |(name, text): (&String, &String)| {
        Ok((name.clone(), Template::parse(text, place, variables)?))
    };
    texts.iter().map(parsed).collect()
}

/// Names with their values, joined by `&`; a list makes one parameter of each element.
fn parameters<'a>(
    templates: impl Iterator<Item = &'a (String, Template)>,
    values: &Values<'_>,
) -> Result<String, TemplateError> {
    let mut joined = String::new();
    for (name, template) in templates {
        for value in template.render_each(values)? {
            if !joined.is_empty() {
                joined.push('&');
            }
            joined.push_str(name);
            joined.push('=');
            joined.push_str(&value);
        }
    }
    Ok(joined)
}

fn form_header() -> Header {
    let (name, value) = ("content-type", "application/x-www-form-urlencoded");
    Header { name: name.to_owned(), value: value.to_owned(), secret: false }
}

fn uses_position(template: &Template) -> bool {
    template.uses("position") || template.uses("position_next")
}
