//! Runs a function in its own process, with a Runtime API that sends it events.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    task::AbortHandle,
};

use crate::Failure;

/// The timeout of an invocation. Longer than any measurement.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Clock ticks per second in `/proc` (`USER_HZ`): 100 on x86-64 and arm64.
const TICKS_PER_SECOND: f64 = 100.0;

/// The binary and the environment of a process.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A running function. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Function {
    child: Child,
    began: Instant,
    events: mpsc::Sender<Bytes>,
    polled: mpsc::Receiver<Instant>,
    responses: mpsc::Receiver<Result<Bytes, String>>,
    /// Where callgrind writes its counts.
    counts: Option<PathBuf>,
    server: AbortHandle,
}

/// The state of the Runtime API.
struct Api {
    events: Mutex<mpsc::Receiver<Bytes>>,
    polled: mpsc::Sender<Instant>,
    responses: mpsc::Sender<Result<Bytes, String>>,
}

impl Function {
    /// Starts the process. With `counts`, runs it under callgrind, which writes its counts there.
    pub(crate) async fn start(program: &Program, counts: Option<&Path>) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (events, to_send) = mpsc::channel(1);
        let (polled_sender, polled) = mpsc::channel(16);
        let (response_sender, responses) = mpsc::channel(1);
        let api = std::sync::Arc::new(Api {
            events: Mutex::new(to_send),
            polled: polled_sender,
            responses: response_sender,
        });
        let routes = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(error))
            .route("/init/error", post(error))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(api);
        let router = Router::new().nest("/2018-06-01/runtime", routes);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let mut command = command(program, counts, &address);
        let began = Instant::now();
        let child = command.spawn()?;
        Ok(Self {
            child,
            began,
            events,
            polled,
            responses,
            counts: counts.map(Path::to_owned),
            server: server.abort_handle(),
        })
    }

    /// Waits for the first `/next`. Returns the time since exec.
    pub(crate) async fn wait_ready(&mut self) -> Result<Duration, Failure> {
        let polled = tokio::select! {
            polled = self.polled.recv() => polled,
            error = self.responses.recv() => return Err(format!("{error:?}").into()),
            status = self.child.wait() => return Err(format!("the function ended: {status:?}").into()),
        };
        Ok(polled.ok_or("the function did not request an event")? - self.began)
    }

    /// Sends an event and waits for the response.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Result<Bytes, Failure> {
        self.events.send(event.to_string().into()).await?;
        tokio::select! {
            response = self.responses.recv() => Ok(response.ok_or("the function did not respond")??),
            status = self.child.wait() => Err(format!("the function ended: {status:?}").into()),
        }
    }

    /// Returns the CPU time (user and system) of all threads, in seconds.
    pub(crate) async fn cpu(&self) -> Result<f64, Failure> {
        let id = self.child.id().ok_or("the function has ended")?;
        cpu(&id.to_string()).await
    }

    /// Returns the peak resident memory, in bytes.
    pub(crate) async fn peak_memory(&self) -> Result<u64, Failure> {
        let id = self.child.id().ok_or("the function has ended")?;
        let status = tokio::fs::read_to_string(format!("/proc/{id}/status")).await?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kibibytes.ok_or("/proc/PID/status has no VmHWM")? * 1024)
    }

    /// Waits until the process is idle.
    pub(crate) async fn wait_idle(&self) -> Result<(), Failure> {
        let mut before = self.cpu().await?;
        let mut idle_checks = 0;
        while idle_checks < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.cpu().await?;
            idle_checks = if now > before { 0 } else { idle_checks + 1 };
            before = now;
        }
        Ok(())
    }

    /// Terminates the process. Returns the executed instructions; 0 without callgrind.
    pub(crate) async fn terminate(mut self) -> Result<u64, Failure> {
        let id = self.child.id().ok_or("the function has ended")?;
        Command::new("kill").arg(id.to_string()).status().await?;
        self.child.wait().await?;
        let Some(counts) = &self.counts else {
            return Ok(0);
        };
        let text = tokio::fs::read_to_string(counts).await?;
        let line = text.lines().find_map(|line| line.strip_prefix("totals:"));
        let total = line.and_then(|line| line.trim().parse().ok());
        Ok(total.ok_or("callgrind wrote no totals")?)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Returns the CPU time (user and system) of a process, in seconds. `self` is this process.
pub(crate) async fn cpu(process: &str) -> Result<f64, Failure> {
    let stat = tokio::fs::read_to_string(format!("/proc/{process}/stat")).await?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Returns the time that the cores were not idle, in seconds, summed over all cores.
pub(crate) async fn machine_cpu() -> Result<f64, Failure> {
    let stat = tokio::fs::read_to_string("/proc/stat").await?;
    let ticks = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = ticks
        .split_whitespace()
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal: see proc(5).
    let [user, nice, system, _, _, irq, softirq, steal, ..] = ticks[..] else {
        return Err("/proc/stat has too few fields".into());
    };
    Ok((user + nice + system + irq + softirq + steal) as f64 / TICKS_PER_SECOND)
}

/// Builds the command of a function. With `counts`, runs it under callgrind.
fn command(program: &Program, counts: Option<&Path>, address: &str) -> Command {
    let mut command = match counts {
        None => Command::new(&program.binary),
        Some(counts) => {
            let mut command = Command::new("valgrind");
            command
                .args(["--tool=callgrind", "-q"])
                .arg(format!("--callgrind-out-file={}", counts.display()))
                .arg(&program.binary);
            command
        }
    };
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .envs(
            program
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn next(State(api): State<std::sync::Arc<Api>>) -> Response {
    let _ = api.polled.try_send(Instant::now());
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = (SystemTime::now() + TIMEOUT).duration_since(UNIX_EPOCH);
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", "bench".to_owned()),
        (
            "lambda-runtime-deadline-ms",
            deadline.unwrap_or_default().as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:bench".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn response(State(api): State<std::sync::Arc<Api>>, body: Bytes) -> StatusCode {
    let _ = api.responses.send(Ok(body)).await;
    StatusCode::ACCEPTED
}

async fn error(State(api): State<std::sync::Arc<Api>>, body: Bytes) -> StatusCode {
    let text = String::from_utf8_lossy(&body).into_owned();
    let _ = api.responses.send(Err(text)).await;
    StatusCode::ACCEPTED
}
