//! The entry point of the Lambda function. The logic is in the library.

use audit::{App, Event, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::runtime::logs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let app = App::from_env()?;
    run(service_fn(|event: LambdaEvent<Event>| {
        handle(&app, event.payload)
    }))
    .await
}
