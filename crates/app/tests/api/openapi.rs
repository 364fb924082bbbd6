//! The OpenAPI document: that it is all of the API, and nothing else.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::errors::ROUTES;
use crate::server::{Deployment, Server};
use crate::shapes::{BUYER_ACCOUNT, PROFILE_ALONE, SELLER_ACCOUNT, USER};
use crate::tokens::by_either;

/// The contract's closed list of error types, with their statuses.
pub const ERROR_TYPES: [(&str, u16); 26] = [
    ("validation_failed", 422),
    ("malformed_body", 400),
    ("bad_request", 400),
    ("unsupported_media_type", 415),
    ("body_too_large", 413),
    ("request_timeout", 408),
    ("wrong_password", 403),
    ("not_authenticated", 401),
    ("session_expired", 401),
    ("session_revoked", 401),
    ("invalid_credentials", 401),
    ("invalid_token", 401),
    ("reauthentication_required", 403),
    ("unverified_email", 403),
    ("account_deactivated", 403),
    ("role_unavailable", 403),
    ("cross_origin_refused", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("conflict", 409),
    ("invalid_code", 400),
    ("ambiguous_credentials", 400),
    ("too_many_requests", 429),
    ("overloaded", 503),
    ("store_unavailable", 503),
    ("internal", 500),
];

/// The one path that isn't below the base path.
pub const JWKS: &str = "/.well-known/jwks.json";

/// The document, as a server gives it.
pub struct Document(Value);

impl Document {
    pub async fn of(server: &Server) -> Self {
        let answer = server.client().get("/openapi.json").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/json");
        Self(answer.json())
    }

    /// Each operation's method, path and description.
    pub fn operations(&self) -> Vec<(String, String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, item)| {
                let operations = item.as_object().unwrap().iter();
                operations.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
            })
            .collect()
    }

    pub fn operation(&self, method: &str, path: &str) -> &Value {
        let path = if path == JWKS { path.to_owned() } else { format!("/api/v1{path}") };
        let operation = &self.0["paths"][&path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        operation
    }

    /// The schema itself, where there may be a reference to it.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let target = self.0.pointer(reference.strip_prefix('#').unwrap());
                self.resolve(target.unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
            None => schema,
        }
    }

    /// The properties of an object's schema, and whether each is required.
    pub fn properties(&self, schema: &Value) -> BTreeMap<String, bool> {
        let schema = self.resolve(schema);
        let mut properties = BTreeMap::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            properties.extend(self.properties(part));
        }
        let required = |name: &String| schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        let own = schema["properties"].as_object().into_iter().flatten();
        properties.extend(own.map(|(name, _)| (name.clone(), required(name))));
        properties
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_openapi_3_1_and_every_reference_leads_somewhere() {
    let server = Server::start(Deployment::Embedded).await;
    let document = Document::of(&server).await;
    assert!(document.0["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document.0["openapi"]);
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut open = vec![&document.0];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                document.resolve(value);
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_has_the_routes_that_are_built_and_no_other() {
    let server = by_either(Deployment::Embedded).await.start().await;
    let document = Document::of(&server).await;
    let mut documented: Vec<_> = document.operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    let mut built: Vec<_> = ROUTES.map(|(method, path)| (method.to_owned(), format!("/api/v1{path}"))).into();
    documented.sort();
    built.push(("GET".to_owned(), JWKS.to_owned()));
    built.sort();
    assert_eq!(documented, built);
    for (method, path, operation) in document.operations() {
        let answer = Answer::of(server.client().request_at_root(method.parse::<Method>().unwrap(), &path)).await;
        assert!(!matches!(answer.status.as_u16(), 404 | 405), "{method} {path}: {answer:?}");
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_types_are_the_closed_list_of_the_contract() {
    let server = Server::start(Deployment::Embedded).await;
    let document = Document::of(&server).await;
    let schema = &document.0["components"]["schemas"]["ErrorType"];
    let documented: Vec<&str> = schema["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(documented, ERROR_TYPES.map(|(name, _)| name));
    let error = document.properties(&document.0["components"]["schemas"]["ErrorBody"]);
    let required: Vec<&str> = error.iter().filter(|(_, required)| **required).map(|(name, _)| name.as_str()).collect();
    assert_eq!(required, ["code", "error_type", "message", "request_id", "status"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_error_is_of_a_type_with_that_status_and_has_the_body_of_errors() {
    let server = Server::start(Deployment::Embedded).await;
    let document = Document::of(&server).await;
    for (method, path, operation) in document.operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let description = response["description"].as_str().unwrap();
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let named: Vec<&str> = description.split('`').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "{method} {path} {status}");
            for name in named {
                let declared = ERROR_TYPES.iter().find(|(error_type, _)| *error_type == name);
                let declared = declared.unwrap_or_else(|| panic!("{method} {path} {status}: {name} is no error type"));
                assert_eq!(declared.1.to_string(), *status, "{method} {path}: {name}");
            }
            let schema = &response["content"]["application/json"]["schema"];
            assert_eq!(schema["$ref"], "#/components/schemas/ErrorBody", "{method} {path} {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_session_says_so_and_both_ways_to_send_the_secret() {
    let server = Server::start(Deployment::Embedded).await;
    let document = Document::of(&server).await;
    let schemes = &document.0["components"]["securitySchemes"];
    let cookie = &schemes["cookie"];
    assert_eq!(
        (&cookie["type"], &cookie["in"], &cookie["name"]),
        (&"apiKey".into(), &"cookie".into(), &"markt_session".into())
    );
    assert_eq!((&schemes["bearer"]["type"], &schemes["bearer"]["scheme"]), (&"http".into(), &"bearer".into()));
    for (method, path, operation) in document.operations() {
        let request = server.client().request_at_root(method.parse().unwrap(), &path);
        let refused = Answer::of(request).await.status == StatusCode::UNAUTHORIZED;
        let expected = match path.as_str() {
            // A token, which no cookie brings.
            "/api/v1/auth/exchange" => json!([{"bearer": []}]),
            _ if refused => json!([{"cookie": []}, {"bearer": []}]),
            _ => Value::Null,
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
    }
}

/// Clients need not ask whether it is there, only whether it is null.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_profile_always_has_is_required_also_where_it_may_be_null() {
    let server = Server::start(Deployment::Embedded).await;
    let document = Document::of(&server).await;
    let schemas = &document.0["components"]["schemas"];
    for (name, fields) in [
        ("UserBody", &USER[..]),
        ("ProfileBody", &[&USER[..], &PROFILE_ALONE].concat()),
        ("AddressBody", &[]),
        ("BuyerAccountBody", &BUYER_ACCOUNT),
        ("SellerAccountBody", &SELLER_ACCOUNT),
    ] {
        let properties = document.properties(&schemas[name]);
        assert!(fields.iter().all(|field| properties.contains_key(*field)), "{name}: {properties:?}");
        assert!(!properties.is_empty() && properties.values().all(|required| *required), "{name}: {properties:?}");
    }
    let nullable =
        |schema: &str, field: &str| schemas[schema]["properties"][field]["type"] == json!(["string", "null"]);
    assert!(nullable("UserBody", "phone_number") && nullable("AddressBody", "city"));
    assert!(nullable("SellerAccountBody", "shop_slug") && !nullable("UserBody", "email"));
}
