use super::*;
use proptest::prelude::*;
use serde_json::json;

fn object(kind: &str, name: &str, data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n", "uid": "server-made"},
        "data": {"k": data}})
}

fn sample() -> Bundle {
    let descriptor = McpDescriptor {
        server: "tool-gateway".into(),
        discover: json!({"supportedVersions": ["2026-07-28"]}),
        tools: vec![json!({"name": "t", "inputSchema": {"type": "object"}})],
    };
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tools.tools.portproof.dev"}, "spec": {}});
    Bundle::new(
        &[crd],
        &[object("Tool", "t", "x"), object("ConfigMap", "c", "y")],
        vec![descriptor],
    )
}

#[test]
fn a_bundle_survives_encoding() {
    let bundle = sample();
    assert_eq!(Bundle::decode(&bundle.encode().unwrap()).unwrap(), bundle);
}

#[test]
fn the_same_content_in_another_order_is_the_same_bundle() {
    let one = Bundle::new(&[], &[object("A", "x", "1"), object("B", "y", "2")], vec![]);
    let other = Bundle::new(&[], &[object("B", "y", "2"), object("A", "x", "1")], vec![]);
    assert_eq!(one.encode().unwrap(), other.encode().unwrap());
    assert_eq!(one.digest().unwrap(), other.digest().unwrap());
}

#[test]
fn objects_that_others_refer_to_come_first() {
    let kinds: Vec<_> = sample()
        .objects
        .iter()
        .map(|object| object["kind"].clone())
        .collect();
    assert_eq!(kinds, ["ConfigMap", "Tool"]);
}

#[test]
fn one_changed_byte_is_noticed_and_the_file_named() {
    let mut bytes = sample().encode().unwrap();
    let at = bytes
        .windows(9)
        .position(|window| window == b"{\"k\":\"x\"}")
        .unwrap();
    bytes[at + 6] = b'z';
    let error = Bundle::decode(&bytes).unwrap_err();
    assert!(
        matches!(&error, BundleError::DigestMismatch { path, .. } if path.contains("Tool")),
        "{error}"
    );
}

#[test]
fn two_objects_of_one_name_are_refused() {
    let bundle = Bundle::new(&[], &[object("A", "x", "1"), object("A", "x", "2")], vec![]);
    assert!(matches!(
        bundle.encode(),
        Err(BundleError::Content {
            problem: "there twice",
            ..
        })
    ));
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(Bundle::decode(b"not a tar").is_err());
}

proptest! {
    #[test]
    fn bytes_of_strangers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Bundle::decode(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_yields_another_bundle(at in 0_usize..4096, bit in 0_u8..8) {
        let bundle = sample();
        let mut bytes = bundle.encode().unwrap();
        let index = at % bytes.len();
        bytes[index] ^= 1 << bit;
        if let Ok(decoded) = Bundle::decode(&bytes) {
            prop_assert_eq!(decoded, bundle);
        }
    }
}
