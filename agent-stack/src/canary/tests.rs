use super::*;
use receipts::Transport;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn listening() -> (SocketAddr, Arc<Receipts>) {
    let (tcp, udp) = open(0).await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let receipts = Arc::new(Receipts::default());
    tokio::spawn(receive::tcp(tcp, Arc::clone(&receipts)));
    tokio::spawn(receive::udp(udp, Arc::clone(&receipts)));
    ((Ipv4Addr::LOCALHOST, port).into(), receipts)
}

/// Datagrams have no answer, so a test can only look until they are there.
async fn arrived(kept: &Receipts, nonce: &str) -> Vec<Receipt> {
    let wait = async {
        loop {
            match kept.of(nonce) {
                nothing if nothing.is_empty() => tokio::task::yield_now().await,
                found => return found,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_line_over_tcp_is_recorded_and_sent_back() {
    let (address, receipts) = listening().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"n-tcp\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "n-tcp\n");
    let from = stream.local_addr().unwrap().to_string();
    assert_eq!(
        receipts.of("n-tcp"),
        [Receipt {
            transport: Transport::Tcp,
            from
        }]
    );
}

#[tokio::test]
async fn a_datagram_is_recorded() {
    let (address, receipts) = listening().await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(b"n-udp", address).await.unwrap();
    let found = arrived(&receipts, "n-udp").await;
    assert_eq!(found[0].transport, Transport::Udp);
}

#[tokio::test]
async fn a_connection_without_a_line_leaves_no_receipt() {
    let (address, receipts) = listening().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(receipts.of("").is_empty());
}
