//! Conditional writes in batches of at most 25. The last write wins, ordered by `version`. Each write has a verdict;
//! the caller decides what follows from it.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::{BatchStatementErrorCodeEnum as Code, BatchStatementResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use data_encoding::BASE64;

use super::{Table, TableError, attribute, attribute::Spelling, failure};
use crate::model::{
    find::{Find, FindKey},
    item::Item,
    keys,
    value::Map,
    version::Version,
};

/// The maximum number of statements in one `BatchExecuteStatement`, a limit of DynamoDB.
pub const BATCH_SIZE: usize = 25;
/// The expected size of a statement in bytes; most are smaller.
const USUAL_BYTES: usize = 1024;
/// The condition of an update: the stored item is older. Escaped for a JSON string.
const OLDER: &str = r#"\"version\" < ?"#;
/// The condition of a replacement: the stored item is older, or its `version` is not 31 bytes, for example after a
/// manual repair. Escaped for a JSON string.
const OLDER_OR_UNVERSIONED: &str = r#"(\"version\" < ? OR \"version\" IS MISSING OR NOT attribute_type(\"version\", 'B') OR size(\"version\") <> 31)"#;

/// A write that succeeds only if its key is absent or the stored item is older.
///
/// The maps are kept serialized. A pending write then takes few allocations, and those of the original tree are freed
/// early.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    partition: String,
    sort: String,
    version: Version,
    link: Option<Spelling>,
    source: Option<String>,
    data: Spelling,
    find: Find,
    expires_at: Option<i64>,
}

/// The result of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The write is stored.
    Stored,
    /// An insert failed because the key exists. Try an update.
    Taken,
    /// The stored item has this version, which is not older.
    Held(Version),
    /// An update found no item. Try an insert.
    Gone,
    /// An update found an item without a valid version. Try a replacement.
    Unversioned,
    /// The write was throttled or failed temporarily. Try the same write again.
    Busy,
    /// The item is too large to be stored.
    TooLarge,
    /// DynamoDB rejected the item with this error code.
    Refused(String),
}

/// The verdicts on one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// One verdict for each write, in the order of the writes.
    pub verdicts: Vec<Verdict>,
    /// The write capacity units consumed.
    pub capacity_units: f64,
}

