//! What answers the calls of a tool.

mod documents;
mod http;
mod python;
mod search;

pub(super) use documents::ClusterDocuments;
pub use documents::{DocumentSource, FixedDocuments};
pub use search::{IndexError, Library};

use crate::http_client::HttpError;
use crate::telemetry::{ActiveSpan, SpanKind, SpanRelay, TRACEPARENT, Telemetry};
use portproof_proto::tool::ToolSpec;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Why a backend gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The call lacks the argument the backend works with.
    #[error("the argument `{argument}` is missing or not of the right type")]
    Argument {
        /// The argument.
        argument: String,
    },
    /// The tool has no backend.
    #[error("the tool has no backend")]
    NoBackend,
    /// The service does not answer.
    #[error("the service does not answer")]
    Http(#[source] HttpError),
    /// The service answered with an error.
    #[error("the service answered {status}: {body}")]
    Status {
        /// HTTP status.
        status: StatusCode,
        /// Beginning of the answer.
        body: String,
    },
    /// The answer is not the JSON it should be.
    #[error("the answer of the service cannot be read")]
    Json(#[source] serde_json::Error),
    /// The documents cannot be read.
    #[error("the documents in the ConfigMap `{config_map}` cannot be read")]
    Documents {
        /// The ConfigMap.
        config_map: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The documents cannot be indexed or searched.
    #[error("the documents cannot be searched")]
    Index(#[source] IndexError),
    /// There is no such ConfigMap.
    #[error("there is no ConfigMap `{config_map}`")]
    NoDocuments {
        /// The ConfigMap.
        config_map: String,
    },
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// The structured result.
    pub(super) value: Value,
    /// How the tool failed, if it did.
    pub(super) failure: Option<ToolFailure>,
}

/// How a tool that ran has failed; its result says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolFailure {
    /// It was ended because its time was over.
    Late,
    /// It says so itself.
    Reported,
}

/// The backends that tools can have.
pub struct Backends {
    reach: Reach,
}

/// What lies behind the tools.
enum Reach {
    /// The services and documents that the tools name.
    Services(Services),
    /// Nothing: a call is answered with its arguments.
    Nothing,
}

struct Services {
    client: Client,
    documents: Arc<dyn DocumentSource>,
    relay: SpanRelay,
}

impl Backends {
    /// Backends that are called through `client`; spans that the interpreter returns go to `relay`.
    pub fn new(client: Client, documents: Arc<dyn DocumentSource>, relay: SpanRelay) -> Self {
        Self {
            reach: Reach::Services(Services {
                client,
                documents,
                relay,
            }),
        }
    }

    /// Backends that answer every call with its arguments, whatever backend a tool names: what is left is the cost of
    /// the gateway itself.
    pub fn echo() -> Self {
        Self {
            reach: Reach::Nothing,
        }
    }

    /// How long `tool` may take until nobody waits for it any more.
    pub(super) fn patience(tool: &ToolSpec) -> Duration {
        let limit = Duration::from_secs(tool.timeout_seconds.into());
        match tool.backend.python {
            Some(_) => limit + python::GRACE,
            None => limit,
        }
    }

    /// Calls the backend of `tool`; its span is a child of `span`.
    pub(super) async fn call(
        &self,
        tool: &ToolSpec,
        arguments: &Value,
        span: &ActiveSpan,
        telemetry: &Telemetry,
    ) -> Result<Answer, BackendError> {
        match &self.reach {
            Reach::Services(services) => services.call(tool, arguments, span, telemetry).await,
            Reach::Nothing => Ok(Answer {
                value: arguments.clone(),
                failure: None,
            }),
        }
    }
}

impl Services {
    async fn call(
        &self,
        tool: &ToolSpec,
        arguments: &Value,
        span: &ActiveSpan,
        telemetry: &Telemetry,
    ) -> Result<Answer, BackendError> {
        let backend = &tool.backend;
        let peer = Peer {
            client: &self.client,
            telemetry,
            parent: span,
        };
        match (&backend.python, &backend.documents, &backend.http) {
            (Some(python), _, _) => {
                python::call(&peer, &self.relay, python, arguments, tool.timeout_seconds).await
            }
            (_, Some(documents), _) => {
                documents::call(self.documents.as_ref(), documents, arguments).await
            }
            (_, _, Some(http)) => http::call(&peer, http, arguments).await,
            (None, None, None) => Err(BackendError::NoBackend),
        }
    }
}

/// A service that is called over HTTP, with a CLIENT span for each request.
struct Peer<'a> {
    client: &'a Client,
    telemetry: &'a Telemetry,
    parent: &'a ActiveSpan,
}

/// Where a request goes.
struct Target<'a> {
    method: &'static str,
    service: &'a str,
    port: u16,
    route: &'a str,
}

impl Peer<'_> {
    /// Sends the request and reads the answer as JSON.
    async fn send(
        &self,
        target: &Target<'_>,
        request: RequestBuilder,
    ) -> Result<Value, BackendError> {
        let span = self.span(target);
        let request = match span.traceparent() {
            Some(traceparent) => request.header(TRACEPARENT, traceparent),
            None => request,
        };
        let answer = http::read(request, &span).await;
        if let Err(error) = &answer {
            span.fail(error_type(error), error.to_string());
        }
        answer
    }

    fn span(&self, target: &Target<'_>) -> ActiveSpan {
        let name = format!("{} {}", target.method, target.route);
        let span = self
            .telemetry
            .span(name, SpanKind::Client, self.parent.context());
        span.set("http.request.method", target.method);
        span.set("url.template", target.route.to_owned());
        span.set("server.address", target.service.to_owned());
        span.set("server.port", i64::from(target.port));
        span
    }
}

fn error_type(error: &BackendError) -> String {
    match error {
        BackendError::Status { status, .. } => status.as_str().to_owned(),
        BackendError::Json(_) => "invalid_answer".to_owned(),
        _ => "transport".to_owned(),
    }
}

/// The text argument `name` of a call.
fn text_argument<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, BackendError> {
    let found = arguments.get(name).and_then(Value::as_str);
    found.ok_or_else(|| BackendError::Argument {
        argument: name.to_owned(),
    })
}
