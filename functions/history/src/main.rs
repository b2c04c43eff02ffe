//! The Lambda function: wiring alone. What it does is in the library.

use history::{App, handle};
use lambda_http::{Error, run, service_fn};
use shared::http::run_and_warm;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::logs::init();
    let app = App::from_env()?;
    // A connection is opened while the first event is being fetched.
    let service = run(service_fn(|request| handle(&app, request)));
    run_and_warm(service, app.warm()).await
}
