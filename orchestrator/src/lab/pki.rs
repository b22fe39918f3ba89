//! A cluster's certificate authority, its certificates and the kubeconfigs that hold them.
//!
//! All keys are ECDSA P-256, which `kube-apiserver` also takes for service account tokens (ES256).

use super::error::LabError;
use super::files::{self, SECRET};
use super::kubeconfig::{self, Credentials};
use super::spec::{ClusterSpec, NodeSpec};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Days a lab's certificates are valid; a lab is thrown away long before.
const VALID_DAYS: i32 = 365;

/// Who a certificate speaks for and where it may serve.
struct Subject<'a> {
    name: &'a str,
    common_name: String,
    organization: Option<&'a str>,
    addresses: Vec<Ipv4Addr>,
    names: Vec<String>,
}

impl<'a> Subject<'a> {
    fn client(name: &'a str, common_name: impl Into<String>) -> Self {
        Self {
            name,
            common_name: common_name.into(),
            organization: None,
            addresses: Vec::new(),
            names: Vec::new(),
        }
    }

    fn of(mut self, organization: &'a str) -> Self {
        self.organization = Some(organization);
        self
    }

    fn serving(mut self, addresses: &[Ipv4Addr], names: &[&str]) -> Self {
        self.addresses = addresses.to_vec();
        self.names = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    fn params(&self) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(self.names.clone())?;
        let addresses = self
            .addresses
            .iter()
            .map(|&address| SanType::IpAddress(IpAddr::V4(address)));
        params.subject_alt_names.extend(addresses);
        params.distinguished_name = distinguished_name(&self.common_name, self.organization);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !self.addresses.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        limit(&mut params);
        Ok(params)
    }
}

fn distinguished_name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common);
    name
}

/// Valid from yesterday, for clocks that differ a little.
fn limit(params: &mut CertificateParams) {
    let today = jiff::Zoned::now().date();
    let from = today.yesterday().unwrap_or(today);
    let until = today.saturating_add(jiff::Span::new().days(VALID_DAYS));
    let (year, month, day) = parts(from);
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = parts(until);
    params.not_after = rcgen::date_time_ymd(year, month, day);
}

fn parts(day: jiff::civil::Date) -> (i32, u8, u8) {
    let number = i8::cast_unsigned;
    (day.year().into(), number(day.month()), number(day.day()))
}

/// Makes everything a cluster needs into `directory`, which appears whole or not at all. What is there is kept.
///
/// # Errors
/// The disk is full, or the directory's parent is missing.
pub(crate) fn ensure(cluster: &ClusterSpec, directory: &Path) -> Result<(), LabError> {
    if directory.exists() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new("/"));
    let fresh = tempfile::tempdir_in(parent).map_err(LabError::io("cannot write in", parent))?;
    Authority::new(cluster)?.write_all(cluster, fresh.path())?;
    let fresh = fresh.keep();
    std::fs::rename(&fresh, directory).map_err(LabError::io("cannot make", directory))
}

