//! S3 notifications. In: created objects. Out: invocations of functions with the S3 event, retried as Lambda retries asynchronous
//! invocations.

mod event;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::{event, failed};
use jiff::Timestamp;
use serde_json::Value;
pub(crate) use target::Target;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::lambda::InvokeError;
use crate::logs::Logs;
use crate::s3::Created;
use crate::template::{Function, Notification};

/// The waits before the first and the second retry. Lambda waits one and two minutes.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The delivery of events. S3 and Lambda guarantee at-least-once delivery without an order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivery {
    /// The number of additional deliveries of each event.
    pub duplicates: u32,
    /// The maximum random delay of an event.
    pub scatter: Duration,
}

/// Sends notifications to the functions that subscribe to them in the template.
#[derive(Debug, Clone)]
pub(crate) struct Notifier {
    pub(crate) functions: Arc<Vec<Function>>,
    pub(crate) bucket: String,
    pub(crate) target: Target,
    pub(crate) delivery: Delivery,
    /// The client that writes dead-lettered events.
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) logs: Logs,
}

impl Notifier {
    /// Delivers notifications until the store is dropped. As in S3, deliveries run concurrently and in no order. Each sender in
    /// `rest` is notified when no delivery is left.
    pub(crate) async fn run(
        self,
        mut created: mpsc::UnboundedReceiver<Created>,
        mut rest: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ) {
        let mut deliveries = JoinSet::new();
        let mut waiting = Vec::new();
        loop {
            // A delivery may have created objects before it ended, so these are taken first.
            while let Ok(created) = created.try_recv() {
                self.begin(&created, &mut deliveries);
            }
            if deliveries.is_empty() {
                waiting.drain(..).for_each(|waiting: oneshot::Sender<()>| {
                    let _ = waiting.send(());
                });
            }
            tokio::select! {
                next = created.recv() => {
                    let Some(created) = next else { break };
                    self.begin(&created, &mut deliveries);
                }
                Some(_) = deliveries.join_next() => {}
                Some(asked) = rest.recv() => waiting.push(asked),
            }
        }
    }

    /// Starts the deliveries for a created object.
    fn begin(&self, created: &Created, deliveries: &mut JoinSet<()>) {
        if created.bucket != self.bucket {
            return;
        }
        for function in self.functions.iter() {
            let rules = &function.notifications;
            let Some(rule) = rules.iter().position(|rule| applies(rule, created)) else {
                continue;
            };
            let event = event(created, rule);
            for _ in 0..=self.delivery.duplicates {
                let (notifier, function, event) = (self.clone(), function.clone(), event.clone());
                let wait = self.delivery.scatter.mul_f64(rand::random());
                deliveries.spawn(async move {
                    tokio::time::sleep(wait).await;
                    notifier.deliver(&function, event).await;
                });
            }
        }
    }

    /// Invokes a function with an event. A failed event is retried, and then dead-lettered.
    pub(crate) async fn deliver(&self, function: &Function, event: Value) {
        let id = Uuid::new_v4().to_string();
        let payload = Bytes::from(event.to_string());
        let mut waits = BACKOFF.iter().take(function.retries);
        loop {
            let error = match self.target.invoke(function, &id, payload.clone()).await {
                Ok(()) => return,
                Err(error) if error.error_type == "Local.Stopped" => return,
                Err(error) => error,
            };
            self.logs
                .push("local", format!("{}: {error}", function.logical_id));
            match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return self.dead_letter(function, &id, event, &error).await,
            }
        }
    }

    /// Writes an event to `failed/`, in place of Lambda's on-failure destination and in its format.
    async fn dead_letter(&self, function: &Function, id: &str, event: Value, error: &InvokeError) {
        let failed = failed(function, id, event, error, Timestamp::now());
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(format!("failed/{id}.json"));
        let put = put
            .content_type("application/json")
            .body(failed.to_string().into_bytes().into());
        if let Err(error) = put.send().await {
            self.logs
                .push("local", format!("failed/{id}.json: {error}"));
        }
    }
}

fn applies(rule: &Notification, created: &Created) -> bool {
    let event = rule.event.strip_prefix("s3:").unwrap_or(&rule.event);
    let matches = match event.strip_suffix('*') {
        Some(start) => created.event.starts_with(start),
        None => created.event == event,
    };
    matches && created.key.starts_with(&rule.prefix) && created.key.ends_with(&rule.suffix)
}
