//! The certificates that Envoy Gateway and its Envoys know each other by.
//!
//! Envoy Gateway brings a job that makes them; making them here saves a pod's start. Names and contents of the secrets
//! are the ones that its controller reads: without the HMAC key it works too, but calls it an error at every change.

use super::AddonError;
use super::apply::Applier;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::collections::BTreeMap;
use uuid::Uuid;

const NAMESPACE: &str = "envoy-gateway-system";
const TLS: &str = "kubernetes.io/tls";

type CertificateAuthority = Issuer<'static, KeyPair>;

/// Creates the secrets that are missing; existing ones stay, because running proxies trust them.
pub(super) async fn ensure(applier: &Applier) -> Result<(), AddonError> {
    let api: Api<Secret> = Api::namespaced(applier.client().clone(), NAMESPACE);
    let present = api
        .get_opt("envoy-gateway")
        .await
        .map_err(|source| ask("its certificates", source))?;
    if present.is_some() {
        return Ok(());
    }
    // The controller's own secret comes last: its presence says that all are there.
    for secret in secrets()? {
        create(&api, &secret).await?;
    }
    Ok(())
}

async fn create(api: &Api<Secret>, secret: &Secret) -> Result<(), AddonError> {
    match api.create(&PostParams::default(), secret).await {
        Ok(_) => Ok(()),
        // Left by an interrupted start: its authority is unknown, so it has to go.
        Err(kube::Error::Api(status)) if status.code == 409 => replace(api, secret).await,
        Err(source) => Err(ask("a new secret", source)),
    }
}

async fn replace(api: &Api<Secret>, secret: &Secret) -> Result<(), AddonError> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    api.replace(name, &PostParams::default(), secret)
        .await
        .map_err(|source| ask("a new secret", source))?;
    Ok(())
}

fn ask(what: &str, source: kube::Error) -> AddonError {
    AddonError::Ask {
        what: what.to_owned(),
        source: Box::new(source),
    }
}

fn secrets() -> Result<[Secret; 3], AddonError> {
    let (authority, pem) = authority()?;
    let service = |suffix: &str| format!("envoy-gateway{suffix}");
    let controller = [
        service(""),
        service(&format!(".{NAMESPACE}")),
        service(&format!(".{NAMESPACE}.svc")),
        service(&format!(".{NAMESPACE}.svc.cluster.local")),
    ];
    Ok([
        secret("envoy-oidc-hmac", "Opaque", hmac_key()),
        secret(
            "envoy",
            TLS,
            leaf(&authority, &pem, &[format!("*.{NAMESPACE}")])?,
        ),
        secret("envoy-gateway", TLS, leaf(&authority, &pem, &controller)?),
    ])
}

fn authority() -> Result<(CertificateAuthority, String), AddonError> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
        .distinguished_name
        .push(DnType::CommonName, "envoy-gateway");
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

/// 32 bytes, of which version 4 UUIDs leave 244 bits random (RFC 9562).
fn hmac_key() -> Files {
    let halves = [Uuid::new_v4(), Uuid::new_v4()];
    vec![(
        "hmac-secret",
        halves.iter().flat_map(|half| *half.as_bytes()).collect(),
    )]
}

fn leaf(
    authority: &CertificateAuthority,
    authority_pem: &str,
    names: &[String],
) -> Result<Files, AddonError> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params
        .distinguished_name
        .push(DnType::CommonName, names[0].as_str());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?.pem();
    Ok(vec![
        ("ca.crt", authority_pem.as_bytes().to_vec()),
        ("tls.crt", certificate.into_bytes()),
        ("tls.key", key.serialize_pem().into_bytes()),
    ])
}

type Files = Vec<(&'static str, Vec<u8>)>;

fn secret(name: &str, kind: &str, files: Files) -> Secret {
    let data: BTreeMap<String, ByteString> = files
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), ByteString(bytes)))
        .collect();
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(kind.to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

    #[test]
    fn both_sides_trust_the_same_authority() {
        let [_, envoy, controller] = secrets().unwrap();
        let file = |secret: &Secret, name: &str| secret.data.as_ref().unwrap()[name].clone();
        assert_eq!(file(&envoy, "ca.crt"), file(&controller, "ca.crt"));
        assert_ne!(file(&envoy, "tls.key"), file(&controller, "tls.key"));
    }

    #[test]
    fn each_certificate_names_who_uses_it_and_is_signed_by_the_authority() {
        let expected = [
            ("envoy", "*.envoy-gateway-system"),
            ("envoy-gateway", "envoy-gateway.envoy-gateway-system.svc"),
        ];
        for (secret, (name, host)) in secrets().unwrap()[1..].iter().zip(expected) {
            assert_eq!(secret.metadata.name.as_deref(), Some(name));
            let (authority, leaf) = (der(secret, "ca.crt"), der(secret, "tls.crt"));
            let (authority, leaf) = (parse(&authority), parse(&leaf));
            assert!(leaf.verify_signature(Some(authority.public_key())).is_ok());
            let names = leaf.subject_alternative_name().unwrap().unwrap();
            assert!(
                names
                    .value
                    .general_names
                    .contains(&GeneralName::DNSName(host)),
                "{names:?}"
            );
        }
    }

    fn der(secret: &Secret, name: &str) -> Vec<u8> {
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(&secret.data.as_ref().unwrap()[name].0).unwrap();
        pem.contents
    }

    fn parse(der: &[u8]) -> X509Certificate<'_> {
        X509Certificate::from_der(der).unwrap().1
    }
}
