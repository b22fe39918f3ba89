//! Steps side by side, and what ends them.

use super::*;
use axum::extract::Request;
use axum::middleware::{self, Next};
use tokio_util::sync::CancellationToken;

fn many(count: usize) -> Script {
    let steps: Vec<_> = (0..count)
        .map(|number| json!({"id": format!("s{number}"), "tool": "count"}))
        .collect();
    vec![plan(&json!(steps)), says("done")]
}

#[tokio::test]
async fn independent_steps_are_under_way_at_once() {
    let barrier = Arc::new(Barrier::new(MAX_AT_ONCE));
    let behaviour = behaves(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            // Nobody passes before all have come.
            barrier.wait().await;
            CallToolResult::structured(json!({"n": 7}))
        }
    });
    let (events, _) = asked(setup(many(MAX_AT_ONCE), behaviour)).await;
    let calls: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::Call { call_id, .. } => Some(call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["s0", "s1", "s2", "s3"]);
    let Some(AgentEvent::Answer { evidence, .. }) = events.last() else {
        panic!("{events:?}")
    };
    let proven: Vec<_> = evidence.iter().map(|call| call.call_id.as_str()).collect();
    assert_eq!(proven, calls);
}

#[tokio::test]
async fn no_more_steps_are_under_way_than_the_bound_allows() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let behaviour = behaves(move |_| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            CallToolResult::structured(json!({"n": 7}))
        }
    });
    let (events, _) = asked(setup(many(12), behaviour)).await;
    assert!(
        matches!(events.last(), Some(AgentEvent::Answer { .. })),
        "{events:?}"
    );
    assert!(seen.load(Ordering::SeqCst) <= MAX_AT_ONCE);
}

#[tokio::test]
async fn a_call_under_way_at_the_deadline_is_told_as_a_timeout() {
    let bench = Bench::start(setup(two_steps(), behaves(|_| std::future::pending()))).await;
    let events = bench.ask(1).await;
    let (part, _, evidence, message) = failure(&events);
    assert_eq!(
        (part, message),
        (FailedPart::Agent, "the task was not done within 1 s")
    );
    assert_eq!(outcomes(evidence), [("a", CallOutcome::Timeout, 1)]);
    let result = events
        .iter()
        .find(|event| matches!(event, AgentEvent::Result { .. }));
    assert!(matches!(
        result,
        Some(AgentEvent::Result {
            outcome: CallOutcome::Timeout,
            ..
        })
    ));
    let spans = bench.stop();
    let execute = spans
        .iter()
        .find(|span| span.name == "execute_tool count")
        .unwrap();
    assert_eq!(attribute(execute, "error.type").as_deref(), Some("timeout"));
}

/// Tells when the request it belongs to is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work() {
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let (reached, mut reports) = mpsc::unbounded_channel();
    let model = Router::new().fallback(move || async move {
        let guard = Dropped(sender);
        let _ = reached.send(());
        std::future::pending::<()>().await;
        drop(guard);
    });
    let asked = Arc::new(AtomicU32::new(0));
    let bench = Bench::between(model, fakes::gateway(counts(), 0), HASTY, asked).await;
    let answer = bench.post(60).await;
    reports.recv().await.unwrap();
    drop(answer);
    let gone = tokio::time::timeout(Duration::from_secs(30), dropped.recv()).await;
    assert_eq!(gone, Ok(Some(())));
    bench.stop();
}

/// The answer of a task behind such a gateway, with little time for each attempt.
async fn answered_behind(gateway: Router) -> AgentEvent {
    let policy = RetryPolicy {
        limit: Duration::from_secs(2),
        ..HASTY
    };
    let bench = Bench::scripted(two_steps(), gateway, policy).await;
    let last = bench.ask(60).await.pop().unwrap();
    bench.stop();
    assert!(matches!(last, AgentEvent::Answer { .. }), "{last:?}");
    last
}

/// A proxy whose backend has vanished takes a request and never answers it.
#[tokio::test]
async fn a_gateway_that_says_nothing_when_the_tools_are_asked_for_is_asked_again() {
    let requests = Arc::new(AtomicU32::new(0));
    let first_is_silent = move |request: Request, next: Next| {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 0 {
                std::future::pending::<()>().await;
            }
            next.run(request).await
        }
    };
    let gateway = fakes::gateway(counts(), 0).layer(middleware::from_fn(first_is_silent));
    let last = answered_behind(gateway).await;
    assert!(
        matches!(last, AgentEvent::Answer { retries: 1.., .. }),
        "{last:?}"
    );
}

/// The tool gateway learns that nobody waits any more only when the request ends.
#[tokio::test]
async fn an_attempt_that_took_too_long_is_ended_where_it_is_worked_on() {
    let (calls, given_up) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
    let first_hangs = move |request: Request, next: Next| {
        let given_up = given_up.clone();
        let is_call = request
            .headers()
            .get("mcp-method")
            .is_some_and(|method| method == "tools/call");
        let number = calls.fetch_add(u32::from(is_call), Ordering::SeqCst);
        async move {
            if is_call && number == 0 {
                let _guard = given_up.drop_guard();
                std::future::pending::<()>().await;
            } else if is_call {
                given_up.cancelled().await;
            }
            next.run(request).await
        }
    };
    let gateway = fakes::gateway(counts(), 0).layer(middleware::from_fn(first_hangs));
    answered_behind(gateway).await;
}
