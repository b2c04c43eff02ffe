//! The Lambda function. It only connects the library to the Lambda runtime.

// The futures of an import nest more than 128 deep, the compiler's default.
#![recursion_limit = "256"]

use ingest::{App, Deadline, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// Rows make many small allocations. With the C library's allocator, a row takes 10% more CPU time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::runtime::logs::init();
    let app = App::from_env()?;
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        handle(&app, event.payload, Deadline::at(event.context.deadline()))
    }))
    .await
}
