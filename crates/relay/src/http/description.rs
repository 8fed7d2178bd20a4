//! The table as an OpenAPI 3.1 document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::{Form, Operation, Parameter, Right};
use super::problem::{
    HOST_NOT_ALLOWED, Kind, ORIGIN_NOT_ALLOWED, PARAMETER_INVALID, TARGET_TOO_LONG, TOKEN_IN_QUERY,
    TOO_MANY, UNAUTHORIZED,
};
use super::schema::{reference, schemas};
use super::table::OPERATIONS;
use crate::access::{COOKIE, Scope};

/// What every operation may answer.
const ALWAYS: &[&Kind] = &[
    &PARAMETER_INVALID,
    &TOKEN_IN_QUERY,
    &ORIGIN_NOT_ALLOWED,
    &TARGET_TOO_LONG,
    &HOST_NOT_ALLOWED,
];

/// The document.
pub(crate) fn description() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.name().to_ascii_lowercase()] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Unbroken",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The unbroken record: state, events after a cursor, gaps.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": COOKIE },
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = varying(operation.path);
    parameters.extend(operation.parameters().map(parameter));
    parameters.extend(operation.headers.iter().map(|(name, about)| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "description": about, "schema": schema })
    }));
    let security = match operation.right {
        Right::Anybody => json!([]),
        Right::Scope(Scope::Read) => json!([{ "bearer": [] }, { "cookie": [] }]),
        Right::Scope(Scope::Admin) => json!([{ "bearer": [] }]),
    };
    let mut value = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "security": security,
        "parameters": parameters,
        "responses": responses(operation),
    });
    if let Right::Scope(scope) = operation.right {
        value["x-scope"] = json!(scope.to_string());
    }
    if let Some((schema, may_be_left_out)) = operation.body {
        value["requestBody"] = json!({
            "required": !may_be_left_out,
            "content": { "application/json": { "schema": reference(schema) } },
        });
    }
    value
}

fn varying(path: &str) -> Vec<Value> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let schema = json!({ "type": "string", "minLength": 1 });
    let parameter =
        |name| json!({ "name": name, "in": "path", "required": true, "schema": schema });
    parts.map(parameter).collect()
}

fn parameter(parameter: &'static Parameter) -> Value {
    let schema = match parameter.form {
        Form::Text => json!({ "type": "string", "minLength": 1 }),
        Form::Cursor => json!({
            "type": "string", "pattern": "^(oldest|latest|[0-9a-f]{32}:[0-9]{1,20})$",
        }),
        Form::Whole(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Form::Words(words) => json!({ "type": "string", "enum": words }),
    };
    let schema = match parameter.repeats {
        true => json!({ "type": "array", "items": schema }),
        false => schema,
    };
    json!({
        "name": parameter.name, "in": "query", "description": parameter.about, "schema": schema,
    })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for outcome in operation.outcomes {
        let mut value = json!({ "description": outcome.about });
        if let Some((media, schema)) = outcome.content {
            value["content"] = json!({ media: { "schema": reference(schema) } });
        }
        responses.insert(outcome.status.to_string(), value);
    }
    let mut kinds: Vec<&Kind> = ALWAYS.iter().chain(operation.problems).copied().collect();
    if matches!(operation.right, Right::Scope(_)) {
        kinds.extend([&UNAUTHORIZED, &TOO_MANY]);
    }
    let mut by_status = BTreeMap::<u16, Vec<&Kind>>::new();
    for kind in kinds {
        by_status.entry(kind.status).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.name)).collect();
        let value = json!({
            "description": format!("{}: {}", names.join(", "), kinds[0].title),
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        });
        responses.insert(status.to_string(), value);
    }
    Value::Object(responses)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{OPERATIONS, description};

    #[test]
    fn every_operation_is_described_and_every_shape_is_there() {
        let document = description();
        let schemas = document["components"]["schemas"].as_object().expect("shapes");
        for operation in OPERATIONS {
            let method = operation.method.name().to_ascii_lowercase();
            let described = &document["paths"][operation.path][&method];
            assert_eq!(described["operationId"], operation.id);
            let named = operation.outcomes.iter().filter_map(|outcome| outcome.content);
            let named = named.map(|(_, schema)| schema);
            for schema in named.chain(operation.body.map(|(schema, _)| schema)) {
                assert!(schemas.contains_key(schema), "{schema}");
            }
        }
        let ids: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), OPERATIONS.len());
    }

    #[test]
    fn every_reference_leads_to_a_shape() {
        let document = description();
        let text = document.to_string();
        let shapes = text.split("\"#/components/schemas/").skip(1);
        let names: BTreeSet<&str> = shapes.filter_map(|rest| rest.split('"').next()).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(!document["components"]["schemas"][name].is_null(), "{name}");
        }
    }
}
