//! `sandbox/runtime`: on which kernel untrusted code really runs.
//!
//! A RuntimeClass is a wish; what counts is what the pod sees. The interpreter's kernel is compared with that of a control
//! pod on the same node: the same release, version and boot id are one shared kernel. A different one is believed to be
//! gVisor's only on two marks that do not depend on each other. Release numbers are not matched: gVisor changes them.

use super::catalogue::{RUNTIME, failed, inconclusive};
use super::evidence::{KernelFingerprint, RuntimeEvidence};
use super::measure::list;
use super::{CheckResult, Fact, Verdict};
use serde_json::json;

/// Marks that must agree before a kernel is called gVisor's.
const MARKS_NEEDED: usize = 2;
/// The build line that every gVisor release up to now shows in `uname -v`.
const GVISOR_VERSION: &str = "#1 SMP Sun Jan 10 15:06:54 PST 2016";

/// Passes when the interpreter stands on gVisor's kernel; fails when it stands on the node's. A kernel that is neither
/// needs a person to attest what it is.
pub fn runtime(evidence: &RuntimeEvidence) -> CheckResult {
    match (&evidence.sandbox, &evidence.control) {
        (Ok(sandbox), Ok(control)) => {
            let node = evidence.node_kernel.as_deref();
            RUNTIME.decided(
                judge(sandbox, control, node),
                facts(sandbox, control, node),
                json!({"sandbox": sandbox, "control": control, "nodeKernel": node.ok()}),
            )
        }
        (Err(error), _) => RUNTIME.error(format!(
            "the kernel of the interpreter's pod could not be read: {error}"
        )),
        (_, Err(error)) => RUNTIME.error(format!(
            "the kernel of the control pod could not be read: {error}"
        )),
    }
}

/// What the API server says of the node's kernel, or why it does not.
type NodeKernel<'a> = Result<&'a str, &'a String>;

fn judge(
    sandbox: &KernelFingerprint,
    control: &KernelFingerprint,
    node: NodeKernel<'_>,
) -> Verdict {
    if let Some(gap) = gap(sandbox, control, node) {
        return inconclusive(gap);
    }
    if identity(sandbox) == identity(control) {
        return failed(format!(
            "the interpreter runs on the node's kernel: release {}, version and boot id are those of the control pod",
            sandbox.release
        ));
    }
    let marks = gvisor_marks(sandbox, control);
    if sandbox.boot_id == control.boot_id || marks.len() < MARKS_NEEDED {
        return inconclusive(format!(
            "the interpreter's kernel {} is not proven to be another one than the node's {}: marks of gVisor: {}",
            sandbox.release,
            control.release,
            if marks.is_empty() {
                "none".to_owned()
            } else {
                list(&marks, 6)
            }
        ));
    }
    Verdict::Passed
}

/// What keeps the two fingerprints from being comparable.
fn gap(
    sandbox: &KernelFingerprint,
    control: &KernelFingerprint,
    node: NodeKernel<'_>,
) -> Option<String> {
    if sandbox.node.is_empty() || sandbox.node != control.node {
        return Some(format!(
            "the control pod runs on node `{}`, the interpreter on `{}`",
            control.node, sandbox.node
        ));
    }
    if !sandbox.pod.is_empty() && sandbox.pod == control.pod {
        return Some(format!("the pod {} was compared with itself", control.pod));
    }
    if control.sentry_meminfo {
        return Some("the control pod stands on gVisor's kernel: it is no control".to_owned());
    }
    let unread = [("interpreter", sandbox), ("control pod", control)]
        .into_iter()
        .find(|(_, side)| identity(side).into_iter().any(str::is_empty));
    if let Some((side, _)) = unread {
        return Some(format!(
            "release, version or boot id of the {side} could not be read"
        ));
    }
    match node {
        Ok(kernel) if kernel == control.release => None,
        Ok(kernel) => Some(format!(
            "the control pod sees kernel {}, the node says {kernel}: it is no control",
            control.release
        )),
        Err(error) => Some(format!(
            "nothing shows that the control pod stands on the kernel of node {}, which could not be asked: {error}",
            control.node
        )),
    }
}

fn identity(kernel: &KernelFingerprint) -> [&str; 3] {
    [&kernel.release, &kernel.version, &kernel.boot_id]
}

/// Independent marks of gVisor: a file only its kernel has, its own build line, its boot messages, and symbols that the
/// node's kernel shows and it does not.
fn gvisor_marks(sandbox: &KernelFingerprint, control: &KernelFingerprint) -> Vec<&'static str> {
    let named = sandbox.version == GVISOR_VERSION || sandbox.release.contains("gvisor");
    [
        (
            sandbox.sentry_meminfo && !control.sentry_meminfo,
            "/proc/sentry-meminfo is there",
        ),
        (
            named && identity(sandbox)[..2] != identity(control)[..2],
            "uname shows gVisor's build",
        ),
        (
            sandbox.kernel_log.contains("Starting gVisor"),
            "the kernel log starts with gVisor's messages",
        ),
        (
            !sandbox.kallsyms && control.kallsyms,
            "/proc/kallsyms is missing, the control pod has it",
        ),
    ]
    .into_iter()
    .filter_map(|(seen, mark)| seen.then_some(mark))
    .collect()
}

