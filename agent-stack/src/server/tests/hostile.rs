//! Slow, silent, broken and greedy clients cost only themselves.

use super::*;

fn short() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        unread: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_off() {
    let running = Running::with_limits(short()).await;
    let (mut reader, mut writer) = running.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        let _ = writer
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            .await;
        while writer.write_all(b"z").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    running.assert_serves().await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, b"");
    tokio::time::timeout(PATIENCE, dripping)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let running = Running::with_limits(short()).await;
    let mut silent = running.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    running.assert_serves().await;
}

#[tokio::test]
async fn a_second_head_on_the_same_connection_has_its_limit_too() {
    let running = Running::with_limits(short()).await;
    let mut client = running.connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhere") {
        client.read_buf(&mut answer).await.unwrap();
    }
    client.write_all(b"GET /").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let running = Running::with_limits(short()).await;
    let mut client = running.connect().await;
    let request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
    client.write_all(request).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    running.assert_serves().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let (alive, mut given_up) = tokio::sync::mpsc::channel::<()>(1);
    let endless = stream::unfold(alive, |alive| async move {
        Some((Ok::<_, Infallible>(Bytes::from(vec![0; 64 * 1024])), alive))
    });
    let body = Arc::new(std::sync::Mutex::new(Some(Body::from_stream(endless))));
    let router = Router::new().route(
        "/",
        get(move || {
            let body = body.lock().unwrap().take().unwrap();
            async move { body }
        }),
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let limited = Server::new(router).with_limits(short());
    let served = tokio::spawn(limited.serve_on(listener, CancellationToken::new()));
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        tokio::time::timeout(PATIENCE, given_up.recv())
            .await
            .unwrap(),
        None
    );
    served.abort();
}

#[tokio::test]
async fn a_stream_that_is_read_outlives_every_limit() {
    let limits = Limits {
        idle: Duration::from_millis(100),
        idle_when_crowded: Duration::from_millis(100),
        head: Duration::from_millis(100),
        body: Duration::from_millis(100),
        unread: Duration::from_millis(100),
        ..Limits::default()
    };
    let running = Running::with_limits(limits).await;
    let answer = running.client().await.send("/slow").await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"line 9\n"), "{body:?}");
}

#[tokio::test]
async fn bytes_that_are_no_http_get_an_error_and_hurt_nobody() {
    let running = Running::with_limits(short()).await;
    let client_hello = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(128..))
        .take(4096)
        .collect();
    let samples: [&[u8]; 5] = [
        &client_hello,
        &noise,
        b"\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nwhatever this is, it is no frame",
    ];
    for sample in samples {
        let mut client = running.connect().await;
        client.write_all(sample).await.unwrap();
        let answer = rest(&mut client).await;
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 400")
            || !answer.starts_with("HTTP/1.1");
        assert!(refused, "{answer}");
        running.assert_serves().await;
    }
    let mut tls = running.connect().await;
    tls.write_all(&client_hello).await.unwrap();
    assert!(rest(&mut tls).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let running = Running::with_limits(Limits::default()).await;
    let mut client = running.connect().await;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n",
        "z".repeat(64 * 1024)
    );
    let _ = client.write_all(head.as_bytes()).await;
    let answer = rest(&mut client).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    running.assert_serves().await;
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_for_one_that_asks() {
    let running = Running::with_limits(Limits::default()).await;
    allow_many_files();
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(running.connect().await);
    }
    running.assert_serves().await;
}

/// Both ends of every connection are in this process.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

#[tokio::test]
async fn when_places_run_out_the_idle_make_room() {
    let limits = Limits {
        connections: 16,
        idle_when_crowded: Duration::from_millis(100),
        head: Duration::from_millis(200),
        ..Limits::default()
    };
    let running = Running::with_limits(limits).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        let mut client = running.client().await;
        client.get("/").await.unwrap();
        idle.push(client);
    }
    tokio::time::timeout(PATIENCE, running.assert_serves())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let limits = Limits {
        idle: Duration::from_millis(100),
        head: Duration::from_millis(200),
        ..Limits::default()
    };
    let running = Running::with_limits(limits).await;
    let mut client = running.connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.ends_with("\r\n\r\nhere"), "{answer}");
}
