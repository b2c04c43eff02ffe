//! Writes of items, and their encoding as a `BatchExecuteStatement` request.
//!
//! Requests are encoded by hand. The SDK's input type would need trees of hash maps, built again for each attempt. With them, a
//! row of an import takes 30,000 to 48,000 instructions more, which is 25% to 40% of all its instructions.

use std::fmt::Write as _;

use data_encoding::BASE64;

use crate::model::{
    find::{Find, FindKey},
    item::Item,
    json, keys,
    value::{Map, Value},
    version::Version,
};

/// The expected size of a statement in bytes, for the capacity of a buffer; most are smaller.
const STATEMENT_BYTES: usize = 1024;
/// The condition of an update: the stored item is older. Escaped for a JSON string.
const OLDER: &str = r#"\"version\" < ?"#;
/// The condition that the stored item has no valid version, for example after a manual repair: its `version` is not 31 bytes.
pub(super) const UNVERSIONED: &str =
    r#""version" IS MISSING OR NOT attribute_type("version", 'B') OR size("version") <> 31"#;

/// A write that succeeds only if its key is absent or the stored item is older.
///
/// The maps are kept serialized. A pending write then takes few allocations, and those of the original tree are freed
/// early.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    partition: String,
    sort: String,
    version: Version,
    link: Option<EncodedMap>,
    source: Option<String>,
    data: EncodedMap,
    find: Find,
    expires_at: Option<i64>,
}

/// The statement of each write in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Inserts an item whose key is absent.
    Insert,
    /// Updates an item that is older.
    Update,
    /// Replaces an item that is older or has no valid version.
    Replace,
}

