//! Checks whether this release and its configuration may use the table. In: the facts stored under `config`, which are the item
//! format and the settings that identity ids depend on. Out: the facts, or why they do not match. Ingest writes the facts into
//! a new table. They do not change afterwards.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValue};
use tokio::sync::OnceCell;

use super::{Row, Table, TableError, attribute, failure, unless_condition_failed};
use crate::model::{
    identifier::IdentifierRules,
    identity::IdentityKey,
    keys,
    value::{Map, Value},
};

/// The item format that this release reads and writes.
pub const FORMAT: u64 = 2;
/// The maximum number of sources that the table remembers.
const MAX_SOURCES: usize = 1_000;
/// The attribute that contains the sources.
const SOURCES: &str = "sources";

/// The item format and the settings that a table was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    format: u64,
    key_check: String,
    /// `DefaultCallingCode`; empty if the stack has none.
    calling_code: String,
}

/// Why this release or this configuration cannot use the table.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The table has another item format.
    #[error(
        "the table holds item format {held}; this release supports only format {FORMAT}. Deploy the release that wrote the \
         table, or create a new stack and drop the files there"
    )]
    OtherFormat {
        /// The format of the table.
        held: u64,
    },
    /// The table was written with another identity key. Every stored customer would get a second identity.
    #[error(
        "IDENTITY_KEY is not the key that this table was written with. Restore that key, or create a new stack"
    )]
    OtherKey,
    /// The table was written with another calling code.
    #[error(
        "the table was written with another DefaultCallingCode (\"{held}\", now \"{given}\"). Another code gives stored phone \
         numbers other identities. Set it back, or create a new stack"
    )]
    OtherCallingCode {
        /// The calling code that the table was written with.
        held: String,
        /// The calling code of the configuration.
        given: String,
    },
}

impl Facts {
    /// Returns the facts that this configuration writes into a new table.
    pub fn new(key: &IdentityKey, rules: IdentifierRules) -> Self {
        let code = rules.calling_code.map(|code| code.to_string());
        Self {
            format: FORMAT,
            key_check: key.check(),
            calling_code: code.unwrap_or_default(),
        }
    }

    /// Checks that the table has the item format of this release.
    ///
    /// # Errors
    /// The table has another format.
    pub fn require_format(&self) -> Result<(), FactsError> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(FactsError::OtherFormat { held: self.format })
    }

    /// Checks that the table was written with the format, key and calling code of `configured`. With other settings, the
    /// same identifiers would have other ids.
    ///
    /// # Errors
    /// The format, the key or the calling code is different.
    pub fn require(&self, configured: &Self) -> Result<(), FactsError> {
        self.require_format()?;
        if self.key_check != configured.key_check {
            return Err(FactsError::OtherKey);
        }
        if self.calling_code != configured.calling_code {
            return Err(FactsError::OtherCallingCode {
                held: self.calling_code.clone(),
                given: configured.calling_code.clone(),
            });
        }
        Ok(())
    }

    fn to_map(&self) -> Map {
        let mut map = Map::new();
        map.insert("format", Value::Number(self.format.to_string()));
        map.insert("key_check", self.key_check.as_str());
        map.insert("calling_code", self.calling_code.as_str());
        map
    }

    /// Reads facts from a map. A map without `format` has format 1.
    fn from_map(map: &Map) -> Self {
        let text = |name| map.text(name).unwrap_or_default().to_owned();
        Self {
            format: match map.get("format") {
                Some(Value::Number(format)) => format.parse().unwrap_or_default(),
                _ => 1,
            },
            key_check: text("key_check"),
            calling_code: text("calling_code"),
        }
    }
}

/// A cache of the table's facts, which a process reads once.
#[derive(Debug, Default)]
pub struct KnownFacts(OnceCell<Facts>);

impl KnownFacts {
    /// Returns the facts. A new table has none: the result is `None`, and the next call reads again.
    ///
    /// # Errors
    /// The table cannot be read, or has another format.
    pub async fn get(&self, table: &Table) -> Result<Option<&Facts>, FactsError> {
        // `Err(None)` is a new table. Concurrent calls share one read.
        let read = async || match table.facts().await {
            Ok(facts) => facts.ok_or(None),
            Err(error) => Err(Some(error)),
        };
        match self.0.get_or_try_init(read).await {
            Ok(facts) => {
                facts.require_format()?;
                Ok(Some(facts))
            }
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error.into()),
        }
    }
}

/// The sources that the table had seen before a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSeen {
    /// Whether this is the first file of its source. If several first files are imported concurrently, one of them is.
    pub is_new: bool,
    /// The sources of earlier files.
    pub before: BTreeSet<String>,
}

