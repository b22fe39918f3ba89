use super::*;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

const DAY: i64 = 24 * 60 * 60;

fn read<T>(pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    look(&pem.parse_x509().unwrap())
}

fn names(pem: &str) -> Vec<String> {
    read(pem, |certificate| {
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let names = names.value.general_names.iter();
        names
            .map(|name| match name {
                GeneralName::DNSName(name) => format!("dns {name}"),
                GeneralName::URI(uri) => format!("uri {uri}"),
                other => format!("{other:?}"),
            })
            .collect()
    })
}

#[test]
fn every_certificate_of_a_run_ends_a_day_after_the_run_began() {
    let began = Timestamp::from_second(1_800_000_000).unwrap();
    let authority = RunAuthority::made_at("r1", began).unwrap();
    let client = authority.client().unwrap();
    let server = authority.server("a").unwrap();
    for pem in [&client.authority, &client.certificate, &server.certificate] {
        let (from, until) = read(pem, |certificate| {
            let validity = certificate.validity();
            (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            )
        });
        assert!(from < began.as_second());
        assert_eq!(until, began.as_second() + DAY);
    }
}

#[test]
fn each_side_proves_one_name_that_holds_the_run() {
    let authority = RunAuthority::new("r1").unwrap();
    let server = authority.server("b").unwrap();
    assert_eq!(names(&server.certificate), ["dns b.r1.portproof.internal"]);
    let client = authority.client().unwrap();
    let uri = "uri spiffe://portproof.internal/run/r1/orchestrator";
    assert_eq!(names(&client.certificate), [uri]);
}

#[test]
fn the_authority_may_sign_leaves_and_nothing_else() {
    let server = RunAuthority::new("r1").unwrap().server("a").unwrap();
    let authority = read(&server.authority, |certificate| {
        let constraints = certificate.basic_constraints().unwrap().unwrap().value;
        (constraints.ca, constraints.path_len_constraint)
    });
    assert_eq!(authority, (true, Some(0)));
    assert!(!read(&server.certificate, |certificate| certificate.is_ca()));
}

#[test]
fn two_runs_have_nothing_in_common() {
    let one = RunAuthority::new("r1").unwrap().client().unwrap();
    let other = RunAuthority::new("r1").unwrap().client().unwrap();
    assert_ne!(one.authority, other.authority);
    assert_ne!(one.key, other.key);
}
