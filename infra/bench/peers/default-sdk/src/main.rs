//! profile-read built as the SDK's guide describes: with all default features and the default credential chain.

use aws_sdk_dynamodb::config::BehaviorVersion;
use lambda_http::{Error, run, service_fn, tracing};
use profile_read::handle;
use shared::{http::App, runtime::config::Config, table::Table};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let config = Config::from_env()?;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), config.table.clone());
    let app = App::new(config, table);
    run(service_fn(|request| handle(&app, request))).await
}
