//! `seed`: puts the fixtures of the scenario into a cluster, the way a user's own Tools would be there.

use super::export::export;
use super::{Bench, StepError};
use crate::cluster::ObjectId;
use crate::rpc::ImportReport;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::transfer;
use crate::verify::Role;
use crate::verify::evidence::{ImportOutcome, ImportedObject};
use portproof_proto::bundle::Bundle;
use serde_json::Value;

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    carried: &mut Carried,
) -> Result<(), StepError> {
    let fixtures = &bench.plan.scenario.stack.fixtures;
    let bundle = transfer::load_fixtures(fixtures, &bench.plan.run.namespace())?;
    bench
        .each(roles, |session| put(bench, session, &bundle))
        .await?;
    carried.source = Some(bundle);
    Ok(())
}

async fn put(bench: &Bench<'_>, session: &Session, bundle: &Bundle) -> Result<(), StepError> {
    let report = import(bench, session, bundle).await?;
    match report.objects.iter().find(|object| is_refused(object)) {
        None => {
            bench.note(
                &session.role,
                format!("{} objects seeded", report.objects.len()),
            );
            export(bench, session).await.map(drop)
        }
        Some(object) => Err(StepError::Unsettled {
            role: session.role.clone(),
            what: format!(
                "the fixture {} was refused: {}",
                object.object, object.reason
            ),
        }),
    }
}

fn is_refused(object: &ImportedObject) -> bool {
    matches!(
        object.outcome,
        ImportOutcome::Conflict | ImportOutcome::Refused
    )
}

/// Imports a bundle with its cluster-scoped objects in the ledger: intent before, UID after.
pub(super) async fn import(
    bench: &Bench<'_>,
    session: &Session,
    bundle: &Bundle,
) -> Result<ImportReport, StepError> {
    let uid = session.cluster.uid();
    let crds: Vec<_> = bundle.crds.iter().map(definition).collect();
    for crd in &crds {
        bench.ledger.intend(uid, crd)?;
    }
    let report = session.call(session.agent.import(bundle, false).await)?;
    for crd in &crds {
        // A CRD that was there already may be of an earlier import of this run: its entry must stay.
        if let Some(created) = report.created_crds.get(&crd.name) {
            bench.ledger.created(uid, crd, created)?;
        }
    }
    Ok(report)
}

fn definition(crd: &Value) -> ObjectId {
    let name = crd.pointer("/metadata/name").and_then(Value::as_str);
    ObjectId::of_definition(name.unwrap_or_default())
}
