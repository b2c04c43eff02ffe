//! The command: starts the stack, imports the sample data, prints usage examples, and runs until it receives a stop signal.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

mod account;
mod arguments;
mod progress;
mod sample_import;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use local::{Error, Stack};
use progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Generate {
            customers,
            out,
            seed,
        }) => samples::generate(*customers, *seed, out)
            .map(|summary| println!("{summary}"))
            .map_err(|error| format!("{}: {error}", out.display())),
        None => run(&arguments).await.map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Error> {
    let stop = stop_signal();
    tokio::pin!(stop);
    let stack = tokio::select! {
        stack = Stack::start(arguments.options()) => stack?,
        () = &mut stop => return Ok(()),
    };
    let outcome = tokio::select! {
        outcome = serve(&stack, arguments) => outcome,
        () = &mut stop => Ok(()),
    };
    stack.shutdown().await;
    outcome
}

/// Imports the sample data, prints usage examples, and then shows imports.
async fn serve(stack: &Stack, arguments: &Arguments) -> Result<(), Error> {
    // Log lines and progress bars would overwrite each other.
    let with_bars = std::io::stderr().is_terminal() && !arguments.logs;
    let mut progress = Progress::new(stack.imports(), with_bars);
    let with_samples = !arguments.empty && !arguments.services_only;
    if with_samples && stack.is_empty() {
        sample_import::drop_all(&mut progress, stack.api_url()).await?;
    }
    let lines = ready(stack);
    let usage = if arguments.services_only {
        String::new()
    } else if with_samples {
        sample_import::usage(stack).await
    } else {
        sample_import::usage_empty(stack)
    };
    progress.aside(|| {
        // Not an error: standard output may be closed.
        let mut out = std::io::stdout();
        let _ = write!(out, "{lines}{usage}").and_then(|()| out.flush());
        if std::io::stderr().is_terminal() {
            eprintln!("Ctrl-C stops it.");
        }
    });
    while progress.next().await.is_some() {}
    std::future::pending().await
}

/// Returns the line that other programs wait for.
fn ready(stack: &Stack) -> String {
    let api = if stack.api_url().is_empty() {
        String::new()
    } else {
        format!(" api={}", stack.api_url())
    };
    let (s3, bucket) = (stack.s3_url(), stack.bucket());
    format!(
        "ready{api} s3={s3} bucket={bucket} dynamodb={} table={}\n",
        stack.dynamodb_url(),
        stack.table()
    )
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}
