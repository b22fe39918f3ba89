//! `carry`: exports from one cluster, imports into another, and looks at what the other then holds.

use super::export::export;
use super::import::import;
use super::{Bench, StepError};
use crate::cluster::Carry;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::scenario::Fault;
use crate::transfer;
use crate::verify::Role;
use crate::verify::evidence::CarryEvidence;
use crate::verify::portability;
use portproof_proto::bundle::Bundle;

pub(super) async fn run(
    bench: &Bench<'_>,
    from: &Role,
    to: &Role,
    carried: &mut Carried,
) -> Result<(), StepError> {
    let (from, to) = (bench.session(from)?, bench.session(to)?);
    let source = export(bench, from).await?;
    let on_the_way = in_transit(bench, to, source.clone());
    let rehearsed = import(bench, to, &on_the_way, Carry::DryRun).await?;
    bench.note(
        &to.role,
        format!(
            "dry run of {} objects: nothing was changed",
            rehearsed.len()
        ),
    );
    let imported = import(bench, to, &on_the_way, Carry::Real).await?;
    bench.note(&to.role, format!("{} objects imported", imported.len()));
    let target = export(bench, to).await?;
    let evidence = CarryEvidence {
        source: source.clone(),
        target,
        imported,
    };
    bench.verdict(portability::import_identical(&evidence).on(&to.role));
    carried.source = Some(source);
    Ok(())
}

fn in_transit(bench: &Bench<'_>, to: &Session, mut bundle: Bundle) -> Bundle {
    if bench.plan.has_fault(Fault::ToolChangedInTransit, &to.role)
        && let Some(tool) = transfer::change_a_tool(&mut bundle)
    {
        bench.note(
            &to.role,
            format!("on purpose: Tool {tool} was changed on the way"),
        );
    }
    bundle
}
