//! The Lambda function: wiring alone. What it does is in the library.

use history::{App, handle};
use lambda_http::Error;
use shared::http::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::logs::init();
    let app = App::from_env()?;
    // A connection is opened while the first event is being fetched.
    run(|request| handle(&app, request), app.warm()).await
}
