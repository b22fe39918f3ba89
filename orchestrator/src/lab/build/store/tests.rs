use super::super::catalog::{COMPONENTS, Component, SHIM_OOM_SCORE};
use super::super::toolchain::Toolchain;
use super::*;
use crate::progress::Silent;

fn toolchain() -> Toolchain {
    Toolchain {
        version: "go1.26.8".to_owned(),
        architecture: "amd64".to_owned(),
    }
}

fn component(name: &str) -> &'static Component {
    COMPONENTS
        .iter()
        .find(|component| component.name == name)
        .unwrap()
}

fn digest_of(name: &str, toolchain: &Toolchain, patched: bool) -> String {
    let patch = patched.then_some(&SHIM_OOM_SCORE);
    digest(&PartKey {
        component: component(name),
        patch,
        toolchain,
    })
}

/// A store in which `names` are built; their programs are empty files.
fn store_with(names: &[&str]) -> (tempfile::TempDir, Store, Vec<Part>) {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path());
    let toolchain = toolchain();
    let _lock = store.lock(&Silent).unwrap();
    let parts: Vec<Part> = names
        .iter()
        .map(|name| {
            store.part(&PartKey {
                component: component(name),
                patch: None,
                toolchain: &toolchain,
            })
        })
        .collect();
    for part in &parts {
        let work = store.workplace(part).unwrap();
        fs_err::create_dir_all(work.bin()).unwrap();
        for program in part.component.programs() {
            fs_err::write(work.bin().join(program), "").unwrap();
        }
        work.publish(part, &toolchain).unwrap();
    }
    (cache, store, parts)
}

#[test]
fn the_same_inputs_have_the_same_digest() {
    assert_eq!(
        digest_of("gvisor", &toolchain(), true),
        digest_of("gvisor", &toolchain(), true)
    );
}

#[test]
fn another_go_or_a_patch_changes_the_digest() {
    let newer = Toolchain {
        version: "go1.27.0".to_owned(),
        ..toolchain()
    };
    let other = Toolchain {
        architecture: "arm64".to_owned(),
        ..toolchain()
    };
    let reference = digest_of("gvisor", &toolchain(), false);
    for changed in [
        digest_of("gvisor", &newer, false),
        digest_of("gvisor", &other, false),
        digest_of("gvisor", &toolchain(), true),
        digest_of("runc", &toolchain(), false),
    ] {
        assert_ne!(changed, reference);
    }
}

#[test]
fn the_digest_covers_the_module_files() {
    let recipe = format!("{:?}", component("etcd").recipe);
    assert!(recipe.contains("go.etcd.io/etcd/server/v3 v3.6.6 h1:"));
}

#[test]
fn a_published_component_is_found_with_its_programs() {
    let (_cache, store, parts) = store_with(&["runc", "etcd"]);
    let components = store.components(&parts).unwrap();
    assert!(components.program("runc").unwrap().is_file());
    assert!(components.bin().join("etcd").is_file());
    assert_eq!(components.component("runc").unwrap().version, "v1.4.0");
    assert!(matches!(
        components.program("kubelet"),
        Err(BuildError::NotBuilt { .. })
    ));
}

#[test]
fn what_is_missing_is_named() {
    let (_cache, store, mut parts) = store_with(&["runc"]);
    let toolchain = toolchain();
    parts.push(store.part(&PartKey {
        component: component("etcd"),
        patch: None,
        toolchain: &toolchain,
    }));
    let failed = store.components(&parts).unwrap_err();
    assert!(
        matches!(&failed, BuildError::NotBuilt { missing } if missing == "etcd"),
        "{failed}"
    );
}

#[test]
fn a_build_without_its_programs_is_not_published() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path());
    let toolchain = toolchain();
    let _lock = store.lock(&Silent).unwrap();
    let part = store.part(&PartKey {
        component: component("runc"),
        patch: None,
        toolchain: &toolchain,
    });
    let work = store.workplace(&part).unwrap();
    assert!(matches!(
        work.publish(&part, &toolchain),
        Err(BuildError::NoResult { .. })
    ));
    assert!(!part.directory.exists());
}

#[test]
fn what_an_interrupted_build_left_is_removed() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path());
    let leftover = cache.path().join("components/.work-abc/module");
    fs_err::create_dir_all(&leftover).unwrap();
    let _lock = store.lock(&Silent).unwrap();
    assert!(!leftover.exists());
}

#[test]
fn read_only_go_caches_are_removed() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path());
    let module = store.go_caches().join("mod/example.com/m@v1.0.0");
    fs_err::create_dir_all(&module).unwrap();
    fs_err::write(module.join("go.mod"), "module m").unwrap();
    shell::set_mode(&module, 0o555).unwrap();
    store.remove_go_caches().unwrap();
    assert!(!store.go_caches().exists());
}
