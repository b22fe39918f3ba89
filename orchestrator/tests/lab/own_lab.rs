//! Labs of their own, beside the usual one: what a lab leaves behind, and what is said when a component does not start.

use crate::scenarios::program;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `portproof lab` with these words, for a lab of that name in that directory.
fn lab(words: &str, directory: &Path, cache: Option<&Path>) -> Output {
    let mut command = Command::new(program());
    command
        .arg("lab")
        .args(words.split(' '))
        .env("PORTPROOF_LAB_DIR", directory);
    if let Some(cache) = cache {
        command.env("XDG_CACHE_HOME", cache);
    }
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
#[ignore = "needs the lab"]
fn a_lab_with_pods_leaves_nothing_in_any_hierarchy_of_cgroups() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("lab");
    let up = lab(
        "up --clusters a --subnet 172.30.78.0/24 --name pptestb",
        &place,
        None,
    );
    assert!(up.status.success(), "{}", stderr(&up));
    // runc makes the pods' cgroups in every hierarchy, in those without controllers too.
    assert_eq!(cgroups("pptestb").len(), hierarchies().len());
    let down = lab("down", &place, None);
    assert!(down.status.success(), "{}", stderr(&down));
    assert_nothing_is_left(&place, "pptestb");
}

/// A copy of portproof's cache, made of links, in which `etcd` is a script that ends.
fn cache_with_broken_etcd(copy: &Path) {
    let real = crate::cache();
    for part in fs::read_dir(real.join("components")).unwrap() {
        let part = part.unwrap();
        let name = part.file_name().into_string().unwrap();
        let target = copy.join("components").join(&name);
        if name.starts_with("etcd-") {
            link_files(&part.path(), &target);
            break_program(&target.join("bin/etcd"));
        } else if !name.starts_with("bin-") && !name.starts_with('.') {
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            symlink(part.path(), target).unwrap();
        }
    }
    for entry in fs::read_dir(&real).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name != "components" && name != "go" && name != "logs" && name != "lab-logs" {
            link_files(&entry.path(), &copy.join(name));
        }
    }
}

/// The same directories, with a link for every file.
fn link_files(from: &Path, to: &Path) {
    if !from.is_dir() || from.is_symlink() {
        symlink(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        link_files(&entry.path(), &to.join(entry.file_name()));
    }
}

fn break_program(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::write(path, "#!/bin/sh\necho broken on purpose >&2\nexit 7\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "needs the lab"]
fn a_component_that_ends_at_start_is_named_with_its_last_words_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, place) = (directory.path().join("cache"), directory.path().join("lab"));
    cache_with_broken_etcd(&cache.join("portproof"));
    let up = lab(
        "up --bare --clusters a --subnet 172.30.77.0/24 --name pptesta",
        &place,
        Some(&cache),
    );
    let said = stderr(&up);
    assert_eq!(up.status.code(), Some(10), "{said}");
    assert!(
        said.contains("etcd of node `a-1` does not stay up"),
        "{said}"
    );
    assert!(said.contains("broken on purpose"), "{said}");
    let log = said.split("log: ").nth(1).unwrap().lines().next().unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("broken on purpose"), "{log}");
    assert_nothing_is_left(&place, "pptesta");
}

/// Where cgroup hierarchies are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .filter(|fields| fields[2].starts_with("cgroup"))
        .map(|fields| PathBuf::from(fields[1]))
        .collect()
}

/// The cgroups whose name begins like that, in any hierarchy.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let entries = hierarchies()
        .into_iter()
        .flat_map(|mount| fs::read_dir(mount).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| file_name(path).starts_with(name))
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn assert_nothing_is_left(place: &Path, name: &str) {
    assert!(!place.exists());
    let links = fs::read_dir("/sys/class/net").unwrap();
    let links: Vec<_> = links
        .map(|link| file_name(&link.unwrap().path()))
        .filter(|link| link.starts_with(name))
        .collect();
    assert_eq!(links, [] as [String; 0]);
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(place.to_str().unwrap()));
    assert_eq!(cgroups(name), [] as [PathBuf; 0]);
}
