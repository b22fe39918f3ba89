//! Landlock: the program reads the Python runtime and its libraries and writes its workspace, nothing else.

use crate::interpreter::report::{Layer, Order};
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

/// The newest version whose rules are used: the first that keeps signals and abstract sockets within the program.
const WANTED: ABI = ABI::V6;
/// Loaders of dynamic executables: executing a program executes its loader.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];
/// Devices without a memory.
const DEVICES: [&str; 4] = ["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
const NULL: &str = "/dev/null";

/// What became of it.
pub(super) struct Confined {
    pub(super) layer: Layer,
    pub(super) abi: u32,
}

/// Restricts this process, as far as the kernel can.
pub(super) fn confine(order: &Order) -> Result<Confined, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .add_rules(path_beneath_rules(&order.readable, reading()))?
        .add_rules(path_beneath_rules(LOADERS, running()))?
        .add_rules(path_beneath_rules([&order.python], running()))?
        .add_rules(path_beneath_rules(DEVICES, reading()))?
        .add_rules(path_beneath_rules([NULL], reading() | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules([&order.workspace], working()))?
        .restrict_self()?;
    Ok(judge(&status))
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

fn running() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::Execute
}

/// Everything but executing: what was written must not run.
fn working() -> BitFlags<AccessFs> {
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    AccessFs::from_all(WANTED) & !(devices | AccessFs::Execute)
}

fn judge(status: &RestrictionStatus) -> Confined {
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    let layer = match status.ruleset {
        RulesetStatus::FullyEnforced => Layer::Enforced,
        RulesetStatus::PartiallyEnforced => Layer::Partial,
        RulesetStatus::NotEnforced => Layer::Unsupported,
    };
    Confined { layer, abi }
}
