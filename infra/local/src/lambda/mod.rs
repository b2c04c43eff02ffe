//! Lambda. In: an event and the logical id of a function. Out: the response or error of a process of that function, within the
//! template's timeout and concurrency.
//!
//! Each process handles one invocation at a time.

pub(crate) mod build;
mod process;
mod runtime_api;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use crate::logs::Logs;
use crate::template::{ACCOUNT, Function, REGION};
use process::{Process, Started};

/// The maximum payload of a synchronous invocation in Lambda, in bytes.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
/// The maximum response of a function in Lambda, in bytes.
const MAX_RESPONSE_BYTES: usize = MAX_PAYLOAD_BYTES + 100;

/// The error of a failed invocation: the function's own error, or that of its process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct InvokeError {
    /// The type: for example `Runtime.ExitError`, or the function's own type.
    pub error_type: String,
    /// The message for people.
    pub error_message: String,
}

impl InvokeError {
    pub(crate) fn new(error_type: &str, error_message: impl fmt::Display) -> Self {
        Self {
            error_type: error_type.to_owned(),
            error_message: error_message.to_string(),
        }
    }
}

/// The result of one invocation: the response, or the error of the function or its process.
pub(crate) type InvokeResult = Result<Bytes, InvokeError>;

/// The program that a function's processes run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
}

/// All functions. Dropping the value kills their processes.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: BTreeMap<String, Arc<Pool>>,
    /// Becomes `true` when all invocations must end.
    stop: watch::Sender<bool>,
}

/// The processes of one function.
#[derive(Debug)]
struct Pool {
    arn: String,
    function: Function,
    program: Program,
    logs: Logs,
    /// One permit for each invocation that may run concurrently.
    permits: Semaphore,
    /// The processes without an invocation.
    idle: Mutex<Vec<Process>>,
    /// Changes when the processes with an invocation must be killed.
    killed: watch::Sender<()>,
}

impl Lambda {
    /// Creates the functions. `programs` is keyed by the functions' names; functions without a program are left out.
    pub(crate) fn new(
        functions: &BTreeMap<String, Function>,
        programs: &BTreeMap<String, Program>,
        logs: &Logs,
    ) -> Self {
        let pools = functions.iter().filter_map(|(id, function)| {
            let pool = Pool {
                arn: arn(id),
                program: programs.get(&function.name)?.clone(),
                logs: logs.clone(),
                permits: Semaphore::new(function.concurrency),
                idle: Mutex::default(),
                killed: watch::Sender::new(()),
                function: function.clone(),
            };
            Some((id.clone(), Arc::new(pool)))
        });
        Self {
            functions: pools.collect(),
            stop: watch::Sender::new(false),
        }
    }

    /// Returns the logical id of the function with this name.
    pub(crate) fn with_name(&self, name: &str) -> Option<&str> {
        let found = self
            .functions
            .iter()
            .find(|(_, pool)| pool.function.name == name);
        found.map(|(id, _)| id.as_str())
    }

    /// Invokes a function and waits for its result. As on AWS, the invocation continues if the caller stops waiting.
    pub(crate) async fn invoke(
        &self,
        logical_id: &str,
        request_id: &str,
        payload: Bytes,
    ) -> InvokeResult {
        let Some(pool) = self.functions.get(logical_id).cloned() else {
            return Err(InvokeError::new(
                "ResourceNotFoundException",
                format!("Function not found: {logical_id}"),
            ));
        };
        let mut stop = self.stop.subscribe();
        let request_id = request_id.to_owned();
        let invocation = tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(InvokeError::new("Local.Stopped", "the stack was stopped")),
                result = pool.invoke(&request_id, payload) => result,
            }
        });
        invocation
            .await
            .unwrap_or_else(|error| Err(InvokeError::new("Local.Panic", error)))
    }

    /// Kills the processes of a function that have an invocation, as a crash would. Their invocations fail.
    pub(crate) fn kill_working(&self, logical_id: &str) {
        if let Some(pool) = self.functions.get(logical_id) {
            pool.killed.send_replace(());
        }
    }

    /// Kills all processes, including those with an invocation, and rejects further invocations.
    pub(crate) fn kill(&self) {
        self.stop.send_replace(true);
        for pool in self.functions.values() {
            pool.idle().clear();
        }
    }

    /// Kills all processes, including those with an invocation, and waits until they have ended.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        for pool in self.functions.values() {
            let idle = std::mem::take(&mut *pool.idle());
            futures::future::join_all(idle.into_iter().map(Process::end)).await;
        }
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the ARN of a function.
pub(crate) fn arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Invokes an idle process, or a new one. Retries if an idle process died before it fetched the event. When the result is
    /// returned, all log lines of the invocation are in the logs.
    async fn invoke(&self, request_id: &str, payload: Bytes) -> InvokeResult {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|error| InvokeError::new("Local.Stopped", error))?;
        loop {
            let used = std::iter::from_fn(|| self.idle().pop()).find_map(Process::if_alive);
            let is_reused = used.is_some();
            let mut process = match used {
                Some(process) => process,
                None => Process::start(&self.function, &self.program, &self.logs).await?,
            };
            let mut killed = self.killed.subscribe();
            let run = process.run(
                request_id,
                &self.arn,
                self.function.timeout,
                payload.clone(),
            );
            let outcome = tokio::select! {
                biased;
                outcome = run => outcome,
                Ok(()) = killed.changed() => Err((Started::Yes, InvokeError::new("Runtime.ExitError", "Runtime exited with error: signal: killed"))),
            };
            match outcome {
                // The process died while idle, so the event was not processed.
                Err((Started::No, _)) if is_reused => {}
                Ok(result) => {
                    process.drain_output().await;
                    self.idle().push(process);
                    return result;
                }
                Err((_, error)) => {
                    process.end().await;
                    return Err(error);
                }
            }
        }
    }
}

/// Returns the error that Lambda reports after a timeout.
fn timed_out(timeout: Duration) -> InvokeError {
    InvokeError::new(
        "Sandbox.Timedout",
        format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()),
    )
}
