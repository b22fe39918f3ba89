//! Waits until something answers.

use super::config::Gate;
use crate::lab::api;
use crate::lab::error::LabError;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// How often a gate is tried.
const PERIOD: Duration = Duration::from_millis(20);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(2);

/// Returns when every gate has answered. There is no limit: whoever waits for the node has one.
///
/// # Errors
/// A gate cannot be tried at all, because its authority file is bad.
pub(super) async fn wait_all(gates: &[Gate]) -> Result<(), LabError> {
    for gate in gates {
        wait(gate).await?;
    }
    Ok(())
}

async fn wait(gate: &Gate) -> Result<(), LabError> {
    let probe = Probe::new(gate).await?;
    loop {
        let answered = tokio::time::timeout(TRY, probe.answers()).await;
        if answered.unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// A gate with what it takes to try it.
enum Probe<'a> {
    Tcp(&'a SocketAddr),
    Socket(&'a Path),
    Https(&'a str, reqwest::Client),
    Registered(&'a str, Api<Node>),
}

impl<'a> Probe<'a> {
    async fn new(gate: &'a Gate) -> Result<Self, LabError> {
        Ok(match gate {
            Gate::Tcp(address) => Self::Tcp(address),
            Gate::Socket(path) => Self::Socket(path),
            Gate::Https { url, authority } => Self::Https(url, https_client(authority)?),
            Gate::Registered { kubeconfig, node } => {
                Self::Registered(node, Api::all(api::client(kubeconfig).await?))
            }
        })
    }

    async fn answers(&self) -> bool {
        match self {
            Self::Tcp(address) => TcpStream::connect(address).await.is_ok(),
            Self::Socket(path) => UnixStream::connect(path).await.is_ok(),
            Self::Https(url, client) => {
                let answer = client.get(*url).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            }
            Self::Registered(node, nodes) => nodes.get(node).await.is_ok(),
        }
    }
}

fn https_client(authority: &Path) -> Result<reqwest::Client, LabError> {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate(authority)?])
        .build()
        .map_err(|source| {
            LabError::io("cannot make a client from", authority)(std::io::Error::other(source))
        })
}

fn certificate(authority: &Path) -> Result<reqwest::Certificate, LabError> {
    let pem = std::fs::read(authority).map_err(LabError::io("cannot read", authority))?;
    reqwest::Certificate::from_pem(&pem).map_err(|source| {
        LabError::io("cannot understand", authority)(std::io::Error::other(source))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_opens_when_its_socket_does() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let gate = [Gate::Socket(path.clone())];
        let mut waiting = Box::pin(wait_all(&gate));
        assert!(futures::poll!(&mut waiting).is_pending());
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_bad_authority_file_is_an_error_and_not_an_endless_wait() {
        let gate = Gate::Https {
            url: "https://127.0.0.1:1/".to_owned(),
            authority: "/nonexistent".into(),
        };
        assert!(matches!(wait_all(&[gate]).await, Err(LabError::Io { .. })));
    }
}
