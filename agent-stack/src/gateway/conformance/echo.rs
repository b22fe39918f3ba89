//! Tools that answer with their arguments, through everything the gateway does for a tool of a cluster: registry,
//! schemas, span, digests. Only the way to a service is left out.

use crate::gateway::backend::Backends;
use crate::gateway::call::Calls;
use crate::gateway::endpoint::Era;
use crate::gateway::mcp::ToolServer;
use crate::gateway::{GatewayParts, Registry};
use crate::telemetry::Telemetry;
use portproof_proto::names::Part;
use portproof_proto::tool::{Backend, BackendType, HttpBackend, Tool, ToolSpec};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A server of `count` tools `echo_0001`, `echo_0002`, ...
pub(super) fn server(count: usize, era: Era) -> ToolServer {
    let registry = Registry::default();
    registry.replace((1..=count).map(tool).collect());
    let parts = GatewayParts {
        registry: Arc::new(registry),
        backends: Backends::echo(),
        telemetry: Telemetry::disabled(Part::ToolGateway.name()),
        allowed_hosts: Vec::new(),
        hidden: BTreeSet::new(),
        drop_trace_context: false,
    };
    ToolServer::new(Calls::new(parts), era)
}

fn tool(number: usize) -> Tool {
    let name = format!("echo_{number:04}");
    let object = name.replace('_', "-");
    let schema = json!({
        "type": "object",
        "properties": {"text": {"type": "string", "maxLength": 4096, "description": "What to answer."}},
        "required": ["text"],
        "additionalProperties": false,
    });
    let spec = ToolSpec {
        title: Some(format!("Echo {number}")),
        description: "Answers with its arguments. It does nothing else, so a call costs what the gateway costs.".to_owned(),
        input_schema: schema.clone(),
        output_schema: Some(schema),
        backend: Backend {
            r#type: BackendType::Http,
            python: None,
            documents: None,
            http: Some(HttpBackend {
                service_name: "echo".to_owned(),
                port: 80,
                path: "/".to_owned(),
            }),
        },
        timeout_seconds: 30,
        name,
    };
    Tool::new(&object, spec)
}
