//! The entry point of the Lambda function. The logic is in the library.

use history::handle;
use lambda_http::Error;
use shared::{
    http::{App, run},
    runtime::logs,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let app = App::from_env()?.in_business_zone()?;
    run(&app, handle).await
}
