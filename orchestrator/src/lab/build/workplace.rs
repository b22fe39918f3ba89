//! A place to build one component in, thrown away afterwards.

use super::catalog::ModuleFile;
use super::components::Built;
use super::plan::Part;
use super::toolchain::Toolchain;
use super::{BuildError, shell, shell::Log};
use std::path::{Path, PathBuf};

/// Names of workplaces begin with it; one that is found belongs to a build that was interrupted.
pub(super) const PREFIX: &str = ".work-";

/// Environment of a command.
pub(super) type Variables = Vec<(&'static str, String)>;

/// A place to build one component in.
#[derive(Debug)]
pub(super) struct Workplace {
    root: tempfile::TempDir,
    /// The pinning module, written out.
    pub(super) module: PathBuf,
    /// What will be the component's directory.
    out: PathBuf,
    /// Environment of every Go command.
    pub(super) environment: Variables,
    /// Where all output goes.
    pub(super) log: Log,
}

impl Workplace {
    /// Prepares a place below `directory`; `log` is where the output goes.
    pub(super) fn new(
        part: &Part,
        directory: &Path,
        log: Log,
        environment: Variables,
    ) -> Result<Self, BuildError> {
        let root = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(directory)?;
        let (module, out) = (root.path().join("module"), root.path().join("out"));
        write_module(part.component.module(), &module)?;
        fs_err::create_dir_all(&out)?;
        Ok(Self {
            root,
            module,
            out,
            environment,
            log,
        })
    }

    /// A path below the workplace that is thrown away with it.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The directory for programs of the component.
    pub(super) fn bin(&self) -> PathBuf {
        self.out.join("bin")
    }

    /// The directory for manifests of the component.
    pub(super) fn manifests(&self) -> PathBuf {
        self.out.join("manifests")
    }

    /// Gives a finished component its name; it appears whole or not at all.
    pub(super) fn publish(self, part: &Part, toolchain: &Toolchain) -> Result<(), BuildError> {
        for program in part.component.programs() {
            self.finish(part, program)?;
        }
        let description = Built {
            name: part.component.name.to_owned(),
            version: part.component.version.to_owned(),
            digest: part.digest.clone(),
            go: toolchain.version.clone(),
            changed: part.patch.map(|patch| patch.reason.to_owned()),
            directory: part.directory.clone(),
        };
        description.write(&self.out)?;
        fs_err::rename(&self.out, &part.directory)?;
        Ok(())
    }

    fn finish(&self, part: &Part, program: &str) -> Result<(), BuildError> {
        let path = self.bin().join(program);
        if path.is_file() {
            return shell::set_mode(&path, 0o755);
        }
        Err(BuildError::NoResult {
            component: part.component.name.to_owned(),
            what: program.to_owned(),
        })
    }
}

fn write_module(files: &[ModuleFile], directory: &Path) -> Result<(), BuildError> {
    fs_err::create_dir_all(directory)?;
    for (name, text) in files {
        let path = directory.join(name);
        fs_err::create_dir_all(path.parent().unwrap_or(directory))?;
        fs_err::write(path, text)?;
    }
    Ok(())
}