impl Table {
    /// Reads the table's facts, consistently. Returns `None` for a new table. This is the first request of a process;
    /// it opens the connection.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn facts(&self) -> Result<Option<Facts>, TableError> {
        let rows = self.config_rows(Some(keys::CONFIG)).await?;
        Ok(facts(&rows))
    }

    /// Reads the table's facts and the sources that it has seen.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn facts_and_sources(&self) -> Result<(Option<Facts>, BTreeSet<String>), TableError> {
        let rows = self.config_rows(None).await?;
        let sources = rows.iter().find_map(sources).unwrap_or_default();
        Ok((facts(&rows), sources))
    }

    /// Writes the facts of a new table. If another process wrote facts first, those are kept.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_facts(&self, facts: &Facts) -> Result<(), TableError> {
        let mut row = attribute::key(keys::CONFIG, keys::CONFIG);
        row.insert("data".to_owned(), attribute::map(&facts.to_map()));
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(PK)");
        unless_condition_failed(put.send().await)?;
        Ok(())
    }

    /// Adds a source to those that the table has seen. The table remembers at most 1,000 sources. At that limit, no
    /// source is new and the earlier sources are not returned.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn see_source(&self, source: &str) -> Result<SourceSeen, TableError> {
        let added = AttributeValue::Ss(vec![source.to_owned()]);
        let result = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(keys::CONFIG, keys::SOURCES)))
            .update_expression("ADD #sources :source")
            .condition_expression("attribute_not_exists(#sources) OR size(#sources) < :most")
            .expression_attribute_names("#sources", SOURCES)
            .expression_attribute_values(":source", added)
            .expression_attribute_values(":most", AttributeValue::N(MAX_SOURCES.to_string()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let Some(output) = unless_condition_failed(result)? else {
            return Ok(SourceSeen {
                is_new: false,
                before: BTreeSet::new(),
            });
        };
        let before = output.attributes.as_ref().and_then(sources);
        let before = before.unwrap_or_default();
        Ok(SourceSeen {
            is_new: !before.contains(source),
            before,
        })
    }

    /// Reads the item under `sort` of the facts' partition, or all of its items, consistently.
    async fn config_rows(&self, sort: Option<&str>) -> Result<Vec<Row>, TableError> {
        let condition = match sort {
            Some(_) => "PK = :pk AND SK = :sk",
            None => "PK = :pk",
        };
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", AttributeValue::S(keys::CONFIG.to_owned()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let query = match sort {
            Some(sort) => {
                query.expression_attribute_values(":sk", AttributeValue::S(sort.to_owned()))
            }
            None => query,
        };
        let response = query.send().await.map_err(failure)?;
        self.consumed.read(response.consumed_capacity());
        Ok(response.items.unwrap_or_default())
    }
}

/// Returns the facts among the rows of their partition.
fn facts(rows: &[Row]) -> Option<Facts> {
    let is_facts = |row: &&Row| {
        row.get("SK")
            .and_then(|sort| sort.as_s().ok())
            .is_some_and(|sort| sort == keys::CONFIG)
    };
    let row = rows.iter().find(is_facts)?.clone();
    let (_, data) = attribute::partition_and_data(row)?;
    Some(Facts::from_map(&data))
}

/// Returns the sources that a row contains.
fn sources(row: &Row) -> Option<BTreeSet<String>> {
    let names = row.get(SOURCES)?.as_ss().ok()?;
    Some(names.iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(code: &str) -> Facts {
        let rules = IdentifierRules {
            calling_code: code.parse().ok(),
        };
        Facts::new(&IdentityKey::new("key").unwrap(), rules)
    }

    #[test]
    fn facts_come_back() {
        for code in ["", "61", "1/10"] {
            let facts = own(code);
            assert_eq!(Facts::from_map(&facts.to_map()), facts);
            assert!(facts.require(&facts).is_ok());
        }
    }

    #[test]
    fn another_table_is_refused() {
        let held = |change: &dyn Fn(&mut Map)| {
            let mut map = own("61").to_map();
            change(&mut map);
            Facts::from_map(&map).require(&own("61"))
        };
        assert!(held(&|_| ()).is_ok());
        let first = held(&|map| {
            map.remove("format");
        });
        assert!(
            matches!(first, Err(FactsError::OtherFormat { held: 1 })),
            "{first:?}"
        );
        let newer = held(&|map| map.insert("format", Value::Number("3".to_owned())));
        assert!(
            matches!(newer, Err(FactsError::OtherFormat { held: 3 })),
            "{newer:?}"
        );
        let key = held(&|map| map.insert("key_check", "x"));
        assert!(matches!(key, Err(FactsError::OtherKey)), "{key:?}");
        for code in ["", "1/10", "61/9"] {
            let error = held(&|map| map.insert("calling_code", code));
            let is_other = matches!(
                &error,
                Err(FactsError::OtherCallingCode { held, given }) if held == code && given == "61"
            );
            assert!(is_other, "{error:?}");
        }
    }
}
