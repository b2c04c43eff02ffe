//! A process of a function. It handles one invocation after the other.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::runtime_api::{Invocation, router};
use super::{InvokeError, InvokeResult, Program, timed_out};
use crate::logs::{Logs, Output};
use crate::template::Function;

/// The maximum time before a process requests its first event. Lambda allows 10 s, but on a machine of its own.
const INIT_LIMIT: Duration = Duration::from_secs(60);

/// A running process with its own runtime API. Dropping the value kills the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    output: Output,
    invocations: mpsc::Sender<Invocation>,
    server: AbortHandle,
}

/// Whether a process had fetched the event when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// The event may have been processed.
    Yes,
    /// The event was not processed.
    No,
}

impl Process {
    /// Starts a process with a runtime API of its own.
    pub(super) async fn start(
        function: &Function,
        program: &Program,
        logs: &Logs,
    ) -> Result<Self, InvokeError> {
        let failed = |error| {
            InvokeError::new(
                "Runtime.InvalidEntrypoint",
                format!("{}: {error}", program.path.display()),
            )
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (invocations, receiver) = mpsc::channel(1);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router(receiver)).await;
        });
        let mut command = Command::new(&program.path);
        // Ctrl-C must only reach the stack, which then ends its processes.
        #[cfg(unix)]
        command.process_group(0);
        let output = Output::new(&function.name, logs).map_err(failed)?;
        let child = command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(&program.environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.logical_id)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env(
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                function.memory.to_string(),
            )
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .stdin(Stdio::null())
            .stdout(output.writer().map_err(failed)?)
            .stderr(output.writer().map_err(failed)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        Ok(Self {
            child,
            output,
            invocations,
            server: server.abort_handle(),
        })
    }

    /// Returns the process, unless it has ended.
    pub(super) fn if_alive(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    /// Runs one invocation. `Ok` contains the function's result, including an error that the function reported. After `Err`, the
    /// process cannot be used again.
    pub(super) async fn run(
        &mut self,
        request_id: &str,
        arn: &str,
        timeout: Duration,
        payload: Bytes,
    ) -> Result<InvokeResult, (Started, InvokeError)> {
        let (started, mut has_started) = oneshot::channel();
        let (done, mut is_done) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.to_owned(),
            arn: arn.to_owned(),
            timeout,
            payload,
            started,
            done,
        };
        if self.invocations.send(invocation).await.is_err() {
            return Err((
                Started::No,
                InvokeError::new("Runtime.Unknown", "the runtime API has ended"),
            ));
        }
        tokio::select! {
            biased;
            _ = &mut has_started => {}
            Ok(result) = &mut is_done => return Ok(result),
            status = self.child.wait() => return Err((Started::No, exited(status))),
            () = tokio::time::sleep(INIT_LIMIT) => return Err((Started::No, InvokeError::new(
                "Runtime.InitTimeout",
                format!("the function did not request an event within {} seconds", INIT_LIMIT.as_secs()),
            ))),
        }
        tokio::select! {
            biased;
            Ok(result) = &mut is_done => Ok(result),
            status = self.child.wait() => Err((Started::Yes, exited(status))),
            () = tokio::time::sleep(timeout) => Err((Started::Yes, timed_out(timeout))),
        }
    }

    /// Waits until everything that the process has written is in the logs.
    pub(super) async fn drain_output(&self) {
        self.output.drain().await;
    }

    /// Kills the process and waits until it has ended and everything that it wrote is in the logs.
    pub(super) async fn end(mut self) {
        let _ = self.child.kill().await;
        self.output.drain().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Aborting the server also drops the channel of invocations. `kill_on_drop` kills the child.
        self.server.abort();
    }
}

fn exited(status: std::io::Result<ExitStatus>) -> InvokeError {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    InvokeError::new(
        "Runtime.ExitError",
        format!("Runtime exited with error: {status}"),
    )
}
