use crate::verify::evidence::{KernelFingerprint, RuntimeEvidence};
use crate::verify::sandbox::runtime;
use crate::verify::sandbox::tests::{control, gvisor};

fn word(sandbox: KernelFingerprint, control: KernelFingerprint) -> &'static str {
    let evidence = RuntimeEvidence {
        sandbox: Ok(sandbox),
        control: Ok(control),
    };
    runtime(&evidence).verdict.word()
}

#[test]
fn a_pod_compared_with_itself_proves_nothing() {
    let unknown = |kernel: KernelFingerprint| KernelFingerprint {
        node_kernel: String::new(),
        ..kernel
    };
    assert_eq!(word(unknown(gvisor()), unknown(gvisor())), "inconclusive");
    assert_eq!(word(control(), control()), "inconclusive");
}

#[test]
fn a_control_in_a_sandbox_of_its_own_is_no_control() {
    let inside = KernelFingerprint {
        pod: "probe-control-1".into(),
        node_kernel: String::new(),
        ..gvisor()
    };
    assert_eq!(word(gvisor(), inside), "inconclusive");
}
