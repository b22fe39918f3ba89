//! A byte stream to a port of a pod, through the Kubernetes API's port-forward.

use super::Cluster;
use crate::rpc::{Connection, Dial};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Portforwarder};
use std::io;
use std::sync::Arc;

/// Opens a port-forward of its own for every connection, so that a broken one is simply opened again.
pub fn dial_pod(cluster: &Cluster, namespace: &str, pod: &str, port: u16) -> Dial {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let pod = pod.to_owned();
    Arc::new(move || {
        let (pods, pod) = (pods.clone(), pod.clone());
        Box::pin(async move {
            let forwarder = pods
                .portforward(&pod, &[port])
                .await
                .map_err(io::Error::other)?;
            stream(forwarder, port)
        })
    })
}

fn stream(mut forwarder: Portforwarder, port: u16) -> io::Result<Box<dyn Connection>> {
    let stream = forwarder
        .take_stream(port)
        .ok_or_else(|| io::Error::other("the port-forward has no stream"))?;
    // The forwarder must live as long as its stream; it ends with it.
    tokio::spawn(forwarder.join());
    Ok(Box::new(stream))
}
