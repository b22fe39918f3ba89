//! An import: the definition with the rights of the run itself, everything else by the control agent.

use super::{Bench, StepError};
use crate::cluster::{Carry, define};
use crate::run::session::Session;
use crate::verify::evidence::{ImportOutcome, ImportedObject};
use portproof_proto::bundle::Bundle;

/// Imports a bundle and says what became of each object, definitions first. With a dry run nothing is changed.
pub(super) async fn import(
    bench: &Bench<'_>,
    session: &Session,
    bundle: &Bundle,
    carry: Carry,
) -> Result<Vec<ImportedObject>, StepError> {
    let run = bench.plan.run.as_str();
    let mut defined = Vec::new();
    for crd in &bundle.crds {
        defined.push(define(&session.cluster, bench.ledger, run, crd, carry).await?);
    }
    let dry_run = carry == Carry::DryRun;
    let seen = session.call(session.agent.import(bundle, dry_run).await)?;
    Ok(both(&defined, seen))
}

/// Puts together what the run did and what the agent saw.
fn both(defined: &[ImportedObject], seen: Vec<ImportedObject>) -> Vec<ImportedObject> {
    let with_the_run = |theirs: ImportedObject| {
        let ours = defined.iter().find(|ours| ours.object == theirs.object);
        ours.map_or_else(|| theirs.clone(), |ours| settled(ours, &theirs))
    };
    seen.into_iter().map(with_the_run).collect()
}

/// What became of a definition: the agent only looks, so the run knows what was sent. But where the agent finds something
/// else in the cluster than the run left there, or finds it unusable, that counts.
fn settled(ours: &ImportedObject, theirs: &ImportedObject) -> ImportedObject {
    let agrees = match (ours.outcome, theirs.outcome) {
        (_, ImportOutcome::NotTried) | (ImportOutcome::Refused, _) => true,
        _ => ours.admitted == theirs.admitted,
    };
    if agrees { ours } else { theirs }.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portproof_proto::canonical::Digest;
    use std::slice;

    fn seen(object: &str, outcome: ImportOutcome, admitted: &str) -> ImportedObject {
        ImportedObject {
            object: object.to_owned(),
            outcome,
            reason: String::new(),
            source: None,
            request: None,
            admitted: (!admitted.is_empty()).then(|| Digest::from(admitted.to_owned())),
        }
    }

    /// What became of a definition that the run created and of which the agent says this.
    fn created_and(theirs: ImportOutcome, admitted: &str) -> ImportOutcome {
        let ours = seen("CRD/t", ImportOutcome::Created, "d");
        both(&[ours], vec![seen("CRD/t", theirs, admitted)])[0].outcome
    }

    #[test]
    fn a_definition_was_created_by_the_run_although_the_agent_finds_it_there() {
        let outcome = created_and(ImportOutcome::Present, "d");
        assert_eq!(outcome, ImportOutcome::Created);
    }

    #[test]
    fn what_admission_made_of_it_is_the_runs_to_tell() {
        let outcome = created_and(ImportOutcome::Conflict, "d");
        assert_eq!(outcome, ImportOutcome::Created);
    }

    #[test]
    fn a_definition_that_the_agent_finds_changed_or_unusable_is_not_as_the_run_left_it() {
        for (theirs, admitted) in [
            (ImportOutcome::Conflict, "other"),
            (ImportOutcome::Refused, ""),
        ] {
            assert_eq!(created_and(theirs, admitted), theirs);
        }
    }

    #[test]
    fn why_the_run_did_not_create_it_is_better_told_than_that_it_is_not_there() {
        let mut ours = seen("CRD/t", ImportOutcome::Refused, "");
        ours.reason = "spec.names: invalid".into();
        let theirs = seen("CRD/t", ImportOutcome::Refused, "");
        assert_eq!(both(slice::from_ref(&ours), vec![theirs]), [ours]);
    }

    #[test]
    fn a_dry_run_of_the_definition_counts_although_the_agent_cannot_try_it() {
        let outcome = created_and(ImportOutcome::NotTried, "");
        assert_eq!(outcome, ImportOutcome::Created);
    }

    #[test]
    fn objects_are_the_agents_to_tell() {
        let ours = seen("CRD/t", ImportOutcome::Created, "d");
        let tool = seen("Tool/t", ImportOutcome::Created, "e");
        let objects = both(
            slice::from_ref(&ours),
            vec![seen("CRD/t", ImportOutcome::Present, "d"), tool.clone()],
        );
        assert_eq!(objects, [ours, tool]);
    }
}
