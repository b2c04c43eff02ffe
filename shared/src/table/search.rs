//! Reads the search indexes, and what a search needs of the items to which they point.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use futures::future::{try_join, try_join_all};

use super::{
    Budget, Consistency, Fetched, Fields, Items, MAX_GET, Order, Range, Table, TableError,
    attribute, failure,
};
use crate::model::{
    find::{FindKey, INDEXES, Term},
    identity::IdentityId,
    item::Item,
    keys::{self, SortKey},
    time::Instant,
};

/// The maximum number of entries that a search reads of each shard of an index.
pub const MAX_SHARD_ENTRIES: usize = 100;
/// The maximum number of items of an identity that a card is computed from, if its head is not larger.
pub const CARD_ITEMS: usize = 100;

/// The attributes from which the Find attributes of an item are computed, and those that a response contains.
const FIND_FIELDS: &str = "PK, SK, #version, #link, expires_at, #data.first_name, #data.last_name, #data.email, \
                           #data.email_sha256, #data.mobile, #data.customer_id, #data.order_number, #data.purchase_id, \
                           #data.return_id";
const FIND_NAMES: [(&str, &str); 3] = [
    ("#version", "version"),
    ("#link", "link"),
    ("#data", "data"),
];

/// The keys of the items that an index names under one value. The items may have changed since.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// The keys, sorted and each once.
    pub keys: Vec<(IdentityId, SortKey)>,
    /// Whether a shard has more entries than a search reads.
    pub partial: bool,
}

impl Table {
    /// Reads the index entries of a term, at most [`MAX_SHARD_ENTRIES`] of each shard. All shards are read concurrently.
    /// Indexes are eventually consistent.
    ///
    /// # Errors
    /// The indexes cannot be read.
    pub async fn hits(&self, term: Term) -> Result<Hits, TableError> {
        let indexes = term.kind().indexes().iter().map(|index| INDEXES[*index]);
        let shards = indexes.flat_map(|index| term.keys().map(move |key| (index, key)));
        let shards = shards.map(|(index, key)| self.shard(index, key));
        let mut hits = Hits::default();
        for shard in try_join_all(shards).await? {
            hits.keys.extend(shard.keys);
            hits.partial |= shard.partial;
        }
        hits.keys.sort();
        hits.keys.dedup();
        Ok(hits)
    }

    /// Reads one shard of a value in an index.
    async fn shard(&self, index: &str, key: FindKey) -> Result<Hits, TableError> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .key_condition_expression("#find = :find")
            .expression_attribute_names("#find", index)
            .expression_attribute_values(":find", AttributeValue::S(key.to_string()))
            .limit(i32::try_from(MAX_SHARD_ENTRIES).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        self.consumed.read(output.consumed_capacity());
        let partial = output.last_evaluated_key.is_some();
        let rows = output.items.unwrap_or_default().into_iter();
        let keys = rows.filter_map(|row| {
            let identity = row.get("PK")?.as_s().ok()?.parse().ok()?;
            Some((identity, attribute::sort_key(&row)?))
        });
        Ok(Hits {
            keys: keys.collect(),
            partial,
        })
    }

    /// Reads the items under these keys, with only the data that the Find attributes are computed from. Absent and
    /// expired items are left out. The second value is whether DynamoDB left items unread.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn find_data(
        &self,
        keys: &[(IdentityId, SortKey)],
    ) -> Result<(Vec<Item>, bool), TableError> {
        let reads = keys.chunks(MAX_GET).map(|chunk| {
            let keys = chunk.iter();
            let keys = keys.map(|(id, key)| attribute::key(id.as_str(), &key.to_text()));
            let fields = Some((FIND_FIELDS, &FIND_NAMES[..]));
            self.get_fields(keys.collect(), Consistency::Eventual, fields)
        });
        let now = Instant::now().seconds();
        let (mut items, mut partial) = (Vec::new(), false);
        for Fetched {
            rows, unprocessed, ..
        } in try_join_all(reads).await?
        {
            let found = rows.into_iter().filter_map(attribute::item);
            items.extend(found.filter(|item| !item.is_expired(now)));
            partial |= !unprocessed.is_empty();
        }
        Ok((items, partial))
    }

    /// Reads what the card of a profile needs of an identity: its head and its newest events, at most [`CARD_ITEMS`] items
    /// together. A larger head is read whole, and then [`CARD_ITEMS`] events. `next` is the key of an event if events were
    /// left unread, and a key of the head if a part of the head was left unread.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(super) async fn card_items(
        &self,
        id: &IdentityId,
        budget: &Budget,
    ) -> Result<Items, TableError> {
        let range = Range {
            low: keys::FIRST_READ,
            high: None,
            limit: Some(CARD_ITEMS),
            pages: 1,
            fields: Fields::All,
            consistency: Consistency::Eventual,
            order: Order::NewestFirst,
            budget: Some(budget),
        };
        let first = self.query(id, range).await?;
        if budget.is_spent() || matches!(first.next, None | Some(SortKey::Event(_))) {
            return Ok(first);
        }
        let events = self.newest_events(id, Some(CARD_ITEMS), Consistency::Eventual, budget);
        let head = self.head(id, Consistency::Eventual, budget);
        let (mut head, events) = try_join(head, events).await?;
        head.items.extend(events.items);
        head.next = head.next.or(events.next);
        head.units += first.units + events.units;
        Ok(head)
    }
}
