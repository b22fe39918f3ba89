//! `sandbox`: which kernel untrusted code stands on.

use super::{Bench, StepError};
use crate::causes::one_line;
use crate::cluster::node_kernel;
use crate::rpc::PodKernels;
use crate::run::session::Session;
use crate::verify::Role;
use crate::verify::evidence::RuntimeEvidence;
use crate::verify::sandbox::runtime;

pub(super) async fn run(bench: &Bench<'_>, roles: &[Role]) -> Result<(), StepError> {
    bench.each(roles, |session| compare(bench, session)).await?;
    Ok(())
}

async fn compare(bench: &Bench<'_>, session: &Session) -> Result<(), StepError> {
    let PodKernels { sandbox, control } = session.call(session.agent.fingerprints().await)?;
    let node_kernel = match &control {
        Ok(control) => kernel_of(session, &control.node).await,
        Err(_) => Err("it is not known which node it is".to_owned()),
    };
    let evidence = RuntimeEvidence {
        sandbox,
        control,
        node_kernel,
    };
    bench.verdict(runtime(&evidence).on(&session.role));
    Ok(())
}

/// What the API server knows of the node: the one word about it that comes from no pod.
async fn kernel_of(session: &Session, node: &str) -> Result<String, String> {
    node_kernel(&session.cluster, node)
        .await
        .map_err(|error| one_line(&error))
}
