//! The Kubernetes API in raw JSON: what is carried between clusters must not pass through types that forget members.

mod error;
mod kind;

pub(crate) use error::ApiError;
pub(crate) use kind::Kind;

use error::refused;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portproof_proto::names;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest time one request to the API server may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);
/// Items of one page of a list.
const PAGE: usize = 500;

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is deleted, or being deleted.
    Deleted,
    /// It was not there.
    Absent,
    /// The object of that name has another UID.
    OtherUid,
}

/// The API server of the cluster the agent stands in.
#[derive(Clone)]
pub(crate) struct ApiServer {
    client: kube::Client,
}

impl ApiServer {
    pub(crate) fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// The typed client, for watches.
    pub(crate) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Reads one object; `None` when it, or its kind, is not there.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self
            .call(Call {
                method: Method::GET,
                path,
                content_type: None,
                body: Vec::new(),
            })
            .await
        {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every page of a collection.
    pub(crate) async fn list(
        &self,
        collection: &str,
        selector: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let path = page_path(collection, selector, &token);
            let mut page = self
                .call(Call {
                    method: Method::GET,
                    path: &path,
                    content_type: None,
                    body: Vec::new(),
                })
                .await?;
            if let Some(found) = page.get_mut("items").and_then(Value::as_array_mut) {
                items.append(found);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(items),
            }
        }
    }

    /// Creates an object from exactly these bytes and answers what the server made of them.
    ///
    /// Unknown and duplicate members are an error (`fieldValidation=Strict`), so nothing is dropped unseen.
    pub(crate) async fn create(
        &self,
        collection: &str,
        body: Vec<u8>,
        options: Create<'_>,
    ) -> Result<Value, ApiError> {
        let dry_run = if options.dry_run { "&dryRun=All" } else { "" };
        let path = format!(
            "{collection}?fieldManager={}&fieldValidation=Strict{dry_run}",
            options.manager
        );
        self.call(Call {
            method: Method::POST,
            path: &path,
            content_type: Some("application/json"),
            body,
        })
        .await
    }

    /// Server-side apply of one object, as the owner of everything in it.
    pub(crate) async fn apply(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        let path = format!(
            "{path}?fieldManager={}&force=true&fieldValidation=Strict",
            names::FIELD_MANAGER
        );
        let body = object.to_string().into_bytes();
        self.call(Call {
            method: Method::PATCH,
            path: &path,
            content_type: Some("application/apply-patch+yaml"),
            body,
        })
        .await
    }

    /// A JSON Patch (RFC 6902) of one object.
    pub(crate) async fn patch(&self, path: &str, operations: &Value) -> Result<Value, ApiError> {
        let path = format!("{path}?fieldManager={}", names::FIELD_MANAGER);
        let body = operations.to_string().into_bytes();
        self.call(Call {
            method: Method::PATCH,
            path: &path,
            content_type: Some("application/json-patch+json"),
            body,
        })
        .await
    }

    /// Deletes one object if it still has this UID.
    pub(crate) async fn delete(&self, path: &str, uid: &str) -> Result<Deletion, ApiError> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid},
            "propagationPolicy": "Background"});
        let body = options.to_string().into_bytes();
        let call = Call {
            method: Method::DELETE,
            path,
            content_type: Some("application/json"),
            body,
        };
        match self.call(call).await {
            Ok(_) => Ok(Deletion::Deleted),
            Err(error) if error.is_absent() => Ok(Deletion::Absent),
            Err(ApiError::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => Ok(Deletion::OtherUid),
            Err(error) => Err(error),
        }
    }

    async fn call(&self, call: Call<'_>) -> Result<Value, ApiError> {
        let (method, path) = (call.method.clone(), call.path.to_owned());
        tokio::time::timeout(REQUEST_DEADLINE, self.exchange(call))
            .await
            .unwrap_or(Err(ApiError::Deadline { method, path }))
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Value, ApiError> {
        let (method, path) = (call.method.clone(), call.path.to_owned());
        let answer =
            self.client
                .send(call.request()?)
                .await
                .map_err(|source| ApiError::Transport {
                    method: method.clone(),
                    path: path.clone(),
                    source: Box::new(source),
                })?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|source| ApiError::Body {
                method: method.clone(),
                path: path.clone(),
                source: source.into(),
            })?;
        let body = body.to_bytes();
        if !status.is_success() {
            return Err(refused(method, path, status, &body));
        }
        serde_json::from_slice(&body).map_err(|source| ApiError::Json {
            method,
            path,
            source,
        })
    }
}

/// How an object is created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Create<'a> {
    /// Field manager that will own the members.
    pub(crate) manager: &'a str,
    /// Ask only what would happen.
    pub(crate) dry_run: bool,
}

struct Call<'a> {
    method: Method,
    path: &'a str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl Call<'_> {
    fn request(self) -> Result<Request<Body>, ApiError> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::ACCEPT, "application/json");
        if let Some(content_type) = self.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        request
            .body(Body::from(self.body))
            .map_err(|source| ApiError::Request {
                path: self.path.to_owned(),
                source,
            })
    }
}

fn page_path(collection: &str, selector: &str, token: &str) -> String {
    // More is encoded than has to be, which is the same to the server.
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!(
        "{collection}?limit={PAGE}&labelSelector={}&continue={}",
        encode(selector),
        encode(token)
    )
}

/// A text member of an object, empty when it is absent.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_cannot_add_parameters_of_its_own() {
        assert_eq!(
            page_path("/c", "a=b&watch=1", ""),
            "/c?limit=500&labelSelector=a%3Db%26watch%3D1&continue="
        );
    }
}
