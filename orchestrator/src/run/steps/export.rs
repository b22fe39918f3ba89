//! An export that waits for the tool gateway.

use super::{Bench, StepError};
use crate::run::session::Session;
use portproof_proto::bundle::Bundle;
use std::time::{Duration, Instant};

/// How long the tool gateway may take to serve what was stored.
const SETTLE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);

/// Exports once the tool gateway serves as many tools as there are Tool objects: it learns of new ones by a watch. What
/// it still does not serve by then is evidence, so the last export counts whatever it holds.
pub(super) async fn export(bench: &Bench<'_>, session: &Session) -> Result<Bundle, StepError> {
    let began = Instant::now();
    loop {
        let bundle = session.call(session.agent.export("").await)?;
        if served(&bundle) >= stored(&bundle) || began.elapsed() > SETTLE {
            let digest = session.call(bundle.digest().map_err(Into::into))?;
            let (objects, tools) = (bundle.objects.len(), served(&bundle));
            bench.note(
                &session.role,
                format!(
                    "exported {objects} objects and {tools} tool descriptors, {}",
                    digest.short()
                ),
            );
            return Ok(bundle);
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn served(bundle: &Bundle) -> usize {
    bundle
        .descriptors
        .iter()
        .map(|descriptor| descriptor.tools.len())
        .sum()
}

fn stored(bundle: &Bundle) -> usize {
    bundle
        .objects
        .iter()
        .filter(|object| object["kind"] == "Tool")
        .count()
}
