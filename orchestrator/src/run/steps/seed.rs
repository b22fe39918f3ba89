//! `seed`: puts the fixtures of the scenario into a cluster, the way a user's own Tools would be there.

use super::export::export;
use super::import::import;
use super::{Bench, StepError};
use crate::cluster::Carry;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::transfer;
use crate::verify::Role;
use crate::verify::evidence::{ImportOutcome, ImportedObject};
use portproof_proto::bundle::Bundle;

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
    let objects = import(bench, session, bundle, Carry::Real).await?;
    match objects.iter().find(|object| is_refused(object)) {
        None => {
            bench.note(&session.role, format!("{} objects seeded", objects.len()));
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
