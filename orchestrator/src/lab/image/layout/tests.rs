use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const REPOSITORY: &str = "docker.io/portproof/sample";

fn layer(files: &BTreeMap<String, Vec<u8>>) -> Layer {
    files.iter().fold(Layer::new(), |layer, (path, bytes)| {
        layer.bytes(path, bytes.clone(), 0o644)
    })
}

fn write(layers: &[Layer], entrypoint: &[&str], directory: &Path) -> (ImageRef, Vec<u8>) {
    let image = Image {
        repository: REPOSITORY,
        tag: Tag::OfContent,
        layers,
        entrypoint,
        env: &["PATH=/bin"],
    };
    let written = image.write(&directory.join("image.tar")).unwrap();
    let bytes = fs_err::read(&written.tar).unwrap();
    (written, bytes)
}

fn write_alone(layers: &[Layer], entrypoint: &[&str]) -> (ImageRef, Vec<u8>) {
    write(layers, entrypoint, tempfile::tempdir().unwrap().path())
}

/// Every file of the tar, by name.
fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(bytes);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn sample() -> Layer {
    Layer::new()
        .bytes("usr/bin/program", b"program".as_slice(), 0o755)
        .symlink("bin", "usr/bin")
        .directory("tmp", 0o1777)
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let (one, one_bytes) = write_alone(&[sample()], &["/usr/bin/program"]);
    let (other, other_bytes) = write_alone(&[sample()], &["/usr/bin/program"]);
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.name, other.name);
    assert!(
        one_bytes == other_bytes,
        "two tars of the same inputs differ"
    );
}

#[test]
fn every_input_changes_the_digest() {
    let (reference, _) = write_alone(&[sample()], &["/program"]);
    let variants = [
        write_alone(
            &[sample().bytes("usr/bin/program", b"Program".as_slice(), 0o755)],
            &["/program"],
        ),
        write_alone(
            &[sample().bytes("usr/bin/program", b"program".as_slice(), 0o555)],
            &["/program"],
        ),
        write_alone(&[sample().symlink("bin", "usr/sbin")], &["/program"]),
        write_alone(&[sample().directory("tmp", 0o777)], &["/program"]),
        write_alone(&[sample(), Layer::new()], &["/program"]),
        write_alone(&[sample()], &["/usr/bin/program"]),
    ];
    for (variant, _) in variants {
        assert_ne!(variant.digest, reference.digest);
        assert_ne!(variant.name, reference.name);
    }
}

#[test]
fn every_blob_is_stored_under_its_own_digest() {
    let (_, bytes) = write_alone(&[sample(), Layer::new()], &["/program"]);
    let files = unpack(&bytes);
    let blobs: Vec<_> = files
        .iter()
        .filter_map(|(name, content)| Some((name.strip_prefix("blobs/sha256/")?, content)))
        .collect();
    assert_eq!(blobs.len(), 4, "two layers, a configuration and a manifest");
    for (name, content) in blobs {
        assert_eq!(name, hex::encode(Sha256::digest(content)));
    }
}

#[test]
fn docker_and_containerd_are_led_to_the_same_configuration() {
    let (written, bytes) = write_alone(&[sample()], &["/program"]);
    let files = unpack(&bytes);
    let index: serde_json::Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let docker: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let manifest_path = format!("blobs/sha256/{}", &written.digest["sha256:".len()..]);
    let manifest: serde_json::Value = serde_json::from_slice(&files[&manifest_path]).unwrap();
    let configuration = manifest["config"]["digest"].as_str().unwrap();
    assert_eq!(index["manifests"][0]["digest"], written.digest);
    assert_eq!(
        docker[0]["Config"],
        format!("blobs/sha256/{}", &configuration["sha256:".len()..])
    );
    assert_eq!(docker[0]["RepoTags"][0], written.name);
    assert_eq!(
        index["manifests"][0]["annotations"]["io.containerd.image.name"],
        written.name
    );
}

#[test]
fn an_image_runs_without_root() {
    let (written, bytes) = write_alone(&[sample()], &["/program"]);
    let files = unpack(&bytes);
    let manifest: serde_json::Value =
        serde_json::from_slice(&files[&written.digest.replace("sha256:", "blobs/sha256/")])
            .unwrap();
    let path = manifest["config"]["digest"]
        .as_str()
        .unwrap()
        .replace("sha256:", "blobs/sha256/");
    let configuration: serde_json::Value = serde_json::from_slice(&files[&path]).unwrap();
    assert_eq!(configuration["config"]["User"], "65532:65532");
}

#[test]
fn a_written_image_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let (written, _) = write(&[sample()], &["/program"], directory.path());
    assert_eq!(ImageRef::read(&written.tar).unwrap(), written);
}

#[test]
fn another_tar_is_not_taken_for_an_image() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.tar");
    sample()
        .write(fs_err::File::create(&path).unwrap())
        .unwrap();
    assert!(matches!(
        ImageRef::read(&path),
        Err(ImageError::NotAnImage { .. })
    ));
}

#[test]
fn a_path_that_climbs_out_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let layers = [Layer::new().bytes("usr/../../etc/passwd", b"root".as_slice(), 0o644)];
    let image = Image {
        repository: REPOSITORY,
        tag: Tag::OfContent,
        layers: &layers,
        entrypoint: &["/p"],
        env: &[],
    };
    let out = directory.path().join("image.tar");
    assert!(matches!(image.write(&out), Err(ImageError::Path { .. })));
    assert!(!out.exists());
}

fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    prop::collection::btree_map(
        "(d[a-z]{1,120}/){0,2}f[a-z]{1,9}",
        prop::collection::vec(any::<u8>(), 0..600),
        1..6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_layer_holds_exactly_what_was_put_in(files in files()) {
        let mut bytes = Vec::new();
        layer(&files).write(&mut bytes).unwrap();
        let unpacked = unpack(&bytes);
        for (path, content) in &files {
            prop_assert_eq!(unpacked.get(path), Some(content));
        }
    }

    #[test]
    fn one_changed_byte_changes_the_digest(files in files(), at in any::<prop::sample::Index>()) {
        let mut changed = files.clone();
        let path = at.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        changed.entry(path).and_modify(|content| content.push(1));
        prop_assume!(layer_bytes(&layer(&files)) != layer_bytes(&layer(&changed)));
        let (one, _) = write_alone(&[layer(&files)], &["/p"]);
        let (other, _) = write_alone(&[layer(&changed)], &["/p"]);
        prop_assert_ne!(one.digest, other.digest);
    }
}

fn layer_bytes(layer: &Layer) -> Vec<u8> {
    let mut bytes = Vec::new();
    layer.write(&mut bytes).unwrap();
    bytes
}