fn facts(
    sandbox: &KernelFingerprint,
    control: &KernelFingerprint,
    node: NodeKernel<'_>,
) -> Vec<Fact> {
    let class = if sandbox.runtime_class.is_empty() {
        "none"
    } else {
        &sandbox.runtime_class
    };
    let kernel = |side: &KernelFingerprint| {
        format!("{} {} (boot {})", side.release, side.version, side.boot_id)
    };
    vec![
        Fact::new("kernel of the interpreter", kernel(sandbox)),
        Fact::new("kernel of the control pod", kernel(control)),
        Fact::new("kernel of the node", node.unwrap_or("not known")),
        Fact::new("node of both", &sandbox.node),
        Fact::new("marks of gVisor", list(&gvisor_marks(sandbox, control), 6)),
        Fact::new("RuntimeClass (not evidence)", class),
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const NODE_KERNEL: &str = "6.18.5";

    pub(crate) fn control() -> KernelFingerprint {
        KernelFingerprint {
            pod: "probe-control-1".into(),
            node: "a-1".into(),
            release: NODE_KERNEL.into(),
            version: "#1 SMP PREEMPT_DYNAMIC".into(),
            boot_id: "9f1c".into(),
            proc_version: "Linux version 6.18.5".into(),
            sentry_meminfo: false,
            kallsyms: true,
            kernel_log: String::new(),
            runtime_class: String::new(),
        }
    }

    pub(crate) fn gvisor() -> KernelFingerprint {
        KernelFingerprint {
            pod: "interpreter-1".into(),
            release: "4.19.0-gvisor".into(),
            version: GVISOR_VERSION.into(),
            boot_id: "77aa".into(),
            sentry_meminfo: true,
            kallsyms: false,
            kernel_log: "[   0.000000] Starting gVisor...".into(),
            runtime_class: "gvisor".into(),
            ..control()
        }
    }

    fn word(sandbox: KernelFingerprint, control: KernelFingerprint) -> &'static str {
        runtime(&RuntimeEvidence {
            sandbox: Ok(sandbox),
            control: Ok(control),
            node_kernel: Ok(NODE_KERNEL.to_owned()),
        })
        .verdict
        .word()
    }

    #[test]
    fn gvisor_passes() {
        assert_eq!(word(gvisor(), control()), "passed");
    }

    #[test]
    fn an_older_release_number_passes_too() {
        assert_eq!(
            word(
                KernelFingerprint {
                    release: "4.4.0".into(),
                    ..gvisor()
                },
                control()
            ),
            "passed"
        );
    }

    #[test]
    fn the_nodes_kernel_fails_whatever_the_runtime_class_is_called() {
        let runc = KernelFingerprint {
            pod: "interpreter-1".into(),
            runtime_class: "gvisor".into(),
            ..control()
        };
        assert_eq!(word(runc, control()), "failed");
    }

    #[test]
    fn any_two_marks_are_enough_and_one_is_not() {
        let without = |mark: usize, kernel: &mut KernelFingerprint| match mark {
            0 => kernel.sentry_meminfo = false,
            1 => (kernel.version, kernel.release) = ("#2".into(), "5.0.0".into()),
            2 => kernel.kernel_log.clear(),
            _ => kernel.kallsyms = true,
        };
        for one in 0..4 {
            for other in (0..4).filter(|other| *other != one) {
                let mut kernel = gvisor();
                without(one, &mut kernel);
                without(other, &mut kernel);
                assert_eq!(
                    word(kernel.clone(), control()),
                    "passed",
                    "without {one} and {other}"
                );
                let third = (0..4).find(|mark| ![one, other].contains(mark)).unwrap();
                without(third, &mut kernel);
                assert_eq!(
                    word(kernel, control()),
                    "inconclusive",
                    "without {one}, {other} and {third}"
                );
            }
        }
    }

    #[test]
    fn another_kernel_of_unknown_kind_needs_a_person() {
        let guest = KernelFingerprint {
            pod: "interpreter-1".into(),
            release: "6.1.62".into(),
            boot_id: "b2".into(),
            ..control()
        };
        assert_eq!(word(guest, control()), "inconclusive");
    }

    #[test]
    fn a_boot_id_shared_with_the_node_is_never_a_pass() {
        assert_eq!(
            word(
                KernelFingerprint {
                    boot_id: "9f1c".into(),
                    ..gvisor()
                },
                control()
            ),
            "inconclusive"
        );
    }

    #[test]
    fn a_control_on_another_node_is_no_control() {
        assert_eq!(
            word(
                gvisor(),
                KernelFingerprint {
                    node: "a-2".into(),
                    ..control()
                }
            ),
            "inconclusive"
        );
    }

    #[test]
    fn a_control_that_does_not_stand_on_the_nodes_kernel_is_no_control() {
        assert_eq!(
            word(
                gvisor(),
                KernelFingerprint {
                    release: "4.4.0".into(),
                    ..control()
                }
            ),
            "inconclusive"
        );
    }

    #[test]
    fn a_node_that_could_not_be_asked_leaves_the_control_without_proof() {
        for sandbox in [gvisor(), control()] {
            let evidence = RuntimeEvidence {
                sandbox: Ok(KernelFingerprint {
                    pod: "interpreter-1".into(),
                    ..sandbox
                }),
                control: Ok(control()),
                node_kernel: Err("nodes are forbidden".to_owned()),
            };
            let verdict = runtime(&evidence).verdict;
            assert_eq!(verdict.word(), "inconclusive");
            assert!(format!("{verdict:?}").contains("nodes are forbidden"));
        }
    }

    #[test]
    fn what_could_not_be_read_is_no_evidence() {
        assert_eq!(
            word(
                KernelFingerprint {
                    boot_id: String::new(),
                    ..gvisor()
                },
                control()
            ),
            "inconclusive"
        );
        for evidence in [
            RuntimeEvidence {
                sandbox: Err("gone".into()),
                control: Ok(control()),
                node_kernel: Ok(NODE_KERNEL.into()),
            },
            RuntimeEvidence {
                sandbox: Ok(gvisor()),
                control: Err("gone".into()),
                node_kernel: Ok(NODE_KERNEL.into()),
            },
        ] {
            assert_eq!(runtime(&evidence).verdict.word(), "error");
        }
    }
}
