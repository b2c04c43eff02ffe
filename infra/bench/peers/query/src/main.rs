//! The lower bound of a profile read: sends the query of profile-read with the same client. Returns the number of items.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use lambda_http::{Error, Request, run, service_fn};
use shared::{model::keys, runtime::config::Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    let (client, table) = (config.dynamodb(), config.table.clone());
    run(service_fn(|request: Request| {
        let (client, table) = (client.clone(), table.clone());
        async move {
            let id = request.uri().path().rsplit('/').next().unwrap_or_default();
            let response = client
                .query()
                .table_name(table)
                .key_condition_expression("PK = :pk AND SK >= :low")
                .expression_attribute_values(":pk", AttributeValue::S(id.to_owned()))
                .expression_attribute_values(":low", AttributeValue::S(keys::FIRST_READ.to_owned()))
                .scan_index_forward(false)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            Ok::<_, Error>(format!("{{\"items\": {}}}", response.count()))
        }
    }))
    .await
}
