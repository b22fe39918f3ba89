//! The three ways to try.

use super::{Outcome, ProbeAnswer, ProbeRequest, classify};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

/// Largest HTTP answer that is looked at, in bytes.
const MAX_ANSWER: usize = 64 << 10;

pub(super) async fn tcp(request: &ProbeRequest, limit: Duration) -> ProbeAnswer {
    let deadline = Instant::now() + limit;
    let stream = match connect(request.address, deadline).await {
        Ok(stream) => stream,
        Err(answer) => return answer,
    };
    match timeout_at(deadline, echo(stream, &request.nonce)).await {
        Ok(Ok(received)) => answered("connected", Some(received)),
        Ok(Err(error)) => answered(format!("connected, then {}", classify(&error).1), None),
        Err(_) => answered("connected, no echo in time", None),
    }
}

async fn connect(address: SocketAddr, deadline: Instant) -> Result<TcpStream, ProbeAnswer> {
    match timeout_at(deadline, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(ProbeAnswer {
            outcome: Outcome::Timeout,
            detail: "no answer in time".into(),
            received: None,
        }),
    }
}

/// Sends the nonce as a line and says whether the same line comes back.
async fn echo(mut stream: TcpStream, nonce: &str) -> io::Result<bool> {
    let line = format!("{nonce}\n");
    stream.write_all(line.as_bytes()).await?;
    let mut back = vec![0; line.len()];
    stream.read_exact(&mut back).await?;
    Ok(back == line.as_bytes())
}

pub(super) async fn udp(request: &ProbeRequest) -> ProbeAnswer {
    match datagram(request).await {
        Ok(()) => answered("datagram sent", None),
        Err(error) => failed(&error),
    }
}

async fn datagram(request: &ProbeRequest) -> io::Result<()> {
    let socket = match request.address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
    };
    socket
        .send_to(request.nonce.as_bytes(), request.address)
        .await
        .map(drop)
}

pub(super) async fn http(request: &ProbeRequest, limit: Duration) -> ProbeAnswer {
    let deadline = Instant::now() + limit;
    let stream = match connect(request.address, deadline).await {
        Ok(stream) => stream,
        Err(answer) => return answer,
    };
    match timeout_at(deadline, get(stream, request)).await {
        Ok(Ok((status, received))) => answered(format!("HTTP {status}"), Some(received)),
        Ok(Err(detail)) => ProbeAnswer {
            outcome: Outcome::NotRun,
            detail: format!("connected, then {detail}"),
            received: None,
        },
        Err(_) => ProbeAnswer {
            outcome: Outcome::Timeout,
            detail: "connected, no answer in time".into(),
            received: None,
        },
    }
}

/// The status of the answer, and whether the nonce is in its body.
async fn get(stream: TcpStream, request: &ProbeRequest) -> Result<(u16, bool), String> {
    let path = request
        .path
        .clone()
        .unwrap_or_else(|| format!("/reach?nonce={}", request.nonce));
    let sent = Request::get(path)
        .header(http::header::HOST, request.address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let answer = sender
        .send_request(sent)
        .await
        .map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    connection.abort();
    let received = body
        .to_bytes()
        .windows(request.nonce.len())
        .any(|window| window == request.nonce.as_bytes());
    Ok((status, received))
}

fn answered(detail: impl Into<String>, received: Option<bool>) -> ProbeAnswer {
    ProbeAnswer {
        outcome: Outcome::Sent,
        detail: detail.into(),
        received,
    }
}

fn failed(error: &io::Error) -> ProbeAnswer {
    let (outcome, detail) = classify(error);
    ProbeAnswer {
        outcome,
        detail,
        received: None,
    }
}
