//! Wrong usage: said in one look, with exit code 2, and never half obeyed.

use crate::program::portproof;
use std::path::Path;

macro_rules! wrong {
    ($($name:ident: [$($word:literal),* $(,)?]),* $(,)?) => {$(
        #[test]
        fn $name() {
            let directory = tempfile::tempdir().unwrap();
            let ran = portproof(directory.path(), [$($word),*] as [&str; _]);
            assert_eq!(ran.code, Some(2), "{}", ran.err);
            assert_eq!(ran.out, "");
            insta::assert_snapshot!(ran.err);
            assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        }
    )*};
}

wrong! {
    a_command_that_does_not_exist_is_refused_with_the_one_that_was_meant: ["clean"],
    a_flag_that_does_not_exist_is_refused_with_the_one_that_was_meant: ["run", "x.yaml", "--run", "d"],
    a_run_without_a_scenario_is_refused: ["run"],
    a_time_that_is_no_number_is_refused: ["cleanup", "latest", "--timeout", "1m"],
    no_time_at_all_is_refused: ["cleanup", "latest", "--timeout", "0"],
    a_clean_up_of_nothing_is_refused: ["cleanup"],
    a_list_of_left_overs_on_no_cluster_is_refused: ["cleanup", "--list"],
    a_list_does_not_take_a_run: ["cleanup", "r1", "--list", "--lab"],
    two_sources_of_clusters_are_refused: ["cleanup", "r1", "--lab", "--kubeconfig", "k"],
    a_context_without_a_kubeconfig_is_refused: ["cleanup", "r1", "--context", "c"],
    a_cluster_role_that_cannot_be_is_refused: ["lab", "up", "--clusters", "A1,b"],
    a_gateway_that_does_not_exist_is_refused: ["lab", "up", "--gateway", "a=nginx"],
    a_gateway_without_a_role_is_refused: ["lab", "up", "--gateway", "traefik"],
    a_subnet_that_is_none_is_refused: ["lab", "up", "--subnet", "10.0.0.0/99"],
}

#[test]
fn no_command_at_all_shows_the_commands() {
    let ran = portproof(Path::new("/"), [] as [&str; 0]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("Commands:"), "{}", ran.err);
}

#[test]
fn the_version_is_the_one_of_the_crate() {
    let ran = portproof(Path::new("/"), ["--version"]);
    let expected = format!("portproof {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ran.code, ran.out), (Some(0), expected));
}
