//! The Lambda function: wiring alone. What it does is in the library.

use ingest::{App, Deadline, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// Rows are many small pieces of memory, taken and given back: with the C library's allocator a row takes a tenth more of the CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::logs::init();
    let app = App::from_env()?;
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        handle(&app, event.payload, Deadline::at(event.context.deadline()))
    }))
    .await
}
