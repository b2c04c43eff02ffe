//! The items of the table, and a comparable form of them.

use std::collections::BTreeMap;

use super::app::TestApp;

/// Everything in the table.
pub(crate) async fn rows(
    app: &TestApp,
) -> Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
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
        .expect("the table answers")
}

/// Prints a value with its maps in order.
pub(crate) fn print(value: &aws_sdk_dynamodb::types::AttributeValue) -> String {
    use aws_sdk_dynamodb::types::AttributeValue::{L, M};
    match value {
        M(map) => {
            let sorted: BTreeMap<_, _> = map
                .iter()
                .map(|(name, value)| (name, print(value)))
                .collect();
            format!("{sorted:?}")
        }
        L(list) => format!("{:?}", list.iter().map(print).collect::<Vec<_>>()),
        value => format!("{value:?}"),
    }
}

pub(crate) async fn clear_table(app: &TestApp) {
    for row in rows(app).await {
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
            .expect("the item goes");
    }
}
