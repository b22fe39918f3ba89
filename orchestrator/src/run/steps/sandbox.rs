//! `sandbox`: which kernel untrusted code stands on.

use super::{Bench, StepError};
use crate::run::session::Session;
use crate::verify::Role;
use crate::verify::sandbox::runtime;

pub(super) async fn run(bench: &Bench<'_>, roles: &[Role]) -> Result<(), StepError> {
    bench.each(roles, |session| compare(bench, session)).await?;
    Ok(())
}

async fn compare(bench: &Bench<'_>, session: &Session) -> Result<(), StepError> {
    let evidence = session.call(session.agent.fingerprints().await)?;
    bench.verdict(runtime(&evidence).on(&session.role));
    Ok(())
}
