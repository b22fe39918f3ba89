//! `portproof lab`: the embedded lab.

use super::block_on;
use super::lab_build::Build;
use super::lab_status;
use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::paths::LabPaths;
use crate::lab::spec::{GatewayKind, LabRequest, LabSpec};
use crate::lab::state::LabState;
use crate::lab::{LabBinaries, LabError};
use crate::verify::Role;
use clap::{Args, Subcommand};
use ipnet::Ipv4Net;
use std::path::PathBuf;

/// What to do with the lab.
#[derive(Debug, Subcommand)]
pub(super) enum LabCommand {
    /// Start the lab's clusters, or make sure that they run.
    Up(Up),
    /// Build the components of the lab, once.
    Build(Build),
    /// End the lab and remove everything it made.
    Down,
    /// Tell what runs, its memory and where its logs are.
    Status(StatusOf),
    /// Print the kubeconfig of a cluster.
    Kubeconfig(KubeconfigOf),
    /// Load an OCI image tar into every node.
    LoadImage(LoadImage),
}

impl LabCommand {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let paths = LabPaths::from_environment();
        let done = block_on(async {
            match self {
                Self::Build(build) => return Ok(build.run(printer)),
                Self::Up(up) => up.run(&paths, printer).await,
                Self::Down => crate::lab::down(&paths, printer).await,
                Self::Status(of) => of.run(&paths, printer).await,
                Self::Kubeconfig(of) => of.run(&paths, printer),
                Self::LoadImage(load) => load.run(&paths, printer).await,
            }?;
            Ok::<_, LabError>(Exit::Passed)
        });
        match done {
            Ok(Ok(exit)) => exit,
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
    #[arg(long, default_value = LabSpec::DEFAULT_SUBNET)]
    subnet: Ipv4Net,
    /// Prefix of link and cgroup names, for a second lab beside the usual one.
    #[arg(long, default_value = LabSpec::DEFAULT_NAME, hide = true)]
    name: String,
    /// Directory with component binaries, for developers of the lab.
    #[arg(long, hide = true)]
    bin_dir: PathBuf,
    /// OCI layout tar that every node gets; may be repeated.
    #[arg(long = "image", hide = true)]
    images: Vec<PathBuf>,
    /// Name of the sandbox image among `--image`.
    #[arg(long, hide = true, default_value = "docker.io/portproof/pause:1")]
    pause_image: String,
}

impl Up {
    async fn run(self, paths: &LabPaths, printer: &Printer) -> Result<(), LabError> {
        let request = LabRequest {
            name: self.name,
            subnet: self.subnet,
            clusters: self.clusters,
            gateways: self.gateway,
            nodes: self.nodes,
        };
        let binaries = LabBinaries {
            directory: self.bin_dir,
            images: self.images,
            pause_image: self.pause_image,
        };
        let state = crate::lab::up(&request, &binaries, paths, &kept_logs(), printer).await?;
        for cluster in &state.spec.clusters {
            printer.result(&paths.kubeconfig(&cluster.role).display().to_string());
        }
        Ok(())
    }
}

/// Where the logs of a start that failed are kept, in the user's cache.
fn kept_logs() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    cache
        .unwrap_or_else(std::env::temp_dir)
        .join("portproof/lab-logs")
        .join(now)
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
        let state = LabState::load(paths)?.ok_or_else(|| LabError::NotRunning {
            path: paths.root().to_owned(),
        })?;
        if state.spec.cluster(&self.role).is_none() {
            return Err(LabError::UnknownRole {
                role: self.role.clone(),
            });
        }
        let file = paths.kubeconfig(&self.role);
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

fn gateway_of(text: &str) -> Result<(Role, GatewayKind), String> {
    let (role, kind) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not of the form ROLE=GATEWAY"))?;
    let role = Role::new(role).map_err(|error| error.to_string())?;
    let kind: GatewayKind = kind.parse().map_err(|error: LabError| error.to_string())?;
    Ok((role, kind))
}
