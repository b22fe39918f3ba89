//! A tool gateway on loopback with one tool that searches a document.

use agent_stack::gateway::{Backends, Era, FixedDocuments, GatewayParts, Registry, router_of_era};
use agent_stack::telemetry::{SpanRelay, Telemetry};
use agent_stack::{http_client, server};
use portproof_proto::tool::Tool;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A gateway that ends when it is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Arc<Registry>,
    _running: DropGuard,
}

impl Gateway {
    pub(crate) async fn start(era: Era) -> Self {
        let registry = Arc::new(Registry::default());
        registry.replace(vec![tool("search")]);
        let shutdown = CancellationToken::new();
        let router = router_of_era(parts(Arc::clone(&registry)), era, shutdown.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server::serve_on(listener, router, shutdown.clone()));
        Self {
            address,
            registry,
            _running: shutdown.drop_guard(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

fn parts(registry: Arc<Registry>) -> GatewayParts {
    let manual = "title: Seals\nsku: SKU-1\n\nA seal.".to_owned();
    let manuals = BTreeMap::from([("a".to_owned(), manual)]);
    let documents = FixedDocuments::new(BTreeMap::from([("manuals".to_owned(), manuals)]));
    let client = http_client::client(Duration::from_secs(30)).unwrap();
    let relay = SpanRelay::new(None).unwrap();
    GatewayParts {
        registry,
        backends: Backends::new(client, Arc::new(documents), relay),
        telemetry: Telemetry::disabled("tool-gateway"),
        allowed_hosts: ["tool-gateway", "tools.example.com", "127.0.0.1", "::1"]
            .map(str::to_owned)
            .to_vec(),
        hidden: BTreeSet::new(),
        drop_trace_context: false,
    }
}

/// A tool of that name that searches the manuals.
pub(crate) fn tool(name: &str) -> Tool {
    let spec = json!({
        "name": name, "description": "Searches.",
        "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        "outputSchema": {"type": "object", "required": ["hits"]},
        "backend": {"type": "Documents",
            "documents": {"configMapName": "manuals", "queryArgument": "query", "limit": 2}}});
    Tool::new(name, serde_json::from_value(spec).unwrap())
}

/// The parameters of a call that succeeds.
pub(crate) fn search() -> Value {
    json!({"name": "search", "arguments": {"query": "seal"}})
}
