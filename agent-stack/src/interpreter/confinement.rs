//! `GET /v1/confinement`: what holds a program here, and what does not.

use super::limits::Limits;
use super::report::{Confinement, Layer};
use super::settings::Settings;
use serde::{Deserialize, Serialize};

/// The first version of Landlock that keeps signals and abstract sockets within the program.
const SCOPES: u32 = 6;

/// Answer to `GET /v1/confinement`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfinementAnswer {
    /// What confines a program beyond its pod, found out by running one.
    pub confinement: Confinement,
    /// Whether nothing runs unless all of it holds.
    pub required: bool,
    /// What a program may use that asks for nothing.
    pub default_limits: Limits,
    /// What a program may use at most.
    pub largest_limits: Limits,
    /// Programs that run at the same time.
    pub concurrency: usize,
    /// Programs that may wait.
    pub queue: usize,
    /// What the limits and layers do not do here.
    pub caveats: Vec<String>,
}

/// The answer where programs are confined like this.
pub(super) fn describe_confinement(
    confinement: Confinement,
    settings: &Settings,
) -> ConfinementAnswer {
    ConfinementAnswer {
        confinement,
        required: settings.require_confinement,
        default_limits: settings.limits.default_limits(),
        largest_limits: settings.limits.most(),
        concurrency: settings.concurrency,
        queue: settings.queue,
        caveats: caveats(confinement, settings)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

/// Told in any case: how far the limits reach.
const ALWAYS: [&str; 3] = [
    "processes, disk and memory of a run together are counted every 25 ms: a run can exceed them for that long",
    "RLIMIT_NPROC counts what the user has on the whole node and never stops root; the count of a run is its supervisor's",
    "memory beyond the limit of the pod's cgroup is the kernel's to end, and it may end the whole pod",
];
const NO_LANDLOCK: &str = "without Landlock a program reads what the interpreter's user reads, and writes wherever the pod is \
     writable; programs that run at the same time can read each other's files";
const NO_SCOPES: &str = "below Landlock ABI 6 a program can signal programs that run at the same time, and reach their abstract sockets";
const NO_SECCOMP: &str = "without seccomp a program can leave its session, and System V memory and message queues outlive it";
const NOT_WIPED: &str =
    "without Landlock only workspaces are wiped, because no directory was named with --wipe";

fn caveats(confinement: Confinement, settings: &Settings) -> Vec<&'static str> {
    let files = confinement.landlock != Layer::Unsupported;
    let conditional = [
        (!files, NO_LANDLOCK),
        (confinement.landlock_abi < SCOPES, NO_SCOPES),
        (confinement.seccomp != Layer::Enforced, NO_SECCOMP),
        (!files && settings.wiped.is_empty(), NOT_WIPED),
    ];
    let told = conditional.into_iter().filter(|(holds, _)| *holds);
    ALWAYS
        .into_iter()
        .chain(told.map(|(_, text)| text))
        .collect()
}

/// Says once in the log what confines programs here.
pub(super) fn log(confinement: Confinement) {
    let landlock = confinement.landlock.name();
    let seccomp = confinement.seccomp.name();
    let landlock_abi = confinement.landlock_abi;
    let no_new_privs = confinement.no_new_privs;
    if confinement.is_complete() {
        tracing::info!(
            landlock,
            landlock_abi,
            seccomp,
            no_new_privs,
            "programs are confined"
        );
    } else {
        tracing::warn!(
            landlock,
            landlock_abi,
            seccomp,
            no_new_privs,
            "this kernel does not confine programs in every way; GET /v1/confinement says what that means"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn told(landlock: Layer, landlock_abi: u32, seccomp: Layer) -> Vec<&'static str> {
        let settings = Settings::new(PathBuf::from("agent-stack"), PathBuf::from("python3"));
        let confinement = Confinement {
            landlock,
            landlock_abi,
            seccomp,
            no_new_privs: true,
        };
        caveats(confinement, &settings)
    }

    #[test]
    fn what_is_missing_is_said() {
        let complete = told(Layer::Enforced, 6, Layer::Enforced);
        assert_eq!(complete, ALWAYS);
        let older = told(Layer::Partial, 3, Layer::Enforced);
        assert_eq!(older[ALWAYS.len()..], [NO_SCOPES]);
        let nothing = told(Layer::Unsupported, 0, Layer::Unsupported);
        assert_eq!(
            nothing[ALWAYS.len()..],
            [NO_LANDLOCK, NO_SCOPES, NO_SECCOMP, NOT_WIPED]
        );
    }
}
