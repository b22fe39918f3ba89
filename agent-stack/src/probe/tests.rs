use super::*;
use axum::Router;
use axum::extract::RawQuery;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

fn request(address: SocketAddr, transport: Transport, timeout_ms: u64) -> ProbeRequest {
    ProbeRequest {
        address,
        transport,
        path: None,
        nonce: "n-42".into(),
        timeout_ms,
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn closed() -> SocketAddr {
    listen().await.1
}

#[tokio::test]
async fn an_echoed_nonce_is_received() {
    let (listener, address) = listen().await;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 5];
        stream.read_exact(&mut line).await.unwrap();
        stream.write_all(&line).await.unwrap();
    });
    let answer = run(&request(address, Transport::Tcp, 60_000)).await;
    assert_eq!(
        (answer.outcome, answer.received),
        (Outcome::Sent, Some(true))
    );
    peer.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_closed_without_an_echo_was_still_sent() {
    let (listener, address) = listen().await;
    let peer = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let answer = run(&request(address, Transport::Tcp, 60_000)).await;
    assert_eq!((answer.outcome, answer.received), (Outcome::Sent, None));
    peer.await.unwrap();
}

#[tokio::test]
async fn a_closed_port_refuses() {
    for transport in [Transport::Tcp, Transport::Http] {
        let answer = run(&request(closed().await, transport, 60_000)).await;
        assert_eq!(
            (answer.outcome, answer.detail.as_str()),
            (Outcome::Refused, "ECONNREFUSED")
        );
    }
}

#[tokio::test]
async fn no_time_is_a_timeout() {
    // The listener accepts in the kernel and never speaks HTTP.
    let (_listener, address) = listen().await;
    let answer = run(&request(address, Transport::Http, 50)).await;
    assert_eq!((answer.outcome, answer.received), (Outcome::Timeout, None));
}

#[tokio::test]
async fn a_datagram_carries_the_nonce_and_awaits_no_answer() {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let answer = run(&request(
        socket.local_addr().unwrap(),
        Transport::Udp,
        60_000,
    ))
    .await;
    assert_eq!((answer.outcome, answer.received), (Outcome::Sent, None));
    let mut buffer = [0; 16];
    let (count, _) = socket.recv_from(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"n-42");
}

#[tokio::test]
async fn an_http_answer_with_the_nonce_is_received() {
    let (listener, address) = listen().await;
    let router = Router::new().route(
        "/reach",
        get(|RawQuery(query): RawQuery| async { query.unwrap_or_default() }),
    );
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let answer = run(&request(address, Transport::Http, 60_000)).await;
    assert_eq!(
        (answer.outcome, answer.received),
        (Outcome::Sent, Some(true))
    );
    let other = ProbeRequest {
        path: Some("/nothing".into()),
        ..request(address, Transport::Http, 60_000)
    };
    assert_eq!(run(&other).await.received, Some(false));
    server.abort();
}

#[tokio::test]
async fn a_nonce_that_is_not_one_line_is_not_sent() {
    for nonce in ["", "a\nb"] {
        let wrong = ProbeRequest {
            nonce: nonce.into(),
            ..request(closed().await, Transport::Tcp, 60_000)
        };
        assert_eq!(run(&wrong).await.outcome, Outcome::NotRun);
    }
}
