//! Emits metrics: one line of CloudWatch's embedded metric format for each request and each import. CloudWatch turns the
//! lines into metrics. Their only dimension is the function's name, because each additional one is charged for. The
//! other values of a line can be queried in the log.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// The namespace of the metrics. The functions' names distinguish the stacks.
pub const NAMESPACE: &str = "CustomerProfiles";

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of items or events.
    Count,
    /// A number per second.
    CountPerSecond,
    /// A share, in percent.
    Percent,
    /// Time, in milliseconds.
    Milliseconds,
    /// Time, in seconds.
    Seconds,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::CountPerSecond => "Count/Second",
            Self::Percent => "Percent",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

/// Writes a line to standard output. `properties` are for readers of the log and must not contain personal data.
pub fn emit(metrics: &[(&str, Unit, f64)], properties: &[(&str, Value)]) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    println!("{}", line(&function, now, metrics, properties));
}

/// Builds a line. `now` is in milliseconds since 1970.
fn line(
    function: &str,
    now: u64,
    metrics: &[(&str, Unit, f64)],
    properties: &[(&str, Value)],
) -> Value {
    let declared: Vec<_> = metrics
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit.name()}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({"Timestamp": now, "CloudWatchMetrics": [
            {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": declared}
        ]}),
    );
    line.insert("FunctionName".to_owned(), function.into());
    for (name, value) in properties {
        line.insert((*name).to_owned(), value.clone());
    }
    for (name, _, value) in metrics {
        line.insert((*name).to_owned(), json!(value));
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_its_metrics_and_holds_their_values() {
        let metrics = [
            ("Duration", Unit::Milliseconds, 12.5),
            ("ReadCapacityUnits", Unit::Count, 1.5),
        ];
        assert_eq!(
            line("f", 1, &metrics, &[("status", json!(200))]),
            json!({
                "_aws": {"Timestamp": 1, "CloudWatchMetrics": [{
                    "Namespace": "CustomerProfiles", "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        {"Name": "Duration", "Unit": "Milliseconds"},
                        {"Name": "ReadCapacityUnits", "Unit": "Count"}
                    ]
                }]},
                "FunctionName": "f", "status": 200, "Duration": 12.5, "ReadCapacityUnits": 1.5
            })
        );
    }
}
