//! `Export`: Tools, what they refer to, their CRD and the MCP descriptors, into one bundle.

use super::api::{ApiError, ApiServer, Kind, text};
use super::failure;
use super::mcp::{McpError, Server};
use super::peers::Peers;
use super::stream::Events;
use portproof_proto::bundle::{Bundle, BundleError};
use portproof_proto::descriptor::McpDescriptor;
use portproof_proto::names::Part;
use portproof_proto::v1::BundleChunk;
use portproof_proto::{CHUNK_BYTES, tool};
use serde_json::Value;
use std::collections::BTreeSet;
use tonic::{Code, Status};

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// An object could not be read.
    #[error("the objects could not be read")]
    Api(#[from] ApiError),
    /// The cluster does not know the kind `Tool`.
    #[error("the cluster has no CRD `{}`", tool::CRD_NAME)]
    NoCrd,
    /// A Tool refers to documents that are not there.
    #[error("the Tool `{tool}` refers to the ConfigMap `{config_map}`, which is not there")]
    Dangling { tool: String, config_map: String },
    /// The tool gateway did not describe itself.
    #[error("the MCP descriptors could not be read")]
    Mcp(#[from] McpError),
    /// What was read makes no bundle.
    #[error("the bundle could not be written")]
    Bundle(#[from] BundleError),
}

impl From<ExportError> for Status {
    fn from(error: ExportError) -> Self {
        let code = match &error {
            ExportError::NoCrd | ExportError::Dangling { .. } => Code::FailedPrecondition,
            ExportError::Api(_) | ExportError::Mcp(_) => Code::Unavailable,
            ExportError::Bundle(_) => Code::DataLoss,
        };
        failure::status(code, &error)
    }
}

/// Reads everything and sends the encoded bundle in chunks.
pub(crate) async fn export(
    api: &ApiServer,
    peers: &Peers,
    namespace: &str,
    selector: &str,
    events: &Events<BundleChunk>,
) -> Result<(), ExportError> {
    let crd = crd(api).await?;
    let (objects, descriptor) =
        tokio::try_join!(objects(api, namespace, selector), descriptor(peers))?;
    let encoded = Bundle::new(&[crd], &objects, vec![descriptor]).encode()?;
    for chunk in encoded.chunks(CHUNK_BYTES) {
        events
            .send(BundleChunk {
                data: chunk.to_vec(),
            })
            .await;
    }
    Ok(())
}

async fn crd(api: &ApiServer) -> Result<Value, ExportError> {
    api.get(&Kind::CRD.object("", tool::CRD_NAME))
        .await?
        .ok_or(ExportError::NoCrd)
}

/// The selected Tools and the ConfigMaps they refer to, each as its own `GET` answers it.
async fn objects(
    api: &ApiServer,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, ExportError> {
    let mut objects = Vec::new();
    let mut fetched = BTreeSet::new();
    for listed in api
        .list(&Kind::TOOL.collection(namespace), selector)
        .await?
    {
        let name = text(&listed, "/metadata/name");
        // A list leaves out what a single object says of its kind; a Tool deleted in between is not exported.
        let Some(tool) = api.get(&Kind::TOOL.object(namespace, name)).await? else {
            continue;
        };
        if let Some(config_map) =
            documents(&tool).filter(|config_map| fetched.insert((*config_map).to_owned()))
        {
            let found = api
                .get(&Kind::CONFIG_MAP.object(namespace, config_map))
                .await?;
            let dangling = || ExportError::Dangling {
                tool: name.to_owned(),
                config_map: config_map.to_owned(),
            };
            objects.push(found.ok_or_else(dangling)?);
        }
        objects.push(tool);
    }
    Ok(objects)
}

/// The ConfigMap a Tool searches.
fn documents(tool: &Value) -> Option<&str> {
    tool.pointer("/spec/backend/documents/configMapName")
        .and_then(Value::as_str)
}

async fn descriptor(peers: &Peers) -> Result<McpDescriptor, ExportError> {
    let url = peers.url(Part::ToolGateway, "/mcp");
    let server = Server::new(peers.http(), &url);
    let discover = server.discover().await?;
    let tools = server.tools().await?;
    Ok(McpDescriptor {
        server: Part::ToolGateway.name().to_owned(),
        discover,
        tools,
    })
}

#[cfg(test)]
mod tests;
