//! Carries a plan out: one thread keeps the schedule, one task for each slot sends, one collects.

use super::event;
use super::plan::Plan;
use crate::control::clock;
use crate::control::stream::Events;
use crate::control::traffic::connection::{Slot, Target};
use crate::control::traffic::outcome::Answer;
use futures::future::join_all;
use portproof_proto::v1::traffic_event::Event;
use portproof_proto::v1::{
    TrafficEvent, TrafficFailure, TrafficFinished, TrafficSample, TrafficSamples,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Time between the first possible moment and the first request, so that every slot is waiting by then.
const LEAD: Duration = Duration::from_millis(5);
/// A request sent later than this counts as started late.
const LATE: Duration = Duration::from_millis(1);
/// Samples of one message.
const BATCH: usize = 1_000;
/// Longest time a sample waits for others to travel with.
const PATIENCE: Duration = Duration::from_millis(200);

/// A request of the schedule.
#[derive(Clone, Copy, Debug)]
struct Due {
    index: u32,
    at: Instant,
}

/// A plan with its connections open.
pub(super) struct Prepared {
    plan: Plan,
    slots: Vec<Slot>,
}

/// Opens every connection before the first request is due.
pub(super) async fn prepare(plan: &Plan, target: Target) -> Prepared {
    let target = Arc::new(target);
    let dialled = Arc::new(AtomicU32::new(0));
    let open = (0..plan.connections).map(|_| {
        let mut slot = Slot::new(Arc::clone(&target), Arc::clone(&dialled));
        async move {
            slot.prepare().await;
            slot
        }
    });
    Prepared {
        slots: join_all(open).await,
        plan: plan.clone(),
    }
}

impl Prepared {
    /// Sends everything, waits for every answer or its timeout, and adds up.
    pub(super) async fn carry_out(
        self,
        events: &Events<TrafficEvent>,
    ) -> Result<TrafficFinished, JoinError> {
        let (samples, collected) = mpsc::unbounded_channel();
        // Dropping the set, when the caller goes away, ends the slots; without them the scheduler ends too.
        let mut working = JoinSet::new();
        let mut queues = Vec::new();
        for slot in self.slots {
            let (queue, due) = mpsc::unbounded_channel();
            queues.push(queue);
            working.spawn(work(slot, due, samples.clone(), self.plan.timeout));
        }
        drop(samples);
        let plan = self.plan.clone();
        let scheduler = tokio::task::spawn_blocking(move || keep_schedule(&plan, &queues));
        let finished = collect(self.plan.requests, collected, events).await;
        scheduler.await?;
        Ok(finished)
    }
}

/// Hands each request to its slot when it is due. A thread of its own, because timers of the runtime are only good
/// to a millisecond.
fn keep_schedule(plan: &Plan, queues: &[mpsc::UnboundedSender<Due>]) {
    let start = Instant::now() + LEAD;
    let mut turns = Turns::new(queues.len());
    for index in 0..plan.requests {
        let queue = &queues[turns.next_slot()];
        let at = start + plan.due(index);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if queue.send(Due { index, at }).is_err() {
            return;
        }
    }
}

/// Whose turn it is: every slot once a round, each round in an order of its own. In a fixed order the slots would fall in
/// step with a gateway that deals requests out in turn, and its canary would answer only some connections.
struct Turns {
    order: Vec<usize>,
    next: usize,
    random: fastrand::Rng,
}

impl Turns {
    fn new(slots: usize) -> Self {
        Self {
            order: (0..slots).collect(),
            next: slots,
            random: fastrand::Rng::with_seed(0x90),
        }
    }

    fn next_slot(&mut self) -> usize {
        if self.next == self.order.len() {
            self.random.shuffle(&mut self.order);
            self.next = 0;
        }
        self.next += 1;
        self.order[self.next - 1]
    }
}

/// One slot at work: one request after the other, in their order.
async fn work(
    mut slot: Slot,
    mut queue: mpsc::UnboundedReceiver<Due>,
    samples: mpsc::UnboundedSender<TrafficSample>,
    timeout: Duration,
) {
    while let Some(due) = queue.recv().await {
        let sent = Instant::now();
        let sample = if sent.saturating_duration_since(due.at) > timeout {
            sample(due, sent, &slot, Err(TrafficFailure::Dropped))
        } else {
            let outcome = slot.ask().await;
            sample(due, sent, &slot, outcome)
        };
        if samples.send(sample).is_err() {
            return;
        }
        slot.prepare().await;
    }
}

fn sample(
    due: Due,
    sent: Instant,
    slot: &Slot,
    outcome: Result<Answer, TrafficFailure>,
) -> TrafficSample {
    let failure = outcome
        .as_ref()
        .map_or_else(|failure| *failure, Answer::failure);
    let mut sample = TrafficSample {
        index: due.index,
        due_ns: clock::at_ns(due.at),
        sent_ns: clock::at_ns(sent),
        done_ns: clock::now_ns(),
        connection: slot.number(),
        ..TrafficSample::default()
    };
    sample.set_failure(failure);
    if let Ok(answer) = outcome {
        sample.status = u32::from(answer.status);
        sample.backend = answer.backend;
    }
    sample
}

/// Passes samples on in batches and adds them up.
async fn collect(
    scheduled: u32,
    samples: mpsc::UnboundedReceiver<TrafficSample>,
    events: &Events<TrafficEvent>,
) -> TrafficFinished {
    let mut finished = TrafficFinished {
        scheduled,
        ..TrafficFinished::default()
    };
    let mut batches = pin!(UnboundedReceiverStream::new(samples).chunks_timeout(BATCH, PATIENCE));
    while let Some(samples) = batches.next().await {
        for sample in &samples {
            add(&mut finished, sample);
        }
        events
            .send(event(Event::Samples(TrafficSamples { samples })))
            .await;
    }
    finished
}

fn add(finished: &mut TrafficFinished, sample: &TrafficSample) {
    match sample.failure() {
        TrafficFailure::Unspecified => finished.completed += 1,
        TrafficFailure::Dropped => finished.dropped += 1,
        _ => finished.failed += 1,
    }
    let late = clock::nanoseconds(LATE);
    if sample.failure() != TrafficFailure::Dropped
        && sample.sent_ns.saturating_sub(sample.due_ns) > late
    {
        finished.started_late += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn every_slot_has_one_turn_a_round_and_no_two_rounds_need_be_alike() {
        let mut turns = Turns::new(16);
        let mut round = || (0..16).map(|_| turns.next_slot()).collect::<Vec<_>>();
        let (one, other) = (round(), round());
        let sorted = |mut round: Vec<usize>| {
            round.sort_unstable();
            round
        };
        assert_ne!(one, other);
        assert_eq!(sorted(one), (0..16).collect::<Vec<_>>());
        assert_eq!(sorted(other), (0..16).collect::<Vec<_>>());
    }
}