struct Authority {
    certificate: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(cluster: &ClusterSpec) -> Result<Self, LabError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params.distinguished_name =
            distinguished_name(&format!("portproof-lab-{}", cluster.role), None);
        limit(&mut params);
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        })
    }

    fn write_all(&self, cluster: &ClusterSpec, directory: &Path) -> Result<(), LabError> {
        write(directory, "ca.crt", &self.certificate)?;
        write(directory, "ca.key", &self.key)?;
        let accounts = KeyPair::generate()?;
        write(directory, "sa.key", &accounts.serialize_pem())?;
        write(directory, "sa.pub", &accounts.public_key_pem())?;
        for subject in servers(cluster) {
            self.write_certificate(&subject, directory)?;
        }
        for subject in clients() {
            self.write_kubeconfig(cluster, &subject, directory)?;
        }
        for node in cluster.nodes() {
            self.write_node(cluster, &node, directory)?;
        }
        Ok(())
    }

    fn write_certificate(
        &self,
        subject: &Subject<'_>,
        directory: &Path,
    ) -> Result<Credentials, LabError> {
        let key = KeyPair::generate()?;
        let certificate = subject.params()?.signed_by(&key, &self.issuer)?;
        let credentials = Credentials {
            authority: self.certificate.clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        };
        write(
            directory,
            &format!("{}.crt", subject.name),
            &credentials.certificate,
        )?;
        write(
            directory,
            &format!("{}.key", subject.name),
            &credentials.key,
        )?;
        Ok(credentials)
    }

    fn write_kubeconfig(
        &self,
        cluster: &ClusterSpec,
        subject: &Subject<'_>,
        directory: &Path,
    ) -> Result<(), LabError> {
        let credentials = self.write_certificate(subject, directory)?;
        let text = kubeconfig::render(cluster, &credentials);
        write(directory, &format!("{}.kubeconfig", subject.name), &text)
    }

    fn write_node(
        &self,
        cluster: &ClusterSpec,
        node: &NodeSpec,
        directory: &Path,
    ) -> Result<(), LabError> {
        let name = format!("kubelet-{}", node.name);
        let subject = Subject::client(&name, format!("system:node:{}", node.name))
            .of("system:nodes")
            .serving(&[node.address], &[&node.name]);
        self.write_kubeconfig(cluster, &subject, directory)
    }
}

fn write(directory: &Path, name: &str, content: &str) -> Result<(), LabError> {
    files::replace(&directory.join(name), SECRET, content.as_bytes())
}

fn servers(cluster: &ClusterSpec) -> [Subject<'static>; 3] {
    let addresses = [
        Ipv4Addr::LOCALHOST,
        cluster.address(),
        cluster.api_service(),
    ];
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    [
        Subject::client("apiserver", "kube-apiserver").serving(&addresses, &names),
        Subject::client("apiserver-kubelet-client", "kube-apiserver-kubelet-client")
            .of("system:masters"),
        Subject::client("front-proxy", "front-proxy"),
    ]
}

fn clients() -> [Subject<'static>; 6] {
    let local = [Ipv4Addr::LOCALHOST];
    [
        Subject::client("admin", "portproof-lab-admin").of("system:masters"),
        Subject::client("controller-manager", "system:kube-controller-manager")
            .serving(&local, &["localhost"]),
        Subject::client("scheduler", "system:kube-scheduler").serving(&local, &["localhost"]),
        Subject::client("kube-proxy", "system:kube-proxy"),
        Subject::client("kube-router", "portproof-lab-kube-router").of("system:masters"),
        Subject::client("address-giver", "portproof-lab-address-giver").of("system:masters"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::spec::GatewayKind;
    use crate::verify::Role;
    use std::os::unix::fs::PermissionsExt;

    fn cluster() -> ClusterSpec {
        ClusterSpec {
            role: Role::new("b").unwrap(),
            gateway: GatewayKind::Envoy,
            nodes: 2,
            subnet: "172.31.0.0/24".parse().unwrap(),
        }
    }

    #[test]
    fn every_key_is_readable_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path().join("pki");
        ensure(&cluster(), &pki).unwrap();
        for entry in std::fs::read_dir(&pki).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        }
        assert!(pki.join("kubelet-b-2.kubeconfig").exists());
    }

    #[test]
    fn keys_that_are_there_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path().join("pki");
        ensure(&cluster(), &pki).unwrap();
        let before = std::fs::read(pki.join("ca.key")).unwrap();
        ensure(&cluster(), &pki).unwrap();
        assert_eq!(std::fs::read(pki.join("ca.key")).unwrap(), before);
    }

    #[tokio::test]
    async fn the_administrators_kubeconfig_makes_a_client() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path().join("pki");
        ensure(&cluster(), &pki).unwrap();
        let read = kube::config::Kubeconfig::read_from(pki.join("admin.kubeconfig")).unwrap();
        let config =
            kube::Config::from_custom_kubeconfig(read, &kube::config::KubeConfigOptions::default())
                .await
                .unwrap();
        assert_eq!(config.cluster_url.host(), Some("172.31.0.12"));
        kube::Client::try_from(config).unwrap();
    }
}
