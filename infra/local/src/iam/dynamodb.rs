//! A proxy in front of DynamoDB. Determines the actions of a request and forwards the allowed ones.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

use super::{Permissions, Refusal};
use crate::template::{ACCOUNT, REGION};

/// The maximum size of a request in DynamoDB, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The state of the proxy.
struct IamProxy {
    permissions: Arc<Permissions>,
    /// The ARN of the only table.
    table: String,
    /// The address of DynamoDB itself.
    authority: String,
    client: Client<HttpConnector, Body>,
}

/// Creates the proxy. `authority` is the address of DynamoDB itself.
pub(crate) fn router(permissions: Arc<Permissions>, table: &str, authority: String) -> Router {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = IamProxy {
        permissions,
        table: format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"),
        authority,
        client: Client::builder(TokioExecutor::new()).build(connector),
    };
    Router::new().fallback(forward).with_state(Arc::new(proxy))
}

/// Forwards a request, unless the caller is a function that may not do what it contains.
async fn forward(State(proxy): State<Arc<IamProxy>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder()
        .scheme("http")
        .authority(proxy.authority.as_str())
        .path_and_query(path);
    let (Ok(uri), Ok(body)) = (uri.build(), to_bytes(body, MAX_BODY_BYTES).await) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Some(function) = proxy.permissions.caller(&parts.headers, &parts.uri) {
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.split_once('.'));
        let operation = operation.map_or("", |(_, operation)| operation);
        let resource = resource(&proxy.table, operation, &body);
        for (number, action) in actions(operation, &body).into_iter().enumerate() {
            let action = format!("dynamodb:{action}");
            let keys = leading_keys(operation, number, &body);
            if let Err(refusal) = proxy.permissions.check(function, &action, &resource, &keys) {
                return denied(&refusal);
            }
        }
    }
    parts.uri = uri;
    match proxy
        .client
        .request(Request::from_parts(parts, Body::from(body)))
        .await
    {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// The statements of a request, from which the actions are derived. Other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statements {
    #[serde(default, alias = "TransactStatements")]
    statements: Vec<Statement>,
    statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    statement: String,
}

/// Returns the ARN that IAM checks: that of the index which a query or a scan names, else that of the table.
fn resource(table: &str, operation: &str, body: &[u8]) -> String {
    let request: Value = match operation {
        "Query" | "Scan" => serde_json::from_slice(body).unwrap_or_default(),
        _ => Value::Null,
    };
    let index = request["IndexName"].as_str();
    index.map_or_else(
        || table.to_owned(),
        |index| format!("{table}/index/{index}"),
    )
}

/// Returns the partition keys of a request to single items, of a batch of reads, of a query, or of the part of a transaction with
/// this number. Other operations have none here.
fn leading_keys(operation: &str, part: usize, body: &[u8]) -> Vec<String> {
    let request: Value = match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "BatchGetItem" | "Query"
        | "TransactWriteItems" => serde_json::from_slice(body).unwrap_or_default(),
        _ => return Vec::new(),
    };
    let partition = |item: &Value| item["PK"]["S"].as_str().map(str::to_owned);
    match operation {
        "TransactWriteItems" => {
            let action = request["TransactItems"][part].as_object();
            let action = action.and_then(|action| action.values().next());
            let keys = action.and_then(|action| {
                partition(&action["Key"]).or_else(|| partition(&action["Item"]))
            });
            keys.into_iter().collect()
        }
        "PutItem" => partition(&request["Item"]).into_iter().collect(),
        "Query" => query_partition(&request).into_iter().collect(),
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            let keys =
                tables.flat_map(|(_, wanted)| wanted["Keys"].as_array().into_iter().flatten());
            keys.filter_map(partition).collect()
        }
        _ => partition(&request["Key"]).into_iter().collect(),
    }
}

/// Returns the partition that a query reads: the value that its condition names.
fn query_partition(request: &Value) -> Option<String> {
    let condition = request["KeyConditionExpression"].as_str()?;
    let (_, after) = condition.split_once("PK = ")?;
    let name = after.split_whitespace().next()?;
    let value = request["ExpressionAttributeValues"][name]["S"].as_str()?;
    Some(value.to_owned())
}

