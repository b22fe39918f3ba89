//! The Kubernetes API in raw JSON: what is carried between clusters must not pass through types that forget members.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use portproof_proto::names;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest time one request to the API server may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);
/// Items of one page of a list.
const PAGE: usize = 500;

/// Why the API server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The server was not reached.
    #[error("the API server did not answer {method} {path}")]
    Transport {
        method: Method,
        path: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// The answer stopped half way.
    #[error("the answer to {method} {path} broke off")]
    Body {
        method: Method,
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took longer than [`REQUEST_DEADLINE`].
    #[error("the API server did not answer {method} {path} in time")]
    Deadline { method: Method, path: String },
    /// The request could not be written.
    #[error("`{path}` makes no valid request")]
    Request {
        path: String,
        #[source]
        source: http::Error,
    },
    /// The server said no.
    #[error("the API server answered {method} {path} with {status} {reason}: {message}")]
    Refused {
        method: Method,
        path: String,
        status: StatusCode,
        reason: String,
        message: String,
    },
    /// The answer is not JSON.
    #[error("the answer to {method} {path} is not JSON")]
    Json {
        method: Method,
        path: String,
        #[source]
        source: serde_json::Error,
    },
}

impl ApiError {
    /// Whether the server refused what was asked, as opposed to being in trouble itself.
    pub(crate) fn refusal(&self) -> Option<(StatusCode, &str)> {
        match self {
            Self::Refused {
                status, message, ..
            } if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                Some((*status, message))
            }
            _ => None,
        }
    }

    /// Whether there is no such object, or no such kind.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// A kind of object and where the API server keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// `apiVersion` of its objects.
    pub(crate) api_version: &'static str,
    /// `kind` of its objects.
    #[expect(
        clippy::struct_field_names,
        reason = "the name of the member in every object"
    )]
    pub(crate) kind: &'static str,
    /// Last part of its path.
    pub(crate) plural: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $api_version:literal $kind:literal $plural:literal;)+) => {
        impl Kind {
            $($(#[$doc])* pub(crate) const $name: Kind = Kind { api_version: $api_version, kind: $kind, plural: $plural };)+
            /// Every kind this agent knows.
            const ALL: &'static [Kind] = &[$(Kind::$name),+];
        }
    };
}

kinds! {
    CONFIG_MAP = "v1" "ConfigMap" "configmaps";
    NAMESPACE = "v1" "Namespace" "namespaces";
    NODE = "v1" "Node" "nodes";
    POD = "v1" "Pod" "pods";
    SERVICE = "v1" "Service" "services";
    SERVICE_ACCOUNT = "v1" "ServiceAccount" "serviceaccounts";
    DEPLOYMENT = "apps/v1" "Deployment" "deployments";
    NETWORK_POLICY = "networking.k8s.io/v1" "NetworkPolicy" "networkpolicies";
    ROLE = "rbac.authorization.k8s.io/v1" "Role" "roles";
    ROLE_BINDING = "rbac.authorization.k8s.io/v1" "RoleBinding" "rolebindings";
    GATEWAY = "gateway.networking.k8s.io/v1" "Gateway" "gateways";
    GATEWAY_CLASS = "gateway.networking.k8s.io/v1" "GatewayClass" "gatewayclasses";
    HTTP_ROUTE = "gateway.networking.k8s.io/v1" "HTTPRoute" "httproutes";
    RUNTIME_CLASS = "node.k8s.io/v1" "RuntimeClass" "runtimeclasses";
    CRD = "apiextensions.k8s.io/v1" "CustomResourceDefinition" "customresourcedefinitions";
    TOOL = "tools.portproof.dev/v1alpha1" "Tool" "tools";
}

impl Kind {
    /// The kind of an object, when this agent knows it.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let member = |name| object.get(name).and_then(Value::as_str);
        let (api_version, kind) = (member("apiVersion")?, member("kind")?);
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.api_version == api_version && known.kind == kind)
    }

    /// Path of the collection; an empty namespace means cluster-wide.
    pub(crate) fn collection(self, namespace: &str) -> String {
        let root = if self.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let version = self.api_version;
        let plural = self.plural;
        if namespace.is_empty() {
            format!("/{root}/{version}/{plural}")
        } else {
            format!("/{root}/{version}/namespaces/{namespace}/{plural}")
        }
    }

    /// Path of one object.
    pub(crate) fn object(self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }
}

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
    let encode = |text: &str| text.bytes().map(percent_encode).collect::<String>();
    format!(
        "{collection}?limit={PAGE}&labelSelector={}&continue={}",
        encode(selector),
        encode(token)
    )
}

/// Percent-encodes what is not an unreserved character (RFC 3986, section 2.3).
fn percent_encode(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// The server explains itself in a `Status` object; what is not one is quoted.
fn refused(method: Method, path: String, status: StatusCode, body: &Bytes) -> ApiError {
    let explained: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| {
        explained
            .get(member)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let quoted = || String::from_utf8_lossy(body).chars().take(300).collect();
    ApiError::Refused {
        method,
        path,
        status,
        reason: text("reason").unwrap_or_default(),
        message: text("message").unwrap_or_else(quoted),
    }
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
    fn paths_follow_the_group_and_the_scope() {
        assert_eq!(
            Kind::CONFIG_MAP.object("n", "x"),
            "/api/v1/namespaces/n/configmaps/x"
        );
        assert_eq!(
            Kind::CRD.object("", "x"),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x"
        );
    }

    #[test]
    fn a_selector_cannot_add_parameters_of_its_own() {
        assert_eq!(
            page_path("/c", "a=b&watch=1", ""),
            "/c?limit=500&labelSelector=a%3Db%26watch%3D1&continue="
        );
    }

    #[test]
    fn the_kind_of_an_object_is_known_by_version_and_kind_together() {
        assert_eq!(
            Kind::of(&json!({"apiVersion": "v1", "kind": "ConfigMap"})),
            Some(Kind::CONFIG_MAP)
        );
        assert_eq!(
            Kind::of(&json!({"apiVersion": "v2", "kind": "ConfigMap"})),
            None
        );
    }
}
