//! The entry point of the Lambda function. The logic is in the library.

use imports::{State, handle};
use lambda_http::Error;
use shared::{http::run, runtime::logs};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let state = State::from_env()?;
    run(&state.app, |_, request| handle(&state, request)).await
}
