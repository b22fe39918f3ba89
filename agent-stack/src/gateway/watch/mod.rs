//! Feeds the registry from the API server and writes back what becomes of each object.

mod backends;
mod report;
#[cfg(test)]
mod tests;
mod tools;

use super::registry::Registry;
use kube::Client;
use std::sync::Arc;

/// Watches the `Tool` objects of `namespace` and what their backends stand on, and reports, for as long as it is polled.
///
/// The four go on side by side: a report that takes its time does not keep a new tool out of the list.
pub(super) async fn run(client: Client, namespace: String, registry: Arc<Registry>) {
    tokio::join!(
        tools::follow(&client, &namespace, &registry),
        backends::follow_services(&client, &namespace, &registry),
        backends::follow_config_maps(&client, &namespace, &registry),
        report::run(&client, &namespace, &registry),
    );
}
