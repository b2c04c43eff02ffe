//! The Lambda function: wiring alone. What it does is in the library.

use history::{App, handle};
use lambda_http::{Error, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let app = App::from_env()?;
    run(service_fn(|request| handle(&app, request))).await
}