/// Returns the actions that IAM checks. PartiQL statements are named by their verb, transactions by their parts, other operations
/// by their name.
fn actions(operation: &str, body: &[u8]) -> Vec<String> {
    match operation {
        "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction" => {
            let Ok(request) = serde_json::from_slice::<Statements>(body) else {
                return vec![operation.to_owned()];
            };
            let texts = request
                .statements
                .into_iter()
                .map(|one| one.statement)
                .chain(request.statement);
            let mut actions: Vec<_> = texts.map(|text| partiql(&text)).collect();
            actions.sort();
            actions.dedup();
            actions
        }
        "TransactWriteItems" | "TransactGetItems" => {
            let request: Value = serde_json::from_slice(body).unwrap_or_default();
            let items = request["TransactItems"].as_array().into_iter().flatten();
            items
                .filter_map(|item| item.as_object()?.keys().next())
                .map(|part| match part.as_str() {
                    "ConditionCheck" => "ConditionCheckItem".to_owned(),
                    part => format!("{part}Item"),
                })
                .collect()
        }
        operation => vec![operation.to_owned()],
    }
}

/// Returns the action of a PartiQL statement.
fn partiql(statement: &str) -> String {
    let verb = statement.split_whitespace().next().unwrap_or_default();
    let action = match verb.to_ascii_uppercase().as_str() {
        "INSERT" => "PartiQLInsert",
        "UPDATE" => "PartiQLUpdate",
        "DELETE" => "PartiQLDelete",
        _ => "PartiQLSelect",
    };
    action.to_owned()
}

fn denied(refusal: &Refusal) -> Response {
    let body = serde_json::json!({
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": refusal.to_string(),
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    (StatusCode::BAD_REQUEST, content_type, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_transactions_ask_for_the_actions_of_their_parts() {
        let batch = r#"{"Statements":[
            {"Statement":"INSERT INTO \"t\" VALUE {'PK': ?}","Parameters":[{"S":"a"}]},
            {"Statement":" update \"t\" SET \"data\" = ?","Parameters":[]},
            {"Statement":"INSERT INTO \"t\" VALUE {'PK': ?}"}],"ReturnConsumedCapacity":"TOTAL"}"#;
        assert_eq!(
            actions("BatchExecuteStatement", batch.as_bytes()),
            ["PartiQLInsert", "PartiQLUpdate"]
        );
        let one = br#"{"Statement":"DELETE FROM \"t\" WHERE PK=?"}"#;
        assert_eq!(actions("ExecuteStatement", one), ["PartiQLDelete"]);
        let transaction = br#"{"TransactItems":[{"Put":{}},{"ConditionCheck":{}},{"Delete":{}}]}"#;
        assert_eq!(
            actions("TransactWriteItems", transaction),
            ["PutItem", "ConditionCheckItem", "DeleteItem"]
        );
        assert_eq!(actions("Query", b"{}"), ["Query"]);
    }

    #[test]
    fn keys_of_requests_are_partitions() {
        for (operation, body) in [
            ("GetItem", r#"{"Key":{"PK":{"S":"a"},"SK":{"S":"b"}}}"#),
            ("PutItem", r#"{"Item":{"PK":{"S":"a"},"SK":{"S":"b"}}}"#),
            (
                "Query",
                r#"{"KeyConditionExpression":"PK = :pk AND SK >= :low","ExpressionAttributeValues":{":pk":{"S":"a"},":low":{"S":"b"}}}"#,
            ),
            (
                "BatchGetItem",
                r#"{"RequestItems":{"t":{"Keys":[{"PK":{"S":"a"},"SK":{"S":"b"}}]}}}"#,
            ),
        ] {
            assert_eq!(
                leading_keys(operation, 0, body.as_bytes()),
                ["a"],
                "{operation}"
            );
        }
        assert_eq!(leading_keys("Scan", 0, b"{}"), [""; 0]);
        let transaction = br#"{"TransactItems":[{"Put":{"Item":{"PK":{"S":"a"}}}},{"Update":{"Key":{"PK":{"S":"b"}}}}]}"#;
        for (part, key) in ["a", "b"].into_iter().enumerate() {
            assert_eq!(leading_keys("TransactWriteItems", part, transaction), [key]);
        }
    }

    #[test]
    fn queries_of_an_index_ask_for_the_index() {
        let body = br#"{"TableName":"t","IndexName":"Find1"}"#;
        for operation in ["Query", "Scan"] {
            assert_eq!(resource("arn:t", operation, body), "arn:t/index/Find1");
            assert_eq!(resource("arn:t", operation, b"{}"), "arn:t");
        }
        assert_eq!(resource("arn:t", "PutItem", body), "arn:t");
    }
}
