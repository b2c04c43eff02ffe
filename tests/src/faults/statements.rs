//! Bodies of DynamoDB: the statements of a batch, which fail one by one, and the consumed capacity.

use std::collections::HashSet;

use serde_json::{Value, json};

/// The bytes of a write unit.
const UNIT: usize = 1 << 10;
/// DynamoDB's limit of statements in a batch.
const MAX_STATEMENTS: usize = 25;

/// Returns the statements of `BatchExecuteStatement`.
pub(super) fn of(request: &Value) -> &[Value] {
    request["Statements"].as_array().map_or(&[], Vec::as_slice)
}

/// Removes the statements that fail, given by their error codes. The others are forwarded.
pub(super) fn without(request: &mut Value, failed: &[Option<&'static str>]) {
    if let Some(Value::Array(statements)) = request.get_mut("Statements") {
        let mut fails = failed.iter();
        statements.retain(|_| matches!(fails.next(), None | Some(None)));
    }
}

/// Returns the response to all statements: that of the forwarded ones, with the errors at their positions.
pub(super) fn with(mut response: Value, failed: &[Option<&'static str>]) -> Value {
    let mut rest = match response["Responses"].take() {
        Value::Array(rest) => rest.into_iter(),
        _ => Vec::new().into_iter(),
    };
    let all = failed.iter().map(|failed| match failed {
        Some(code) => {
            json!({"Error": {"Code": code, "Message": "This statement was not executed."}})
        }
        None => rest.next().unwrap_or_default(),
    });
    response["Responses"] = all.collect();
    response
}

/// Returns each partition key that a statement writes to, of the table or of an index, with its units. An insert takes one unit for
/// each entry of an index. Updates are counted as if they left the entries unchanged.
pub(super) fn keys(statement: &Value, units: f64) -> Vec<(String, f64)> {
    let own = key(statement).and_then(<[Value]>::first);
    let mut keys: Vec<_> = own
        .map(|key| (key.to_string(), units))
        .into_iter()
        .collect();
    let text = statement["Statement"].as_str().unwrap_or_default();
    if !text.starts_with("INSERT") {
        return keys;
    }
    // An insert ends with its Find attributes.
    let names: Vec<_> = text
        .split("'Find")
        .skip(1)
        .filter_map(|rest| rest.chars().next())
        .collect();
    let values = parameters(statement).iter().rev();
    for (name, value) in names.iter().rev().zip(values) {
        keys.push((format!("{name}{value}"), 1.0));
    }
    keys
}

fn parameters(statement: &Value) -> &[Value] {
    statement["Parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
}

/// Returns the partition key and the sort key of a statement. An insert begins with its key. The condition of an update ends with
/// its key and the version.
fn key(statement: &Value) -> Option<&[Value]> {
    let parameters = parameters(statement);
    let text = statement["Statement"].as_str().unwrap_or_default();
    match text.split(' ').next() {
        Some("INSERT") => parameters.get(..2),
        Some("UPDATE") => parameters.get(parameters.len().checked_sub(3)?..parameters.len() - 1),
        _ => None,
    }
}

/// Returns the write units of a statement or item by its size in the request.
pub(super) fn units(write: &Value) -> f64 {
    write.to_string().len().div_ceil(UNIT) as f64
}

/// Returns the consumed capacity in a response.
pub(super) fn capacity(response: &Value) -> f64 {
    let one = |consumed: &Value| consumed["CapacityUnits"].as_f64().unwrap_or_default();
    match &response["ConsumedCapacity"] {
        Value::Array(all) => all.iter().map(one).sum(),
        consumed => one(consumed),
    }
}

/// Returns the response to a `BatchWriteItem` as if every item had been put, or the error of an invalid request.
pub(super) fn swallowed_puts(request: &Value) -> Result<Value, String> {
    let tables = request["RequestItems"].as_object();
    let puts: Vec<_> = tables
        .into_iter()
        .flat_map(|tables| tables.values())
        .filter_map(Value::as_array)
        .flatten()
        .collect();
    if puts.is_empty() || puts.len() > MAX_STATEMENTS {
        return Err(format!("{} puts in a request", puts.len()));
    }
    let mut keys = HashSet::new();
    for put in &puts {
        let item = &put["PutRequest"]["Item"];
        if !keys.insert((item["PK"].to_string(), item["SK"].to_string())) {
            return Err("two puts of one key".to_owned());
        }
    }
    let units: f64 = puts.iter().map(|put| units(put)).sum();
    Ok(json!({
        "UnprocessedItems": {},
        "ConsumedCapacity": [{"CapacityUnits": units}],
    }))
}

/// Returns the response as if every statement had been executed, or the error of an invalid request.
pub(super) fn swallowed(request: &Value) -> Result<Value, String> {
    let statements = of(request);
    if statements.is_empty() || statements.len() > MAX_STATEMENTS {
        return Err(format!("{} statements in a request", statements.len()));
    }
    let mut keys = HashSet::new();
    for statement in statements {
        let text = statement["Statement"].as_str().unwrap_or_default();
        if text.matches('?').count() != parameters(statement).len() {
            return Err("parameters that do not fit their statement".to_owned());
        }
        let key = key(statement).ok_or_else(|| format!("a statement like {text}"))?;
        if !keys.insert((key[0].to_string(), key[1].to_string())) {
            return Err("two statements of one key".to_owned());
        }
    }
    let units: f64 = statements.iter().map(units).sum();
    Ok(json!({
        "Responses": vec![json!({}); statements.len()],
        "ConsumedCapacity": [{"CapacityUnits": units}],
    }))
}
