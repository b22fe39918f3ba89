//! The watches of the API server in memory.

use super::selected;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Something that happened to an object of a collection.
struct Happening {
    version: u64,
    collection: String,
    event: Value,
}

/// A watch that is open on a collection, for the objects its query selects.
struct Watch {
    collection: String,
    query: HashMap<String, String>,
    events: UnboundedSender<Value>,
}

impl Watch {
    fn concerns(&self, collection: &str, event: &Value) -> bool {
        self.collection == collection && selected(&event["object"], &self.query)
    }
}

/// What happened and who is told of it.
#[derive(Default)]
pub(super) struct Watches {
    happened: Vec<Happening>,
    open: Vec<Watch>,
}

impl Watches {
    /// Tells what happened in a collection since the version of the query, and whatever happens from now on.
    pub(super) fn open(&mut self, collection: &str, query: &HashMap<String, String>) -> Response {
        let since = query.get("resourceVersion");
        let since: u64 = since.and_then(|version| version.parse().ok()).unwrap_or(0);
        let (events, told) = unbounded_channel();
        let watch = Watch {
            collection: collection.to_owned(),
            query: query.clone(),
            events,
        };
        let missed = self.happened.iter().filter(|it| it.version > since);
        for Happening { event, .. } in missed.filter(|it| watch.concerns(&it.collection, &it.event))
        {
            watch.events.send(event.clone()).unwrap();
        }
        self.open.push(watch);
        let lines = UnboundedReceiverStream::new(told)
            .map(|event| Ok::<_, std::io::Error>(Bytes::from(format!("{event}\n"))));
        Body::from_stream(lines).into_response()
    }

    /// Tells everyone who watches the collection of `path`.
    pub(super) fn announce(&mut self, kind: &str, path: &str, object: &Value, version: u64) {
        let (collection, _) = path.rsplit_once('/').unwrap();
        let event = json!({"type": kind, "object": object});
        self.open.retain(|watch| {
            !watch.concerns(collection, &event) || watch.events.send(event.clone()).is_ok()
        });
        self.happened.push(Happening {
            version,
            collection: collection.to_owned(),
            event,
        });
    }

    /// Ends every watch with 410: what happened until now is forgotten and must be listed again.
    pub(super) fn expire(&mut self) {
        self.happened.clear();
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
            "reason": "Expired", "message": "too old resource version"});
        for watch in std::mem::take(&mut self.open) {
            // Whoever is gone by now needs no end.
            let _ = watch
                .events
                .send(json!({"type": "ERROR", "object": status}));
        }
    }

    /// Breaks the connection of every watch.
    pub(super) fn break_off(&mut self) {
        self.open.clear();
    }

    /// How many watches are open on a collection.
    pub(super) fn count(&self, collection: &str) -> usize {
        let open = self.open.iter();
        open.filter(|watch| watch.collection == collection && !watch.events.is_closed())
            .count()
    }
}
