//! Deletes what an import wrote: reads which version is stored under a key, and deletes exactly that version.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use super::{
    Consistency, MAX_GET, Table, TableError, Verdict, Write, Written, attribute, refused,
    transaction::{CONDITION, CONFLICT},
};
use crate::model::{item::Item, version::Version};

/// An item that an import wrote: its keys and the version that it wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    partition: String,
    sort: String,
    version: Version,
}

/// What is stored under the keys of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nothing.
    Absent,
    /// An item in this version.
    Version(Version),
    /// An item without a valid version, for example after a manual repair.
    Unversioned,
}

/// What is stored at places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItems {
    /// One for each place, in their order.
    pub items: Vec<Stored>,
    /// The number of requests that were sent.
    pub requests: u64,
}

impl Place {
    /// Returns the place of a write.
    pub fn of_write(write: &Write) -> Self {
        let (partition, sort) = write.key();
        Self {
            partition: partition.to_owned(),
            sort: sort.to_owned(),
            version: write.version(),
        }
    }

    /// Returns the place of an item; `None` if it has no version.
    pub fn of_item(item: &Item) -> Option<Self> {
        Some(Self {
            partition: item.identity.to_string(),
            sort: item.key.to_text(),
            version: item.version?,
        })
    }

    /// Returns the version that the import wrote.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the partition key and the sort key.
    fn key(&self) -> (String, String) {
        (self.partition.clone(), self.sort.clone())
    }
}

impl Table {
    /// Reads what is stored at places, consistently, in the same order. The places may have equal keys.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn stored(&self, places: &[&Place]) -> Result<StoredItems, TableError> {
        const FIELDS: &str = "PK, SK, #version";
        const NAMES: [(&str, &str); 1] = [("#version", "version")];
        let keys: std::collections::BTreeSet<_> = places.iter().map(|place| place.key()).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let (mut found, mut requests) = (HashMap::new(), 0);
        for keys in keys.chunks(MAX_GET) {
            let keys = keys.iter().map(|(pk, sk)| attribute::key(pk, sk)).collect();
            let fetched = self
                .get_fields(keys, Consistency::Strong, Some((FIELDS, &NAMES)))
                .await?;
            requests += fetched.requests;
            for row in fetched.rows {
                let text = |name: &str| row.get(name).and_then(|key| key.as_s().ok()).cloned();
                if let (Some(partition), Some(sort)) = (text("PK"), text("SK")) {
                    let version = attribute::version_of(&row);
                    let stored = version.map_or(Stored::Unversioned, Stored::Version);
                    found.insert((partition, sort), stored);
                }
            }
        }
        let stored = |place: &&Place| found.get(&place.key()).copied().unwrap_or(Stored::Absent);
        Ok(StoredItems {
            items: places.iter().map(stored).collect(),
            requests,
        })
    }

    /// Deletes items, each only in the version of its place. Takes at most 25 places, no two with the same key. The verdicts:
    ///
    /// - `Stored`: the item is absent now.
    /// - `Throttled`: try again.
    /// - every other verdict: the item has another version.
    ///
    /// # Errors
    /// The request failed. Any of the items may have been deleted.
    pub async fn delete_places(&self, places: &[&Place]) -> Result<Written, TableError> {
        let statements = places.iter().map(|place| {
            let key = (place.partition.as_str(), place.sort.as_str());
            self.delete_statement(key, Some(&place.version))
        });
        self.delete_batch(statements.collect::<Result<_, _>>()?)
            .await
    }

    /// Deletes both sides of an identity link, or neither, only in the versions of their places. Returns the verdict on both, and
    /// the write units consumed, as far as DynamoDB reports them:
    ///
    /// - `Stored`: both are deleted.
    /// - `Missing`: one of them is absent or has another version.
    /// - `Throttled`: another transaction works on one of them.
    ///
    /// # Errors
    /// The request failed. Both items may have been deleted.
    pub async fn delete_both(&self, places: &[&Place; 2]) -> Result<(Verdict, f64), TableError> {
        let actions = vec![
            self.delete_version(places[0])?,
            self.delete_version(places[1])?,
        ];
        match self.transact(actions).await {
            Ok(units) => Ok((Verdict::Stored, units)),
            Err(canceled) if canceled.has(CONDITION) => Ok((Verdict::Missing, 0.0)),
            Err(canceled) if canceled.has(CONFLICT) => Ok((Verdict::Throttled, 0.0)),
            Err(canceled) => Err(canceled.error),
        }
    }

    /// Builds the deletion of an item in the version of its place.
    fn delete_version(&self, place: &Place) -> Result<TransactWriteItem, TableError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(&place.partition, &place.sort)))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", attribute::version(&place.version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}
