//! The suite's resources.

use super::content::{IMAGE, IMAGE_TYPE};
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

pub(super) const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";

pub(super) fn all() -> Vec<Resource> {
    vec![
        Resource::new(TEXT, "Static Text Resource")
            .with_description("A text that never changes")
            .with_mime_type("text/plain"),
        Resource::new(BINARY, "Static Binary Resource")
            .with_description("An image that never changes")
            .with_mime_type(IMAGE_TYPE),
        Resource::new(WATCHED, "Watched Resource")
            .with_description("A text to subscribe to; it never changes either")
            .with_mime_type("text/plain"),
    ]
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("test://template/{id}/data", "Resource by id")
            .with_description("A resource for each id")
            .with_mime_type("application/json"),
    ]
}

/// The resource at `uri`.
pub(super) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let id = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    let contents = match (uri, id) {
        (TEXT, _) => {
            ResourceContents::text("This is the content of the static text resource.", uri)
        }
        (WATCHED, _) => ResourceContents::text("Nothing has happened yet.", uri),
        (BINARY, _) => ResourceContents::blob(IMAGE, uri).with_mime_type(IMAGE_TYPE),
        (_, Some(id)) => {
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
        _ => {
            let told = format!("Resource not found: {uri}");
            return Err(ErrorData::resource_not_found(
                told,
                Some(json!({"uri": uri})),
            ));
        }
    };
    Ok(ReadResourceResult::new(vec![contents]))
}
