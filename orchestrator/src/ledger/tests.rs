use super::record::parse;
use super::write::as_line;
use super::*;
use fs_err as fs;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const CLUSTER: &str = "11111111-a";

fn header() -> LedgerHeader {
    LedgerHeader {
        format: FORMAT,
        run_id: "r1mhj8n3k7q".to_owned(),
        namespace: "portproof-r1mhj8n3k7q".to_owned(),
        clusters: vec![LedgerCluster {
            role: Role::new("a").unwrap(),
            uid: CLUSTER.to_owned(),
            access: ClusterAccess {
                kubeconfig: PathBuf::from("/clusters/ä.yaml"),
                context: Some("kind-a".to_owned()),
            },
        }],
    }
}

fn role(name: &str) -> ObjectId {
    ObjectId::cluster_scoped("rbac.authorization.k8s.io/v1", "ClusterRole", name)
}

#[derive(Clone, Debug)]
enum Act {
    Intend(u8),
    Create(u8),
    Remove(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0_u8..3, 0_u8..4).prop_map(|(act, name)| match act {
        0 => Act::Intend(name),
        1 => Act::Create(name),
        _ => Act::Remove(name),
    });
    prop::collection::vec(act, 0..9)
}

impl Act {
    fn entry(&self) -> Entry {
        let cluster_uid = CLUSTER.to_owned();
        let object = |name: &u8| role(&format!("ö{name}"));
        match self {
            Self::Intend(name) => Entry::Intent {
                cluster_uid,
                object: object(name),
            },
            Self::Create(name) => Entry::Created {
                cluster_uid,
                object: object(name),
                uid: "uid".to_owned(),
            },
            Self::Remove(name) => Entry::Removed {
                cluster_uid,
                object: object(name),
            },
        }
    }
}

/// The bytes of a ledger, without the fsync behind every line.
fn written(acts: &[Act]) -> Vec<u8> {
    let entries = acts.iter().map(|act| as_line(&act.entry()).unwrap());
    let mut lines = vec![as_line(&header()).unwrap()];
    lines.extend(entries);
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_ledger_that_was_cut_anywhere_loses_only_the_line_that_was_torn(acts in acts()) {
        let content = written(&acts);
        let whole = parse(Path::new("l"), &content).unwrap();
        let first_line = content.iter().position(|&byte| byte == b'\n').unwrap();
        for end in 0..=content.len() {
            let cut = &content[..end];
            let read = parse(Path::new("l"), cut);
            if end < first_line {
                let headless = matches!(read, Err(LedgerError::Headless { .. }));
                prop_assert!(headless);
                continue;
            }
            let entries = read.unwrap().entries;
            let line_feeds = cut.split(|&byte| byte == b'\n').count() - 1;
            prop_assert!(entries.len() >= line_feeds.saturating_sub(1));
            prop_assert_eq!(&entries[..], &whole.entries[..entries.len()]);
        }
    }

    #[test]
    fn a_ledger_that_was_cut_anywhere_goes_on_where_it_was_cut(acts in acts(), cut in any::<prop::sample::Index>()) {
        let content = written(&acts);
        let first_line = content.iter().position(|&byte| byte == b'\n').unwrap();
        let end = first_line + cut.index(content.len() - first_line);
        let before = parse(Path::new("l"), &content[..end]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        fs::write(&path, &content[..end]).unwrap();
        Ledger::open(&path).unwrap().intend(CLUSTER, &role("next")).unwrap();
        let mut after = read(&path).unwrap();
        let last = after.entries.pop();
        prop_assert_eq!(&after, &before);
        let next = Entry::Intent { cluster_uid: CLUSTER.to_owned(), object: role("next") };
        prop_assert_eq!(last, Some(next));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(Path::new("l"), &content);
    }

    #[test]
    fn what_was_created_and_then_removed_is_not_outstanding(acts in acts(), name in 0_u8..4) {
        let mut acts = acts;
        acts.extend([Act::Create(name), Act::Remove(name)]);
        let record = parse(Path::new("l"), &written(&acts)).unwrap();
        let gone = role(&format!("ö{name}"));
        prop_assert!(record.outstanding(CLUSTER).iter().all(|it| it.object != gone));
    }

    #[test]
    fn what_was_created_last_is_outstanding_with_its_uid(acts in acts(), name in 0_u8..4) {
        let mut acts = acts;
        acts.push(Act::Create(name));
        let record = parse(Path::new("l"), &written(&acts)).unwrap();
        let there = Outstanding { object: role(&format!("ö{name}")), uid: Some("uid".to_owned()) };
        prop_assert!(record.outstanding(CLUSTER).contains(&there));
    }
}

#[test]
fn the_youngest_object_is_outstanding_first_and_another_cluster_has_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let ledger = Ledger::create(&path, &header()).unwrap();
    ledger.intend(CLUSTER, &role("first")).unwrap();
    ledger.created(CLUSTER, &role("first"), "1").unwrap();
    ledger.intend("other", &role("elsewhere")).unwrap();
    ledger.clone().intend(CLUSTER, &role("second")).unwrap();
    let record = read(&path).unwrap();
    assert_eq!(record.header, header());
    let expected = [("second", None), ("first", Some("1"))].map(|(name, uid)| Outstanding {
        object: role(name),
        uid: uid.map(str::to_owned),
    });
    assert_eq!(record.outstanding(CLUSTER), expected);
}

#[test]
fn a_ledger_is_readable_by_its_owner_only_and_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    Ledger::create(&path, &header()).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(Ledger::create(&path, &header()).is_err());
}

#[test]
fn a_damaged_line_in_the_middle_is_an_error_and_not_skipped() {
    let content = written(&[Act::Intend(0), Act::Intend(1)]);
    let text = String::from_utf8(content).unwrap();
    let damaged = text.replacen("intent", "inten", 1);
    assert!(matches!(
        parse(Path::new("l"), damaged.as_bytes()),
        Err(LedgerError::Malformed { line: 2, .. })
    ));
}

#[test]
fn a_ledger_of_another_format_is_refused() {
    let content = serde_json::to_vec(&LedgerHeader {
        format: FORMAT + 1,
        ..header()
    })
    .unwrap();
    assert!(matches!(
        parse(Path::new("l"), &content),
        Err(LedgerError::Format { found, .. }) if found == FORMAT + 1
    ));
}
