//! `portproof run`: one scenario, from its file to its reports.

use super::lab::kept_logs;
use super::live::Live;
use super::printer::Printer;
use super::{block_on, write_reports};
use crate::cluster::UpstreamAccess;
use crate::exit::Exit;
use crate::lab::build::cache_directory;
use crate::lab::{LabMaterial, image};
use crate::provider::existing::{self, AllowedContexts, Binding};
use crate::provider::{ImagePullPolicy, Resolved, lab};
use crate::report::ExitPolicy;
use crate::run::directory::DEFAULT_ROOT;
use crate::run::{RunEnd, RunError, RunRequest, upstream};
use crate::scenario::{ClusterSource, LabGateway, Scenario};
use crate::verify::Role;
use clap::Args;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

type Failure = Box<dyn Error + Send + Sync>;

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The scenario file.
    scenario: PathBuf,
    /// Directory that keeps runs: event log, ledger and reports of each.
    #[arg(
        long,
        default_value = DEFAULT_ROOT,
        env = "PORTPROOF_RUNS",
        value_name = "DIR"
    )]
    runs: PathBuf,
    /// The `agent-stack` program for the lab's image, when it is not beside this one.
    #[arg(long, value_name = "FILE")]
    agent_stack: Option<PathBuf>,
    /// Image of the stack for clusters outside the lab, tag included.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Kubeconfig context that may be used; may be repeated, and may end in `*`.
    #[arg(long = "allow-context", value_name = "CONTEXT")]
    allowed: Vec<String>,
    /// Fail on SHOULD checks too.
    #[arg(long)]
    fail_on_should: bool,
}

impl Run {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        match super::scenario::load(&self.scenario) {
            Ok(scenario) => self.run_scenario(scenario, printer),
            Err(error) => error.print(printer),
        }
    }

    fn run_scenario(self, scenario: Scenario, printer: &Printer) -> Exit {
        let made_ready = access(&scenario, printer)
            .and_then(|access| Ok((access, self.sources(&scenario, printer)?)));
        let (upstream, sources) = match made_ready {
            Ok(ready) => ready,
            Err(exit) => return exit,
        };
        let request = RunRequest {
            scenario,
            upstream,
            runs: self.runs,
            image: sources.image.clone(),
            policy: ExitPolicy {
                fail_on_should: self.fail_on_should,
            },
        };
        let listener = Box::new(Live::new(printer.clone()));
        match block_on(crate::run::run(
            request,
            listener,
            sources.resolve(printer.clone()),
        )) {
            Ok(Ok(end)) => report(&end, printer),
            Ok(Err(error)) => {
                printer.error(&error, hint(&error));
                Exit::Unexpected
            }
            Err(error) => {
                printer.error(&error, None);
                Exit::Unexpected
            }
        }
    }

    /// Sorts the clusters by where they come from and makes the image ready; nothing is started yet.
    fn sources(&self, scenario: &Scenario, printer: &Printer) -> Result<Sources, Exit> {
        let mut lab = BTreeMap::new();
        let mut bindings = Vec::new();
        for (role, source) in &scenario.clusters {
            match source {
                ClusterSource::Lab { gateway } => drop(lab.insert(role.clone(), *gateway)),
                ClusterSource::Existing {
                    kubeconfig,
                    context,
                    gateway_class,
                } => {
                    bindings.push(binding(role, kubeconfig.clone(), context, gateway_class));
                }
            }
        }
        // Told before anything is made for the run.
        let existing = self.existing(bindings, printer)?;
        let material = if lab.is_empty() {
            None
        } else {
            check_machine(&lab, printer)?;
            Some(self.material(printer)?)
        };
        let image = match (&material, &self.image) {
            (Some(material), None) => material.agent_stack.name.clone(),
            (_, Some(image)) => image.clone(),
            (None, None) => {
                let what = "the scenario uses clusters outside the lab, and no image of the stack is named";
                printer.failure(what, Some("make one with `portproof image build`, load or push it, and pass `--image`"));
                return Err(Exit::Usage);
            }
        };
        Ok(Sources {
            lab,
            existing,
            material,
            image,
        })
    }

    fn existing(&self, bindings: Vec<Binding>, printer: &Printer) -> Result<Vec<Resolved>, Exit> {
        let allowed = AllowedContexts::with(self.allowed.clone());
        let resolved = bindings
            .into_iter()
            .map(|binding| existing::resolve(binding, &allowed));
        resolved.collect::<Result<_, _>>().map_err(|error| {
            printer.error(&error, Some(&error.hint()));
            error.exit()
        })
    }

    fn material(&self, printer: &Printer) -> Result<LabMaterial, Exit> {
        let program = match &self.agent_stack {
            Some(program) => Ok(program.clone()),
            None => image::agent_stack::beside_this_program(),
        };
        program
            .map_err(Into::into)
            .and_then(|program| LabMaterial::build(&cache_directory(), &program, printer))
            .map_err(|error| {
                printer.error(&error, error.hint().as_deref());
                error.exit()
            })
    }
}

/// What lets the stack in at its model server; nothing is built for a run whose model could not be asked.
fn access(scenario: &Scenario, printer: &Printer) -> Result<UpstreamAccess, Exit> {
    upstream::read(scenario.stack.upstream.as_ref()).map_err(|error| {
        printer.error(&error, Some(error.hint()));
        Exit::Usage
    })
}

/// What stands in the way of a lab is told before anything is built for it.
fn check_machine(lab: &BTreeMap<Role, LabGateway>, printer: &Printer) -> Result<(), Exit> {
    match block_on(lab::check(lab)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            printer.error(&error, error.hint().as_deref());
            Err(error.exit())
        }
        Err(error) => {
            printer.error(&error, None);
            Err(Exit::Unexpected)
        }
    }
}

fn binding(
    role: &Role,
    kubeconfig: Option<PathBuf>,
    context: &str,
    gateway_class: &str,
) -> Binding {
    Binding {
        role: role.clone(),
        kubeconfig: kubeconfig.unwrap_or_else(own_kubeconfig),
        context: context.to_owned(),
        gateway_class: gateway_class.to_owned(),
        image_pull_policy: ImagePullPolicy::IfNotPresent,
    }
}

/// The kubeconfig a scenario means when it names none: `$KUBECONFIG`, or else the one in the home directory.
pub(super) fn own_kubeconfig() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    std::env::var_os("KUBECONFIG")
        .map(PathBuf::from)
        .or_else(home)
        .unwrap_or_default()
}

/// Where the clusters of a run come from.
struct Sources {
    lab: BTreeMap<Role, LabGateway>,
    existing: Vec<Resolved>,
    material: Option<LabMaterial>,
    image: String,
}

impl Sources {
    async fn resolve(self, printer: Printer) -> Result<Vec<Resolved>, Failure> {
        let mut resolved = self.existing;
        if let Some(material) = &self.material {
            resolved.extend(lab::resolve(&self.lab, material, &kept_logs(), &printer).await?);
        }
        Ok(resolved)
    }
}

/// What to do about a run that could not begin, where there is something to say.
const fn hint(error: &RunError) -> Option<&'static str> {
    match error {
        RunError::Directory(_) | RunError::Log(_) => {
            Some("`--runs DIR` or PORTPROOF_RUNS names a directory that you may write to")
        }
        RunError::Signals(_) => None,
    }
}

fn report(end: &RunEnd, printer: &Printer) -> Exit {
    match write_reports(&end.directory, &end.events, printer) {
        Ok(()) => end.exit,
        Err(error) => {
            printer.error(error.as_ref(), None);
            Exit::Unexpected
        }
    }
}