impl Write {
    /// Creates a write of an identity's item. Returns `None` if the item has no version.
    pub fn item(item: &Item) -> Option<Self> {
        Some(Self {
            link: item.link.as_ref().map(|link| Spelling::of(&link.to_item())),
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
            data: Spelling::of(data),
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
        Spelling::of(map).as_str().len()
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

    /// Returns the version to write.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Appends the INSERT statement. `table` is the quoted table name, escaped for a JSON string.
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

    /// Appends the UPDATE statement. `table` is the quoted table name, escaped for a JSON string. The statement sets or
    /// removes every Find attribute that an item of this kind can have, because the stored item may have others.
    fn update(&self, table: &str, out: &mut String) {
        self.update_where(OLDER, table, out);
    }

    /// Appends the statement of `update`, but also replaces an item without a valid version.
    fn replace(&self, table: &str, out: &mut String) {
        self.update_where(OLDER_OR_UNVERSIONED, table, out);
    }

    fn update_where(&self, condition: &str, table: &str, out: &mut String) {
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
    Map(&'a Spelling),
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
    for (place, parameter) in parameters.into_iter().flatten().enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        match parameter {
            Parameter::Text(text) => {
                out.push_str(r#"{"S":"#);
                attribute::spell_text(text, out);
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

impl Table {
    /// Inserts items whose keys are absent. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn insert(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Write::insert).await
    }

    /// Updates items that exist and are older. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn update(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Write::update).await
    }

    /// Replaces items that are older or have no valid version. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn replace(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Write::replace).await
    }

    /// Sends a `BatchExecuteStatement` with a body that is serialized directly from the writes. The SDK's input type
    /// would need trees of hash maps, built again for each attempt.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html>
    async fn execute(
        &self,
        writes: &[&Write],
        spell: fn(&Write, &str, &mut String),
    ) -> Result<Written, TableError> {
        let mut table = String::new();
        attribute::spell_text(&quoted(&self.name), &mut table);
        // Without JSON quotes, because the name is inserted into the string of a statement.
        let table = table.get(1..table.len() - 1).unwrap_or_default();
        let mut body = String::with_capacity(writes.len() * USUAL_BYTES);
        body.push_str(r#"{"ReturnConsumedCapacity":"TOTAL","Statements":["#);
        for (place, write) in writes.iter().enumerate() {
            body.push_str(if place > 0 { "," } else { "" });
            spell(write, table, &mut body);
        }
        body.push_str("]}");
        let body = Bytes::from(body);
        let answer = self
            .client
            .batch_execute_statement()
            .customize()
            .mutate_request(move |request| {
                let length = body.len().to_string();
                request.headers_mut().insert("content-length", length);
                *request.body_mut() = SdkBody::from(body.clone());
            })
            .send()
            .await
            .map_err(failure)?;
        let capacity = answer
            .consumed_capacity()
            .iter()
            .filter_map(|consumed| consumed.capacity_units());
        Ok(Written {
            capacity_units: capacity.sum(),
            verdicts: verdicts(answer.responses(), writes.len())?,
        })
    }
}

/// Returns the verdicts on one request, in the order of its statements.
///
/// # Errors
/// The response does not have one entry for each statement, or a statement failed as in [`verdict`].
pub(super) fn verdicts(
    responses: &[BatchStatementResponse],
    statements: usize,
) -> Result<Vec<Verdict>, TableError> {
    if responses.len() != statements {
        let error = format!("{} responses to {statements} statements", responses.len());
        return Err(TableError::Busy(error.into()));
    }
    responses.iter().map(verdict).collect()
}

/// Returns the verdict on one statement.
///
/// # Errors
/// The statement failed for a reason that is not in its item, for example missing permissions or a missing table.
fn verdict(response: &BatchStatementResponse) -> Result<Verdict, TableError> {
    let Some(error) = response.error() else {
        return Ok(Verdict::Stored);
    };
    let message = error.message().unwrap_or_default();
    Ok(match error.code() {
        Some(Code::DuplicateItem) => Verdict::Taken,
        Some(Code::ConditionalCheckFailed) => match error.item() {
            None => Verdict::Gone,
            Some(item) => attribute::held_version(item).map_or(Verdict::Unversioned, Verdict::Held),
        },
        Some(
            Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::InternalServerError
            | Code::TransactionConflict,
        ) => Verdict::Busy,
        Some(Code::ValidationError) if message.contains("size") => Verdict::TooLarge,
        Some(code @ (Code::ValidationError | Code::ItemCollectionSizeLimitExceeded)) => {
            Verdict::Refused(code.as_str().to_owned())
        }
        code => {
            let code = code.map_or("no code", Code::as_str);
            return Err(TableError::Refused(format!("{code}: {message}").into()));
        }
    })
}

/// Quotes a name for PartiQL. Quotes within the name are doubled.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::BatchStatementError;

    use super::*;
    use crate::model::{
        identifier::IdentifierRules,
        identity::IdentityKey,
        keys::SortKey,
        version::{ImportId, VERSION_BYTES},
    };

    #[test]
    fn only_what_lies_in_an_item_is_its_verdict() {
        let of = |code: Code, message: &str| {
            let error = BatchStatementError::builder().code(code).message(message);
            verdict(
                &BatchStatementResponse::builder()
                    .error(error.build())
                    .build(),
            )
        };
        assert!(matches!(
            of(Code::ValidationError, "Item size has exceeded the limit"),
            Ok(Verdict::TooLarge)
        ));
        assert!(matches!(
            of(Code::ValidationError, "a number too long"),
            Ok(Verdict::Refused(_))
        ));
        assert!(matches!(of(Code::ThrottlingError, ""), Ok(Verdict::Busy)));
        for code in [Code::AccessDenied, Code::ResourceNotFound, "New".into()] {
            assert!(matches!(of(code, ""), Err(TableError::Refused(_))));
        }
    }

    #[test]
    fn rejects_response_count_mismatch() {
        let stored = BatchStatementResponse::builder().build();
        for responses in [0, 1, 3] {
            let verdicts = verdicts(&vec![stored.clone(); responses], 2);
            assert!(matches!(verdicts, Err(TableError::Busy(_))), "{responses}");
        }
        let two = verdicts(&[stored.clone(), stored], 2).unwrap();
        assert_eq!(two, [Verdict::Stored, Verdict::Stored]);
    }

    fn spelt(write: &Write, spell: fn(&Write, &str, &mut String)) -> serde_json::Value {
        let mut out = String::new();
        spell(write, r#"\"a.b-c\""#, &mut out);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn statements_have_a_parameter_for_each_question_mark() {
        let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
        let new = |data: &Map| Write::new("p\"".into(), "s\n".into(), version, data);
        let plain = new(&Map::new());
        let full = Write {
            link: Some(Spelling::of(&Map::new())),
            source: Some("s".into()),
            expires_at: Some(7),
            ..new(&Map::new())
        };
        let found = Write {
            find: find(&["first_name", "email"]),
            ..full.clone()
        };
        for (write, more) in [(&plain, 0), (&full, 3), (&found, 5)] {
            for (spell, own) in [
                (Write::insert as fn(&Write, &str, &mut String), 4),
                (Write::update, 5),
                (Write::replace, 5),
            ] {
                let statement = spelt(write, spell);
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
            let statement = spelt(write, Write::update)["Statement"].clone();
            for name in ["source", "expires_at"] {
                let clause = format!(" {clause} \"{name}\"");
                assert!(statement.as_str().unwrap().contains(&clause), "{statement}");
            }
        }
        let returns = "ReturnValuesOnConditionCheckFailure";
        assert_eq!(spelt(&full, Write::update)[returns], "ALL_OLD");
        assert_eq!(spelt(&full, Write::replace)[returns], "ALL_OLD");
        assert!(spelt(&full, Write::insert).get(returns).is_none());
        assert!(OLDER_OR_UNVERSIONED.contains(&format!("<> {VERSION_BYTES})")));
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
        let text = spelt(&record, Write::insert)["Statement"].clone();
        let text = text.as_str().unwrap();
        assert!(text.ends_with(",'data':?,'Find2':?}"), "{text}");
        let update = spelt(&record, Write::update);
        let text = update["Statement"].as_str().unwrap();
        let find = r#" REMOVE "Find1" SET "Find2" = ? REMOVE "Find3" REMOVE "Find4" WHERE "#;
        assert!(text.contains(find), "{text}");
        let value = update["Parameters"][2]["S"].as_str().unwrap();
        assert!(value.starts_with("email#") && value.len() == 24, "{value}");
        // Statements for other kinds of items contain no Find clauses.
        for spell in [
            Write::insert as fn(&Write, &str, &mut String),
            Write::update,
        ] {
            let statement = spelt(&write(Find::default()), spell).to_string();
            assert!(!statement.contains("Find"), "{statement}");
        }
    }
}
