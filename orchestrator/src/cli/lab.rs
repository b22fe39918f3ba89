//! `portproof lab`: the embedded lab.

use super::block_on;
use super::lab_kubectl::Kubectl;
use super::lab_status;
use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::build::cache_directory;
use crate::lab::paths::LabPaths;
use crate::lab::spec::{GatewayKind, LabRequest, LabSpec};
use crate::lab::state::LabState;
use crate::lab::{Extent, LabError, LabMaterial, RaiseError, image, raise};
use crate::verify::Role;
use clap::{Args, Subcommand};
use ipnet::Ipv4Net;
use std::path::PathBuf;
use std::time::Duration;

/// What to do with the lab.
#[derive(Debug, Subcommand)]
pub(super) enum LabCommand {
    /// Build the components and images of the lab, where they are not built yet.
    Build(Build),
    /// Start the lab's clusters, or make sure that they run.
    Up(Up),
    /// End the lab and remove everything it made.
    Down,
    /// Tell what runs, its memory and where its logs are.
    Status(StatusOf),
    /// Print the kubeconfig of a cluster.
    Kubeconfig(KubeconfigOf),
    /// Run kubectl against a cluster of the lab: `portproof lab kubectl a get pods -A`.
    Kubectl(Kubectl),
    /// Load an OCI image tar into every node.
    LoadImage(LoadImage),
}

impl LabCommand {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let paths = LabPaths::from_environment();
        let done = block_on(async {
            match self {
                Self::Build(build) => build.run(printer),
                Self::Up(up) => up.run(&paths, printer).await,
                Self::Down => Ok(crate::lab::down(&paths, printer).await?),
                Self::Status(of) => Ok(of.run(&paths, printer).await?),
                Self::Kubeconfig(of) => Ok(of.run(&paths, printer)?),
                Self::Kubectl(kubectl) => kubectl.run(&paths),
                Self::LoadImage(load) => Ok(load.run(&paths, printer).await?),
            }
        });
        match done {
            Ok(Ok(())) => Exit::Passed,
            Ok(Err(error)) => {
                printer.error(&error, error.hint().as_deref());
                error.exit()
            }
            Err(error) => {
                printer.error(&error, None);
                Exit::Unexpected
            }
        }
    }
}

/// Options of `lab up`.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// Roles of the clusters, `a` to `i`.
    #[arg(long, value_delimiter = ',', default_value = "a,b", value_parser = Role::new)]
    clusters: Vec<Role>,
    /// Gateway API implementations, such as `a=traefik,b=envoy`.
    #[arg(long, value_delimiter = ',', value_parser = gateway_of)]
    gateway: Vec<(Role, GatewayKind)>,
    /// Nodes of each cluster.
    #[arg(long, default_value_t = 1)]
    nodes: u8,
    /// A free IPv4 /24 for the nodes.
    #[arg(long, default_value = LabSpec::DEFAULT_SUBNET, value_parser = subnet_of)]
    subnet: Ipv4Net,
    /// Prefix of link and cgroup names, for a second lab beside the usual one.
    #[arg(long, default_value = LabSpec::DEFAULT_NAME, hide = true)]
    name: String,
    /// Only the bare clusters: no DNS, no Gateway API.
    #[arg(long)]
    bare: bool,
    #[command(flatten)]
    material: Build,
}

/// Options of `lab build`.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The `agent-stack` program, when it is not beside this one.
    #[arg(long, value_name = "FILE")]
    agent_stack: Option<PathBuf>,
}

impl Build {
    fn run(&self, printer: &Printer) -> Result<(), RaiseError> {
        let material = self.material(printer)?;
        printer.result(&material.agent_stack.name);
        Ok(())
    }

    fn material(&self, printer: &Printer) -> Result<LabMaterial, RaiseError> {
        let program = match &self.agent_stack {
            Some(program) => program.clone(),
            None => image::agent_stack::beside_this_program()?,
        };
        LabMaterial::build(&cache_directory(), &program, printer)
    }
}

impl Up {
    async fn run(self, paths: &LabPaths, printer: &Printer) -> Result<(), RaiseError> {
        let request = LabRequest {
            name: self.name,
            subnet: self.subnet,
            clusters: self.clusters,
            gateways: self.gateway,
            nodes: self.nodes,
        };
        // Building takes long; what stands in the way of a lab is told before.
        crate::lab::check(&request, paths).await?;
        let material = self.material.material(printer)?;
        let extent = if self.bare {
            Extent::Bare
        } else {
            Extent::Furnished {
                seen_within: Duration::ZERO,
            }
        };
        let state = raise(&request, extent, &material, paths, &kept_logs(), printer).await?;
        for cluster in &state.spec.clusters {
            printer.result(&paths.kubeconfig(&cluster.role).display().to_string());
        }
        Ok(())
    }
}

/// Where the logs of a start that failed are kept.
pub(super) fn kept_logs() -> PathBuf {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    cache_directory().join("lab-logs").join(now)
}

/// Options of `lab status`.
#[derive(Debug, Args)]
pub(super) struct StatusOf {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl StatusOf {
    async fn run(&self, paths: &LabPaths, printer: &Printer) -> Result<(), LabError> {
        let status = crate::lab::status(paths).await?;
        if self.json {
            printer.json(&status);
        } else {
            printer.result(&lab_status::render(&status));
        }
        Ok(())
    }
}

/// Options of `lab load-image`.
#[derive(Debug, Args)]
pub(super) struct LoadImage {
    /// The image, an OCI layout or `docker save` tar.
    tar: PathBuf,
}

impl LoadImage {
    async fn run(&self, paths: &LabPaths, printer: &Printer) -> Result<(), LabError> {
        let nodes = crate::lab::load_image(&self.tar, paths).await?;
        printer.result(&format!("loaded into {}", nodes.join(", ")));
        Ok(())
    }
}

/// Options of `lab kubeconfig`.
#[derive(Debug, Args)]
pub(super) struct KubeconfigOf {
    /// Role of the cluster.
    #[arg(value_parser = Role::new)]
    role: Role,
    /// Print the path of the file instead.
    #[arg(long)]
    path: bool,
}

impl KubeconfigOf {
    fn run(&self, paths: &LabPaths, printer: &Printer) -> Result<(), LabError> {
        let file = kubeconfig(paths, &self.role)?;
        if self.path {
            printer.result(&file.display().to_string());
            return Ok(());
        }
        let text = std::fs::read_to_string(&file).map_err(|source| LabError::Io {
            action: "cannot read",
            path: file,
            source,
        })?;
        printer.result(&text);
        Ok(())
    }
}

/// The kubeconfig of a cluster that the running lab has.
pub(super) fn kubeconfig(paths: &LabPaths, role: &Role) -> Result<PathBuf, LabError> {
    let state = LabState::load(paths)?.ok_or_else(|| LabError::NotRunning {
        path: paths.root().to_owned(),
    })?;
    match state.spec.cluster(role) {
        Some(_) => Ok(paths.kubeconfig(role)),
        None => Err(LabError::UnknownRole { role: role.clone() }),
    }
}

fn subnet_of(text: &str) -> Result<Ipv4Net, String> {
    text.parse()
        .map_err(|_| format!("write an IPv4 network such as {}", LabSpec::DEFAULT_SUBNET))
}

fn gateway_of(text: &str) -> Result<(Role, GatewayKind), String> {
    let (role, kind) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not of the form ROLE=GATEWAY"))?;
    let role = Role::new(role).map_err(|error| error.to_string())?;
    let kind: GatewayKind = kind.parse().map_err(|error: LabError| error.to_string())?;
    Ok((role, kind))
}
