//! DynamoDB. In: the table of the template and, optionally, a file. Out: a `dynoxide` database with that table.

use std::path::Path;

use dynoxide::{Database, DynoxideError};
use serde_json::json;

use crate::template::Table;

/// Opens the database in memory or in a file. Creates the table if it does not exist.
pub(crate) fn open(file: Option<&Path>, table: &Table) -> Result<Database, String> {
    let database = match file {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| error.to_string())?;
    let create = serde_json::from_value(table.create.clone()).map_err(|error| error.to_string())?;
    match database.create_table(create) {
        Ok(_) => {}
        Err(DynoxideError::ResourceInUseException(_)) => return Ok(database),
        Err(error) => return Err(error.to_string()),
    }
    if let Some(attribute) = &table.time_to_live {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
        });
        let request = serde_json::from_value(request).map_err(|error| error.to_string())?;
        database
            .update_time_to_live(request)
            .map_err(|error| error.to_string())?;
    }
    Ok(database)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::template::Template;

    const TABLE: &str = "customer-profiles";
    const INDEXES: [&str; 4] = ["Find1", "Find2", "Find3", "Find4"];

    /// Opens a database with the template's table.
    fn database() -> Database {
        let path = crate::workspace::root().join("template.yaml");
        let template = Template::read(&path, &BTreeMap::new()).unwrap();
        assert_eq!(template.table.name, TABLE);
        open(None, &template.table).unwrap()
    }

    /// Returns the write units of each index and of the table. `ConsumedCapacity` in the response is one entry or an array of
    /// one.
    fn units(answer: &impl serde::Serialize) -> BTreeMap<String, f64> {
        let answer = serde_json::to_value(answer).unwrap();
        let consumed = match &answer["ConsumedCapacity"] {
            Value::Array(list) => list[0].clone(),
            one => one.clone(),
        };
        let indexes = consumed["GlobalSecondaryIndexes"].as_object();
        indexes
            .into_iter()
            .flatten()
            .map(|(name, units)| (name.clone(), units))
            .chain([("table".to_owned(), &consumed["Table"])])
            .map(|(name, units)| (name, units["CapacityUnits"].as_f64().unwrap()))
            .collect()
    }

    fn these<const N: usize>(units: [(&str, f64); N]) -> BTreeMap<String, f64> {
        units.map(|(name, units)| (name.to_owned(), units)).into()
    }

    /// Returns the values that each index contains.
    fn indexed(database: &Database) -> Vec<Vec<String>> {
        let scan = |index: &str| {
            let request = json!({"TableName": TABLE, "IndexName": index});
            let request = serde_json::from_value(request).unwrap();
            let found = serde_json::to_value(database.scan(request).unwrap()).unwrap();
            let items = found["Items"].as_array().unwrap().iter();
            items
                .map(|item| {
                    // Only keys are projected: `PK`, `SK` and the key of the index.
                    assert_eq!(item.as_object().unwrap().len(), 3, "{item}");
                    item[index]["S"].as_str().unwrap().to_owned()
                })
                .collect()
        };
        INDEXES.map(scan).to_vec()
    }

    fn statement(database: &Database, text: &str, parameters: Value) -> BTreeMap<String, f64> {
        let statement = json!({"Statement": text, "Parameters": parameters});
        let request = json!({"ReturnConsumedCapacity": "INDEXES", "Statements": [statement]});
        let request = serde_json::from_value(request).unwrap();
        let answer = database.batch_execute_statement(request).unwrap();
        let responses = serde_json::to_value(&answer).unwrap()["Responses"].clone();
        assert!(responses[0].get("Error").is_none(), "{responses}");
        units(&answer)
    }

    fn update(database: &Database, change: &str, value: Option<&str>) -> BTreeMap<String, f64> {
        let text =
            format!(r#"UPDATE "{TABLE}" SET "data" = ? {change} WHERE "PK" = ? AND "SK" = ?"#);
        let value = value.map(|value| json!({"S": value}));
        let parameters = [json!({"S": "new"})].into_iter().chain(value);
        let keys = [json!({"S": "p"}), json!({"S": "s"})];
        statement(database, &text, parameters.chain(keys).collect())
    }

    #[test]
    fn partiql_maintains_the_indexes_and_counts_their_units() {
        let database = database();
        let insert = format!(
            r#"INSERT INTO "{TABLE}" VALUE {{'PK': ?, 'SK': ?, 'data': ?, 'Find1': ?, 'Find2': ?}}"#
        );
        let parameters =
            json!([{"S": "p"}, {"S": "s"}, {"S": "old"}, {"S": "name#a#0"}, {"S": "email#a#0"}]);
        assert_eq!(
            statement(&database, &insert, parameters),
            these([("Find1", 1.0), ("Find2", 1.0), ("table", 1.0)])
        );
        assert_eq!(
            indexed(&database),
            [vec!["name#a#0"], vec!["email#a#0"], vec![], vec![]]
        );
        let same = update(&database, r#"SET "Find1" = ?"#, Some("name#a#0"));
        assert_eq!(
            same,
            these([("table", 1.0)]),
            "nothing is written to an index"
        );
        let moved = update(&database, r#"SET "Find1" = ?"#, Some("name#b#0"));
        assert_eq!(
            moved,
            these([("Find1", 2.0), ("table", 1.0)]),
            "deleted and put"
        );
        let removed = update(&database, r#"REMOVE "Find2" REMOVE "Find3""#, None);
        assert_eq!(removed, these([("Find2", 1.0), ("table", 1.0)]));
        assert_eq!(
            indexed(&database),
            [vec!["name#b#0"], vec![], vec![], vec![]]
        );
        let added = update(
            &database,
            r#"SET "Find4" = ? REMOVE "Find3""#,
            Some("customer#a#0"),
        );
        assert_eq!(added, these([("Find4", 1.0), ("table", 1.0)]));
        let delete = format!(r#"DELETE FROM "{TABLE}" WHERE "PK" = ? AND "SK" = ?"#);
        let deleted = statement(&database, &delete, json!([{"S": "p"}, {"S": "s"}]));
        assert_eq!(
            deleted,
            these([("Find1", 1.0), ("Find4", 1.0), ("table", 1.0)])
        );
        assert_eq!(indexed(&database), vec![Vec::<String>::new(); 4]);
    }

    #[test]
    fn puts_and_transactions_maintain_the_indexes() {
        let database = database();
        let item = |find: &[(&str, &str)]| {
            let mut item = json!({"PK": {"S": "p"}, "SK": {"S": "s"}});
            for (name, value) in find {
                item[name] = json!({"S": value});
            }
            item
        };
        let put = |find| {
            let request = json!({"TableName": TABLE, "Item": item(find), "ReturnConsumedCapacity": "INDEXES"});
            units(
                &database
                    .put_item(serde_json::from_value(request).unwrap())
                    .unwrap(),
            )
        };
        assert_eq!(
            put(&[("Find1", "a"), ("Find2", "b")]),
            these([("Find1", 1.0), ("Find2", 1.0), ("table", 1.0)])
        );
        assert_eq!(
            put(&[("Find1", "a"), ("Find2", "b")]),
            these([("table", 1.0)])
        );
        // A put replaces the whole item, so an omitted attribute is removed from its index.
        assert_eq!(
            put(&[("Find1", "a")]),
            these([("Find2", 1.0), ("table", 1.0)])
        );
        assert_eq!(indexed(&database), [vec!["a"], vec![], vec![], vec![]]);

        let transact = |part: Value| {
            let request = json!({"TransactItems": [part], "ReturnConsumedCapacity": "INDEXES"});
            let request = serde_json::from_value(request).unwrap();
            units(&database.transact_write_items(request).unwrap())
        };
        let put = json!({"Put": {"TableName": TABLE, "Item": item(&[("Find3", "c")])}});
        assert_eq!(
            transact(put),
            these([("Find1", 1.0), ("Find3", 1.0), ("table", 2.0)])
        );
        assert_eq!(indexed(&database), [vec![], vec![], vec!["c"], vec![]]);
        let delete = json!({"Delete": {"TableName": TABLE, "Key": item(&[])}});
        assert_eq!(transact(delete), these([("Find3", 1.0), ("table", 2.0)]));
        assert_eq!(indexed(&database), vec![Vec::<String>::new(); 4]);
    }

    /// As in DynamoDB, an empty string is not a valid key.
    #[test]
    fn an_empty_find_attribute_is_refused() {
        let database = database();
        let item = json!({"PK": {"S": "p"}, "SK": {"S": "s"}, "Find1": {"S": ""}});
        let request = json!({"TableName": TABLE, "Item": item});
        let result = database.put_item(serde_json::from_value(request).unwrap());
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("empty string value"), "{error}");
    }
}
