//! The two listeners. Neither ever fails for what a sender does.

use super::receipts::{MAX_NONCE, Receipts, Transport};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;

/// Longest time a sender may take for its line.
const LINE_DEADLINE: Duration = Duration::from_secs(5);
/// Connections at the same time; more wait.
const MAX_CONNECTIONS: usize = 256;
/// Pause after an error of the socket itself, for example when file descriptors have run out.
const PAUSE: Duration = Duration::from_millis(50);

/// Records the first line of every connection and sends it back.
pub(super) async fn tcp(listener: TcpListener, receipts: Arc<Receipts>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let receipts = Arc::clone(&receipts);
                tokio::spawn(async move {
                    let _ =
                        tokio::time::timeout(LINE_DEADLINE, line(stream, from, &receipts)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn line(mut stream: TcpStream, from: SocketAddr, receipts: &Receipts) -> io::Result<()> {
    let mut nonce = Vec::new();
    let (read, mut write) = stream.split();
    BufReader::new(read.take(MAX_NONCE as u64))
        .read_until(b'\n', &mut nonce)
        .await?;
    receipts.record(&nonce, Transport::Tcp, from);
    write.write_all(&nonce).await?;
    write.shutdown().await
}

/// Records every datagram.
pub(super) async fn udp(socket: UdpSocket, receipts: Arc<Receipts>) {
    let mut nonce = [0; MAX_NONCE];
    loop {
        match socket.recv_from(&mut nonce).await {
            Ok((length, from)) => receipts.record(&nonce[..length], Transport::Udp, from),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
