//! The items of the table, and a comparable form of them.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::app::TestApp;

/// An item of the table.
pub(crate) type Row = HashMap<String, AttributeValue>;

/// Returns all items of the table.
pub(crate) async fn rows(app: &TestApp) -> Vec<Row> {
    let scan = app
        .stack
        .dynamodb_client()
        .scan()
        .table_name(app.stack.table())
        .consistent_read(true);
    scan.into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .expect("the table responds")
}

/// Returns a value as JSON in DynamoDB's notation, which can be compared.
pub(crate) fn to_json(value: &AttributeValue) -> Value {
    use AttributeValue::{B, Bool, L, M, N, Null, S, Ss};
    match value {
        S(text) => json!({ "S": text }),
        N(number) => json!({ "N": number }),
        B(bytes) => json!({ "B": bytes.as_ref() }),
        Bool(flag) => json!({ "BOOL": flag }),
        Null(_) => json!({"NULL": true}),
        Ss(texts) => json!({"SS": texts.iter().collect::<BTreeSet<_>>()}),
        L(list) => json!({"L": list.iter().map(to_json).collect::<Vec<_>>()}),
        M(map) => json!({ "M": map_to_json(map) }),
        other => panic!("the table stores no {other:?}"),
    }
}

pub(crate) fn map_to_json(map: &HashMap<String, AttributeValue>) -> Value {
    let fields = map
        .iter()
        .map(|(name, value)| (name.clone(), to_json(value)));
    Value::Object(fields.collect())
}

/// Returns whether a name or a string in a row contains `part`.
pub(crate) fn contains_text(row: &Row, part: &str) -> bool {
    fn contains(value: &Value, part: &str) -> bool {
        match value {
            Value::String(text) => text.contains(part),
            Value::Array(items) => items.iter().any(|item| contains(item, part)),
            Value::Object(map) => map
                .iter()
                .any(|(name, value)| name.contains(part) || contains(value, part)),
            _ => false,
        }
    }
    contains(&map_to_json(row), part)
}

/// Deletes all items of the table.
pub(crate) async fn clear_table(app: &TestApp) {
    for row in rows(app).await {
        delete_row(app, &row).await;
    }
}

pub(crate) async fn delete_row(app: &TestApp, row: &Row) {
    let delete = app
        .stack
        .dynamodb_client()
        .delete_item()
        .table_name(app.stack.table());
    delete
        .key("PK", row["PK"].clone())
        .key("SK", row["SK"].clone())
        .send()
        .await
        .expect("the item is deleted");
}
