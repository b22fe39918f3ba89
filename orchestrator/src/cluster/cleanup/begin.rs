//! The beginning of a clean-up whose control agent still has its own part to take down.

use super::super::connect::Cluster;
use super::super::error::ClusterError;
use super::super::object::ObjectId;
use super::super::ownership::{self, Standing};
use super::delete::delete;
use super::pods;
use crate::ledger::Outstanding;
use kube::api::ListParams;
use portproof_proto::names::{PART_LABEL, Part};

/// Has the run's namespace go and its pods end, but for the control agent, which still has its own part to take down. A
/// beginning only: [`super::cleanup`] looks at everything anew and does what was not done.
pub async fn begin_cleanup(cluster: &Cluster, run: &str, outstanding: &[Outstanding]) {
    let namespaces = outstanding.iter().filter(|it| it.object.is_namespace());
    for namespace in namespaces {
        let name = &namespace.object.name;
        match ask_to_go(cluster, run, &namespace.object, namespace.uid.as_deref()).await {
            Ok(true) => {
                let others = format!("{PART_LABEL}!={}", Part::Control.name());
                pods::end(cluster, name, &ListParams::default().labels(&others)).await;
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, name, "clean-up has to ask again"),
        }
    }
}

/// Whether the object is the run's and goes.
async fn ask_to_go(
    cluster: &Cluster,
    run: &str,
    object: &ObjectId,
    uid: Option<&str>,
) -> Result<bool, ClusterError> {
    let Standing::Ours(live) = ownership::examine(cluster, run, object, uid).await? else {
        return Ok(false);
    };
    delete(cluster, object, *live).await?;
    Ok(true)
}