/// Returns the body of a `BatchExecuteStatement` request with one statement for each write.
pub(super) fn request(table: &str, writes: &[&Write], statement: Statement) -> String {
    let mut quoted = String::new();
    encode_text(&self::quoted(table), &mut quoted);
    // Without JSON quotes, because the name is inserted into the string of a statement.
    let table = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let mut body = String::with_capacity(writes.len() * STATEMENT_BYTES);
    body.push_str(r#"{"ReturnConsumedCapacity":"TOTAL","Statements":["#);
    for (index, write) in writes.iter().enumerate() {
        body.push_str(if index > 0 { "," } else { "" });
        write.encode(statement, table, &mut body);
    }
    body.push_str("]}");
    body
}

impl Write {
    /// Creates a write of an identity's item. Returns `None` if the item has no version.
    pub fn item(item: &Item) -> Option<Self> {
        Some(Self {
            link: item
                .link
                .as_ref()
                .map(|link| EncodedMap::of(&link.to_item())),
            source: item.source.clone(),
            expires_at: item.expires_at,
            find: item.find.clone(),
            ..Self::new(
                item.identity.to_string(),
                item.key.to_text(),
                item.version?,
                &item.data,
            )
        })
    }

    /// Creates a write of an item without link, source, expiry and Find attributes.
    pub(super) fn new(partition: String, sort: String, version: Version, data: &Map) -> Self {
        Self {
            partition,
            sort,
            version,
            link: None,
            source: None,
            data: EncodedMap::of(data),
            expires_at: None,
            find: Find::default(),
        }
    }

    /// Creates a write of the product that has `id` under the id type `id_type`.
    pub fn product(id_type: &str, id: &str, version: Version, data: &Map) -> Self {
        Self::new(
            keys::product(id_type, id),
            keys::PRODUCT.to_owned(),
            version,
            data,
        )
    }

    /// Returns the size of a map in a request, in bytes.
    pub fn map_bytes(map: &Map) -> usize {
        EncodedMap::of(map).as_str().len()
    }

    /// Returns the approximate size of the write in a request, in bytes.
    pub fn bytes(&self) -> usize {
        let link = self.link.as_ref().map_or(0, |link| link.as_str().len());
        let source = self.source.as_ref().map_or(0, String::len);
        self.partition.len() + self.sort.len() + self.data.as_str().len() + link + source
    }

    /// Returns the partition key and the sort key. A request must not contain two writes with the same key.
    pub fn key(&self) -> (&str, &str) {
        (&self.partition, &self.sort)
    }

    /// Returns each partition key that the write changes: of the table, and of the indexes that find the item.
    pub fn partition_keys(&self) -> impl Iterator<Item = String> {
        let found = self.find.slots().filter_map(|(_, key)| key);
        std::iter::once(self.partition.clone()).chain(found.map(FindKey::to_string))
    }

    /// Returns the version to write.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the data as DynamoDB JSON.
    pub fn data_json(&self) -> &str {
        self.data.as_str()
    }

    pub(super) const fn link(&self) -> Option<&EncodedMap> {
        self.link.as_ref()
    }

    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    pub(super) const fn data(&self) -> &EncodedMap {
        &self.data
    }

    /// Returns whether the item contains the identifier of its customer.
    pub const fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// Returns when the item expires, in seconds since 1970.
    pub const fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// Appends a statement. `table` is the quoted table name, escaped for a JSON string.
    fn encode(&self, statement: Statement, table: &str, out: &mut String) {
        match statement {
            Statement::Insert => self.insert(table, out),
            Statement::Update => self.update(OLDER, table, out),
            Statement::Replace => {
                let unversioned = UNVERSIONED.replace('"', r#"\""#);
                self.update(&format!("({OLDER} OR {unversioned})"), table, out);
            }
        }
    }

    /// Appends the INSERT statement.
    fn insert(&self, table: &str, out: &mut String) {
        let (link, end) = (self.link.as_ref(), self.expires_at);
        let source = self.source.as_deref();
        let text = [
            "INSERT INTO ",
            table,
            " VALUE {'PK':?,'SK':?,'version':?,'data':?",
            link.map_or("", |_| ",'link':?"),
            source.map_or("", |_| ",'source':?"),
            end.map_or("", |_| ",'expires_at':?"),
        ];
        let find = || {
            let slots = self.find.slots();
            slots.filter_map(|(name, key)| Some((name, key?)))
        };
        let text = text.into_iter();
        let text = text.chain(find().flat_map(|(name, _)| [",'", name, "':?"]));
        let parameters = [
            Some(Parameter::Text(&self.partition)),
            Some(Parameter::Text(&self.sort)),
            Some(Parameter::Bytes(self.version.as_bytes())),
            Some(Parameter::Map(&self.data)),
            link.map(Parameter::Map),
            source.map(Parameter::Text),
            end.map(Parameter::Number),
        ];
        let keys = find().map(|(_, key)| Some(Parameter::Find(key)));
        statement(out, text.chain(["}"]), parameters.into_iter().chain(keys));
        out.push('}');
    }

    /// Appends the UPDATE statement with this condition. The statement sets or removes every Find attribute that an item of this
    /// kind can have, because the stored item may have others.
    fn update(&self, condition: &str, table: &str, out: &mut String) {
        let (link, end) = (self.link.as_ref(), self.expires_at);
        let source = self.source.as_deref();
        let text = [
            "UPDATE ",
            table,
            r#" SET \"version\" = ? SET \"data\" = ?"#,
            link.map_or("", |_| r#" SET \"link\" = ?"#),
            source.map_or(r#" REMOVE \"source\""#, |_| r#" SET \"source\" = ?"#),
            end.map_or(
                r#" REMOVE \"expires_at\""#,
                |_| r#" SET \"expires_at\" = ?"#,
            ),
        ];
        let find = self.find.slots().flat_map(|(name, key)| match key {
            Some(_) => [r#" SET \""#, name, r#"\" = ?"#],
            None => [r#" REMOVE \""#, name, r#"\""#],
        });
        let condition = [r#" WHERE \"PK\" = ? AND \"SK\" = ? AND "#, condition];
        let text = text.into_iter().chain(find).chain(condition);
        let set = [
            Some(Parameter::Bytes(self.version.as_bytes())),
            Some(Parameter::Map(&self.data)),
            link.map(Parameter::Map),
            source.map(Parameter::Text),
            end.map(Parameter::Number),
        ];
        let keys = self.find.slots().filter_map(|(_, key)| key);
        let set = set
            .into_iter()
            .chain(keys.map(|key| Some(Parameter::Find(key))));
        let condition = [
            Some(Parameter::Text(&self.partition)),
            Some(Parameter::Text(&self.sort)),
            Some(Parameter::Bytes(self.version.as_bytes())),
        ];
        statement(out, text, set.chain(condition));
        out.push_str(r#","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}"#);
    }
}

/// A parameter of a statement.
enum Parameter<'a> {
    Text(&'a str),
    Number(i64),
    Bytes(&'a [u8]),
    Map(&'a EncodedMap),
    Find(&'a FindKey),
}

/// Appends a statement and its parameters, and leaves the JSON object open. `text` is already escaped for a JSON
/// string.
fn statement<'a>(
    out: &mut String,
    text: impl IntoIterator<Item = &'a str>,
    parameters: impl IntoIterator<Item = Option<Parameter<'a>>>,
) {
    out.push_str(r#"{"Statement":""#);
    for part in text {
        out.push_str(part);
    }
    out.push_str(r#"","Parameters":["#);
    for (index, parameter) in parameters.into_iter().flatten().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        match parameter {
            Parameter::Text(text) => {
                out.push_str(r#"{"S":"#);
                encode_text(text, out);
            }
            Parameter::Number(number) => {
                let _ = write!(out, r#"{{"N":"{number}""#);
            }
            Parameter::Bytes(bytes) => {
                out.push_str(r#"{"B":""#);
                BASE64.encode_append(bytes, out);
                out.push('"');
            }
            Parameter::Find(key) => {
                let _ = write!(out, r#"{{"S":"{key}""#);
            }
            Parameter::Map(map) => {
                out.push_str(r#"{"M":"#);
                out.push_str(map.as_str());
            }
        }
        out.push('}');
    }
    out.push(']');
}

/// A map serialized as DynamoDB JSON, for example `{"name":{"S":"text"}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EncodedMap(String);

impl EncodedMap {
    pub(super) fn of(map: &Map) -> Self {
        let mut out = String::with_capacity(map_capacity(map));
        encode_map(map, &mut out);
        Self(out)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns an upper bound of the serialized size of a map in bytes, provided that no string needs escaping.
fn map_capacity(map: &Map) -> usize {
    let entries = map
        .iter()
        .map(|(key, value)| r#""":,"#.len() + key.len() + capacity(value));
    "{}".len() + entries.sum::<usize>()
}

/// Returns an upper bound of the serialized size of a value in bytes, provided that no string needs escaping.
fn capacity(value: &Value) -> usize {
    r#"{"S":""}"#.len()
        + match value {
            Value::Null | Value::Bool(_) => "BOOLfalse".len(),
            Value::Number(text) | Value::Text(text) => text.len(),
            Value::Bytes(bytes) => BASE64.encode_len(bytes.len()),
            Value::List(list) => list.iter().map(|value| capacity(value) + 1).sum(),
            Value::Map(map) => map_capacity(map),
        }
}

/// Appends the JSON object of a map's attributes.
fn encode_map(map: &Map, out: &mut String) {
    out.push('{');
    for (place, (key, value)) in map.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        encode_text(key, out);
        out.push(':');
        encode(value, out);
    }
    out.push('}');
}

/// Appends a value as DynamoDB JSON.
fn encode(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("{\"NULL\":true"),
        Value::Bool(true) => out.push_str("{\"BOOL\":true"),
        Value::Bool(false) => out.push_str("{\"BOOL\":false"),
        Value::Number(text) => {
            out.push_str("{\"N\":");
            encode_text(text, out);
        }
        Value::Text(text) => {
            out.push_str("{\"S\":");
            encode_text(text, out);
        }
        Value::Bytes(bytes) => {
            out.push_str("{\"B\":\"");
            BASE64.encode_append(bytes, out);
            out.push('"');
        }
        Value::List(list) => {
            out.push_str("{\"L\":[");
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                encode(value, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("{\"M\":");
            encode_map(map, out);
        }
    }
    out.push('}');
}

/// Appends a JSON string. Most strings contain nothing to escape and are copied unchanged.
fn encode_text(text: &str, out: &mut String) {
    if json::plain(text.as_bytes()) < text.len() {
        // Serializing a string cannot fail.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Quotes a name for PartiQL. Quotes within the name are doubled.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        model::{
            find::Find,
            identifier::IdentifierRules,
            identity::IdentityKey,
            item::Item,
            keys::SortKey,
            version::{ImportId, VERSION_BYTES, Version},
        },
        table::attribute::tests::any_value,
    };

    /// Returns the expected DynamoDB JSON of a value.
    fn expected(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => json!({"NULL": true}),
            Value::Bool(flag) => json!({"BOOL": flag}),
            Value::Number(text) => json!({"N": text}),
            Value::Text(text) => json!({"S": text}),
            Value::Bytes(bytes) => json!({"B": BASE64.encode(bytes)}),
            Value::List(list) => json!({"L": list.iter().map(expected).collect::<Vec<_>>()}),
            Value::Map(map) => json!({"M": expected_map(map)}),
        }
    }

    fn expected_map(map: &Map) -> serde_json::Value {
        map.iter()
            .map(|(key, value)| (key.to_owned(), expected(value)))
            .collect()
    }

    proptest! {
        #[test]
        fn encodes_maps_as_dynamodb_json(value in any_value(), text: String) {
            let mut map = Map::new();
            map.insert(text, value);
            let encoded: serde_json::Value = serde_json::from_str(EncodedMap::of(&map).as_str()).unwrap();
            prop_assert_eq!(encoded, expected_map(&map));
        }
    }

    fn encoded(write: &Write, statement: Statement) -> serde_json::Value {
        let mut out = String::new();
        write.encode(statement, r#"\"a.b-c\""#, &mut out);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn statements_have_a_parameter_for_each_question_mark() {
        let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
        let new = |data: &Map| Write::new("p\"".into(), "s\n".into(), version, data);
        let plain = new(&Map::new());
        let full = Write {
            link: Some(EncodedMap::of(&Map::new())),
            source: Some("s".into()),
            expires_at: Some(7),
            ..new(&Map::new())
        };
        let found = Write {
            find: find(&["first_name", "email"]),
            ..full.clone()
        };
        for (write, more) in [(&plain, 0), (&full, 3), (&found, 5)] {
            for (kind, own) in [
                (Statement::Insert, 4),
                (Statement::Update, 5),
                (Statement::Replace, 5),
            ] {
                let statement = encoded(write, kind);
                let text = statement["Statement"].as_str().unwrap();
                assert_eq!(text.matches('?').count(), own + more, "{text}");
                let parameters = statement["Parameters"].as_array().unwrap();
                assert_eq!(parameters.len(), own + more, "{text}");
                assert!(text.contains(" \"a.b-c\" "), "{text}");
                assert!(parameters.contains(&serde_json::json!({"S": "p\""})));
                assert!(parameters.contains(&serde_json::json!({"S": "s\n"})));
            }
        }
        for (write, clause) in [(&plain, "REMOVE"), (&full, "SET")] {
            let statement = encoded(write, Statement::Update)["Statement"].clone();
            for name in ["source", "expires_at"] {
                let clause = format!(" {clause} \"{name}\"");
                assert!(statement.as_str().unwrap().contains(&clause), "{statement}");
            }
        }
        let returns = "ReturnValuesOnConditionCheckFailure";
        assert_eq!(encoded(&full, Statement::Update)[returns], "ALL_OLD");
        assert_eq!(encoded(&full, Statement::Replace)[returns], "ALL_OLD");
        assert!(encoded(&full, Statement::Insert).get(returns).is_none());
        assert!(UNVERSIONED.ends_with(&format!("<> {VERSION_BYTES}")));
        let statement = encoded(&full, Statement::Replace)["Statement"].clone();
        let condition = format!(r#" AND ("version" < ? OR {UNVERSIONED})"#);
        assert!(
            statement.as_str().unwrap().ends_with(&condition),
            "{statement}"
        );
    }

    /// Returns the Find attributes of a customer record with these fields.
    fn find(fields: &[&str]) -> Find {
        let mut data = Map::new();
        for field in fields {
            data.insert(*field, "jane@example.com");
        }
        let key = IdentityKey::new("key").unwrap();
        let record = SortKey::Record("pos".into());
        let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
        let identity = "sshhvvte7f2mmmac72b3cpkr7e".parse().unwrap();
        let item = Item::ingested(identity, record, version, None, data);
        Find::of(&key, &item, IdentifierRules::default())
    }

    #[test]
    fn updates_set_or_remove_every_find_attribute_of_the_kind() {
        let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
        let write = |find| Write {
            find,
            ..Write::new("p".into(), "s".into(), version, &Map::new())
        };
        let record = write(find(&["email"]));
        let text = encoded(&record, Statement::Insert)["Statement"].clone();
        let text = text.as_str().unwrap();
        assert!(text.ends_with(",'data':?,'Find2':?}"), "{text}");
        let update = encoded(&record, Statement::Update);
        let text = update["Statement"].as_str().unwrap();
        let find = r#" REMOVE "Find1" SET "Find2" = ? REMOVE "Find3" REMOVE "Find4" WHERE "#;
        assert!(text.contains(find), "{text}");
        let value = update["Parameters"][2]["S"].as_str().unwrap();
        assert!(value.starts_with("email#") && value.len() == 24, "{value}");
        // Statements for other kinds of items contain no Find clauses.
        for kind in [Statement::Insert, Statement::Update] {
            let statement = encoded(&write(Find::default()), kind).to_string();
            assert!(!statement.contains("Find"), "{statement}");
        }
    }
}
