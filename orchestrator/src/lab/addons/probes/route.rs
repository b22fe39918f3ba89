//! One request through a gateway, from this machine.

use super::answer::Answer;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::time::Duration;
use tokio_util::bytes::Bytes;

const LIMIT: Duration = Duration::from_secs(2);
const LARGEST_ANSWER: usize = 16 * 1024;

/// Asks for `path` of `host` at `address`, port 80. Connections are not kept: each request finds its own way.
pub(super) async fn ask(address: &str, host: &str, path: &str) -> Answer {
    match tokio::time::timeout(LIMIT, get(address, host, path)).await {
        Ok(Ok((StatusCode::OK, text))) => Answer::Text(text),
        Ok(Ok((status, text))) => {
            Answer::Trouble(format!("{address} answered {status}: {}", text.trim()))
        }
        Ok(Err(error)) => Answer::Trouble(format!("{address}: {error}")),
        Err(_) => Answer::Trouble(format!("{address} did not answer in {} s", LIMIT.as_secs())),
    }
}

async fn get(
    address: &str,
    host: &str,
    path: &str,
) -> Result<(StatusCode, String), Box<dyn Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{address}{path}"))
        .header(HOST, host)
        .body(Empty::<Bytes>::new())?;
    let response = client.request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST_ANSWER)
        .collect()
        .await?
        .to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers one request with `answer` and returns what was asked.
    async fn serve(listener: TcpListener, answer: &'static str) -> String {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        let read = connection.read(&mut request).await.unwrap();
        connection.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    }

    async fn exchange(answer: &'static str) -> (Answer, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::join!(
            ask(&address, "probe.portproof.test", "/hello"),
            serve(listener, answer)
        )
    }

    #[tokio::test]
    async fn the_request_names_the_routes_host() {
        let (answer, request) = exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nn0nce").await;
        assert!(answer.is_text("n0nce"), "{answer}");
        assert!(
            request
                .to_lowercase()
                .contains("host: probe.portproof.test"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn a_gateway_without_the_route_does_not_pass() {
        let (answer, _) =
            exchange("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nn0nce").await;
        assert!(matches!(answer, Answer::Trouble(_)), "{answer}");
    }
}
