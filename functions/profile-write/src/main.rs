//! The entry point of the Lambda function. The logic is in the library.

use lambda_http::Error;
use profile_write::handle;
use shared::{
    http::{App, run},
    runtime::logs,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let app = App::from_env()?.in_business_zone()?;
    // The function does not start without the key.
    app.config.require_identity_key()?;
    run(&app, handle).await
}
