//! The entry point of the Lambda function. The logic is in the library.

use lambda_http::Error;
use note_write::{App, handle};
use shared::http::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::runtime::logs::init();
    let app = App::from_env()?;
    // The connection opens while the runtime fetches the first event.
    run(|request| handle(&app, request), app.warm()).await
}
