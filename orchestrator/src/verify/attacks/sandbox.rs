use crate::verify::evidence::{KernelFingerprint, RuntimeEvidence};
use crate::verify::sandbox::runtime;
use crate::verify::sandbox::tests::{control, gvisor};

/// The verdict where the node reports whatever kernel the control pod sees, so that only the pods can tell.
fn word(sandbox: KernelFingerprint, control: KernelFingerprint) -> &'static str {
    let evidence = RuntimeEvidence {
        sandbox: Ok(sandbox),
        node_kernel: Ok(control.release.clone()),
        control: Ok(control),
    };
    runtime(&evidence).verdict.word()
}

#[test]
fn a_pod_compared_with_itself_proves_nothing() {
    assert_eq!(word(gvisor(), gvisor()), "inconclusive");
    assert_eq!(word(control(), control()), "inconclusive");
}

#[test]
fn a_control_in_a_sandbox_of_its_own_is_no_control() {
    let inside = KernelFingerprint {
        pod: "probe-control-1".into(),
        ..gvisor()
    };
    assert_eq!(word(gvisor(), inside), "inconclusive");
}
