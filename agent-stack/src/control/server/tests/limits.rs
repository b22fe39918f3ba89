//! What callers may cost, and that no caller can take what the orchestrator needs.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longer than any test: what ends earlier was ended by another limit.
const NEVER: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_millis(20);
/// Preface and empty SETTINGS of a client (RFC 9113, section 3.4).
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Limits that end nothing by themselves.
fn patient() -> Limits {
    Limits {
        handshake: NEVER,
        first_byte: NEVER,
        ping: NEVER,
        ..Limits::default()
    }
}

/// Limits that soon end whoever answers no ping.
fn impatient() -> Limits {
    Limits {
        ping: SOON,
        pong: SOON,
        ..patient()
    }
}

/// A control agent within limits.
struct Guarded {
    authority: Authority,
    address: SocketAddr,
}

impl Guarded {
    async fn within(limits: Limits) -> Self {
        let authority = Authority::new();
        let address = agent_within(limits, &authority, &FakeApi::default()).await;
        Self { authority, address }
    }

    fn orchestrator(&self) -> Channel {
        let identity = self.authority.client(&identity::client_uri(RUN));
        channel(self.address, trusting(&self.authority).identity(identity))
    }

    /// A peer that connects and says nothing.
    async fn silent(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection of the orchestrator that speaks no HTTP/2 by itself.
    async fn raw(&self) -> TlsStream<TcpStream> {
        let shaken = shake_hands(&self.authority, self.address, &[&TLS13]).await;
        shaken.unwrap()
    }
}

async fn is_served(channel: &Channel) -> bool {
    describe_as(channel.clone(), Some(RUN)).await.is_ok()
}

#[tokio::test]
async fn one_connection_too_many_is_refused_and_the_others_live() {
    let limits = Limits {
        connections: 2,
        ..patient()
    };
    let agent = Guarded::within(limits).await;
    let [first, second, third] = [0, 1, 2].map(|_| agent.orchestrator());
    assert!(is_served(&first).await && is_served(&second).await);
    assert!(!is_served(&third).await);
    assert!(is_served(&first).await && is_served(&second).await);
    drop(first);
    while !is_served(&third).await {
        tokio::task::yield_now().await;
    }
    assert!(is_served(&second).await);
}

#[tokio::test]
async fn handshakes_that_never_end_keep_nobody_out() {
    let limits = Limits {
        handshakes: 3,
        ..patient()
    };
    let agent = Guarded::within(limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(agent.silent().await);
    }
    assert!(is_served(&agent.orchestrator()).await);
    // The oldest were ended for it.
    assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let limits = Limits {
        handshake: SOON,
        ..patient()
    };
    let agent = Guarded::within(limits).await;
    let mut silent = agent.silent().await;
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
}

/// Everything that comes until the agent ends the connection, with or without a word of TLS.
async fn until_the_end(mut connection: TlsStream<TcpStream>) -> Vec<u8> {
    let mut heard = Vec::new();
    let _ = connection.read_to_end(&mut heard).await;
    heard
}

/// What a caller hears that greets and then says nothing.
async fn greeted(agent: &Guarded) -> Vec<u8> {
    let mut connection = agent.raw().await;
    connection.write_all(GREETING).await.unwrap();
    until_the_end(connection).await
}

#[tokio::test]
async fn a_caller_that_says_nothing_after_its_handshake_loses_its_seat() {
    let limits = Limits {
        first_byte: SOON,
        ..patient()
    };
    let agent = Guarded::within(limits).await;
    until_the_end(agent.raw().await).await;
}

#[tokio::test]
async fn a_caller_that_answers_no_ping_loses_its_seat() {
    let agent = Guarded::within(impatient()).await;
    let heard = greeted(&agent).await;
    assert!(kinds(&heard).contains(&PING), "{heard:?}");
}

#[tokio::test]
async fn a_caller_is_told_how_many_calls_it_may_make_at_once() {
    let limits = Limits {
        streams: 7,
        ..impatient()
    };
    let agent = Guarded::within(limits).await;
    let heard = greeted(&agent).await;
    let (_, settings) = frames(&heard)
        .find(|(kind, payload)| *kind == SETTINGS && !payload.is_empty())
        .unwrap();
    // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2).
    assert!(
        settings
            .chunks(6)
            .any(|setting| setting == [0, 3, 0, 0, 0, 7]),
        "{settings:?}"
    );
}

const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// Type and payload of each frame of HTTP/2 (RFC 9113, section 4.1).
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<9>()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (payload, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((head[3], payload))
    })
}

fn kinds(bytes: &[u8]) -> Vec<u8> {
    frames(bytes).map(|(kind, _)| kind).collect()
}
