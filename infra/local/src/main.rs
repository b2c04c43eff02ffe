//! The command: starts the stack, imports the sample data, prints usage examples, and runs until it receives a stop signal.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::arguments::{Arguments, Command};
use local::{Error, Stack};

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
        outcome = cli::serve(&stack, arguments) => outcome,
        () = &mut stop => Ok(()),
    };
    stack.shutdown().await;
    outcome
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
