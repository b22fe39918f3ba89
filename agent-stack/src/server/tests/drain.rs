//! The end of a server loses no request.

use super::*;

const LONG_ANNOUNCE: Grace = Grace {
    announce: Duration::from_secs(3),
    finish: PATIENCE,
};

const NO_ANNOUNCE: Grace = Grace {
    announce: Duration::ZERO,
    finish: PATIENCE,
};

/// Waits until the server takes no connections any more.
async fn until_refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_leaves_says_so_and_still_serves_everyone() {
    let running = Running::start(Limits::default(), LONG_ANNOUNCE).await;
    let mut before = running.client().await;
    assert_eq!(before.get("/").await.unwrap(), (200, false));
    let asked = running.at_the_gate().await;
    running.shutdown.cancel();
    let mut ready = running.client().await;
    assert_eq!(ready.get("/readyz").await.unwrap(), (503, true));
    assert_eq!(running.client().await.get("/healthz").await.unwrap().0, 503);
    assert_eq!(running.client().await.get("/livez").await.unwrap().0, 200);
    assert_eq!(before.get("/").await.unwrap(), (200, true));
    assert_eq!(running.client().await.get("/").await.unwrap(), (200, true));
    until_refused(running.address).await;
    assert!(!running.served.is_finished());
    running.gate.let_one_through();
    assert_eq!(asked.await.unwrap().unwrap(), (200, true));
    running.ends().await;
}

#[tokio::test]
async fn without_an_announcement_open_exchanges_still_finish_and_idle_connections_go_at_once() {
    let running = Running::start(Limits::default(), NO_ANNOUNCE).await;
    let mut idle = running.client().await;
    idle.get("/").await.unwrap();
    let asked = running.at_the_gate().await;
    running.shutdown.cancel();
    until_refused(running.address).await;
    assert!(
        tokio::time::timeout(PATIENCE, idle.get("/"))
            .await
            .unwrap()
            .is_err()
    );
    running.gate.let_one_through();
    assert_eq!(asked.await.unwrap().unwrap().0, 200);
    running.ends().await;
}

#[tokio::test]
async fn an_exchange_without_end_is_cut_off_when_the_grace_is_over() {
    let grace = Grace {
        finish: Duration::from_millis(200),
        ..NO_ANNOUNCE
    };
    let running = Running::start(Limits::default(), grace).await;
    let asked = running.at_the_gate().await;
    running.shutdown.cancel();
    running.ends().await;
    assert!(asked.await.unwrap().is_err());
}

#[tokio::test]
async fn a_client_of_http2_is_sent_away_without_losing_what_it_asked() {
    let running = Running::start(Limits::default(), LONG_ANNOUNCE).await;
    let client = crate::http_client::builder(PATIENCE)
        .http2_prior_knowledge()
        .tls_certs_only([])
        .build()
        .unwrap();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let first = client.get(url("/")).send().await.unwrap();
    assert!(first.status().is_success());
    let asked = tokio::spawn(client.get(url("/gate")).send());
    running.gate.is_reached().await;
    running.shutdown.cancel();
    for _ in 0..20 {
        let answer = client.get(url("/")).send().await.unwrap();
        assert!(answer.status().is_success());
    }
    running.gate.let_one_through();
    assert!(asked.await.unwrap().unwrap().status().is_success());
    running.ends().await;
}
