//! Writes audit lines: who did what, and with which outcome. A subscription filter selects the lines with the field `audit`, and
//! the function audit copies them into the audit log.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// The result of an audited action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action succeeded.
    Ok,
    /// Nothing is stored under the requested id.
    NotFound,
    /// The principal is unknown or lacks a scope.
    Refused,
    /// The request or the file breaks a rule.
    Invalid,
    /// The state of the data does not allow the action.
    Conflict,
    /// The service failed.
    Failed,
}

impl Outcome {
    /// Returns the outcome of a request from the status of its response.
    pub const fn of_status(status: u16) -> Self {
        match status {
            ..400 => Self::Ok,
            401 | 403 => Self::Refused,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            400..500 => Self::Invalid,
            _ => Self::Failed,
        }
    }

    /// Returns the name in audit lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string. Several ids are separated by spaces.
    Text(&'a str),
    /// A number.
    Number(u16),
    /// A boolean.
    Flag(bool),
}

/// Writes a line to standard output. Empty strings are left out. `fields` must not contain personal data of customers.
pub fn write(action: &str, outcome: Outcome, fields: &[(&'static str, Value<'_>)]) {
    let line = Line {
        action,
        outcome,
        fields,
    };
    println!("{}", line.to_json());
}

struct Line<'a> {
    action: &'a str,
    outcome: Outcome,
    fields: &'a [(&'static str, Value<'a>)],
}

impl Line<'_> {
    /// Returns the line as JSON. Strings, numbers and booleans can always be serialized.
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("audit", self.action)?;
        line.serialize_entry("outcome", self.outcome.as_str())?;
        for (name, value) in self.fields {
            match value {
                Value::Text("") => {}
                Value::Text(text) => line.serialize_entry(name, text)?,
                Value::Number(number) => line.serialize_entry(name, number)?,
                Value::Flag(flag) => line.serialize_entry(name, flag)?,
            }
        }
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_flat() {
        let line = Line {
            action: "profile.read",
            outcome: Outcome::of_status(404),
            fields: &[
                ("status", Value::Number(404)),
                ("pii", Value::Flag(false)),
                ("profiles", Value::Text("a b")),
                ("hints", Value::Text("")),
            ],
        };
        assert_eq!(
            line.to_json(),
            r#"{"audit":"profile.read","outcome":"not_found","status":404,"pii":false,"profiles":"a b"}"#
        );
    }

    #[test]
    fn outcomes_follow_the_status() {
        for (status, outcome) in [
            (200, Outcome::Ok),
            (304, Outcome::Ok),
            (400, Outcome::Invalid),
            (401, Outcome::Refused),
            (403, Outcome::Refused),
            (404, Outcome::NotFound),
            (409, Outcome::Conflict),
            (412, Outcome::Conflict),
            (428, Outcome::Invalid),
            (500, Outcome::Failed),
            (503, Outcome::Failed),
        ] {
            assert_eq!(Outcome::of_status(status), outcome, "{status}");
        }
    }
}
