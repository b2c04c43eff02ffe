//! The Lambda function: wiring alone. What it does is in the library.

use lambda_http::{Error, run, service_fn, tracing};
use profile_read::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let app = App::from_env()?;
    run(service_fn(|request| handle(&app, request))).await
}
