//! `lab up` where it cannot work: one clear message with what to do, exit code 3, and nothing left behind. Each machine
//! is this one in namespaces of its own, so nothing of the host is touched.

use crate::program::{Ran, command, finish, isolate};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Runs a shell script in new namespaces; `$PORTPROOF` is the program. `None` where this process may not make any.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the output must see that nothing was tried"
)]
fn unshared(directory: &Path, namespaces: &[&str], script: &str) -> Option<Ran> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        isolate(&mut command, directory);
        command.env("PORTPROOF", env!("CARGO_BIN_EXE_portproof"));
        command.env("XDG_CACHE_HOME", directory.join("cache"));
        command.args(namespaces).args(["sh", "-ec", script]);
        finish(command)
    };
    if unshare("true").code == Some(0) {
        return Some(unshare(script));
    }
    eprintln!(
        "skipped: `unshare {}` is not allowed here",
        namespaces.join(" ")
    );
    None
}

/// What is said, without the parts that differ from machine to machine.
fn said(ran: &Ran, directory: &Path) -> String {
    let text = ran.all();
    text.replace(&directory.display().to_string(), "[dir]")
}

fn assert_nothing_was_made(directory: &Path) {
    let lab = directory.join("no-lab");
    let made = std::fs::read_dir(&lab).map_or(0, Iterator::count);
    assert_eq!(made, 0, "{} was made", lab.display());
    assert!(!directory.join("cache").exists(), "something was built");
}

macro_rules! refused {
    ($($name:ident: $namespaces:expr, $script:expr),* $(,)?) => {$(
        #[test]
        fn $name() {
            let directory = tempfile::tempdir().unwrap();
            let Some(ran) = unshared(directory.path(), &$namespaces, $script) else {
                return;
            };
            assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{}", ran.err);
            assert_nothing_was_made(directory.path());
            insta::assert_snapshot!(said(&ran, directory.path()));
        }
    )*};
}

refused! {
    whoever_is_not_root_is_told_so: ["--user"], r#"exec "$PORTPROOF" lab up"#,
    a_missing_kernel_feature_is_named: ["--mount"], r#"
        printf 'nodev\ttmpfs\n' > known && mount --bind known /proc/filesystems
        mkdir none && { mount --bind none /lib/modules 2> /dev/null || true; }
        exec "$PORTPROOF" lab up"#,
    programs_that_are_not_installed_are_named_with_their_packages: ["--mount"], r#"
        mkdir none && mount --bind none /usr/sbin
        exec "$PORTPROOF" lab up"#,
    a_bridge_of_that_name_is_not_taken_over: ["--mount", "--net"], r#"
        mkdir sys && mount -t sysfs none sys
        mount --bind sys/class /sys/class && mount --bind sys/devices /sys/devices
        ip link add pptest0 type bridge
        exec "$PORTPROOF" lab up --clusters a --name pptest"#,
    a_subnet_in_use_is_told_with_the_link_that_has_it: ["--net"], r#"
        ip link add other type bridge && ip link set other up && ip addr add 10.11.12.13/16 dev other
        exec "$PORTPROOF" lab up --clusters a --name pptest --subnet 10.11.12.0/24"#,
    a_directory_with_something_else_in_it_is_not_taken_over: ["--net"], r#"
        mkdir taken && echo mine > taken/diary.txt
        PORTPROOF_LAB_DIR=$PWD/taken exec "$PORTPROOF" lab up --clusters a --name pptest"#,
    a_full_disk_is_told_before_anything_is_made: ["--mount", "--net"], r#"
        mkdir small && mount -t tmpfs -o size=64M none small
        PORTPROOF_LAB_DIR=$PWD/small/lab exec "$PORTPROOF" lab up --clusters a --name pptest"#,
}

fn go(directory: &Path, program: Option<&str>) -> Ran {
    let bin = directory.join("bin");
    std::fs::create_dir(&bin).unwrap();
    if let Some(script) = program {
        use std::os::unix::fs::PermissionsExt as _;
        let go = bin.join("go");
        std::fs::write(&go, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&go, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = command(directory);
    command
        .env("PATH", &bin)
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .args(["lab", "build", "--agent-stack", "/bin/true"]);
    finish(command)
}

#[test]
fn a_machine_without_go_is_told_which_one_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    let ran = go(directory.path(), None);
    assert_eq!(ran.code, Some(3));
    assert_nothing_was_made(directory.path());
    insta::assert_snapshot!(ran.all());
}

#[test]
fn a_go_that_is_too_old_is_told_with_the_one_that_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let ran = go(directory.path(), Some("echo go1.19.8; echo amd64"));
    assert_eq!(ran.code, Some(3));
    assert_nothing_was_made(directory.path());
    insta::assert_snapshot!(ran.all());
}

#[test]
fn a_lab_that_is_not_there_is_said_not_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for words in [
        "lab status",
        "lab down",
        "lab kubeconfig a",
        "lab load-image x.tar",
    ] {
        let mut command = command(directory.path());
        command.args(words.split(' '));
        let ran = finish(command);
        writeln!(said, "$ portproof {words}\n{}", ran.all()).unwrap();
    }
    let said = said.replace(&directory.path().display().to_string(), "[dir]");
    insta::assert_snapshot!(said);
}
