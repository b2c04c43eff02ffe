//! Stores uploads of files through the API: their idempotency records, and the imports of their objects.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{
        AttributeValue, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    },
};

use super::{
    Table, TableError, attribute, failure,
    import_list::{entry_key, parse_entry},
    imports::state_row,
    unless_condition_failed,
};
use crate::model::{
    import::{Entry, EntryKey},
    keys,
    value::Map,
    version::ImportId,
};

impl Table {
    /// Stores the idempotency record of an upload, unless there is one that has not expired by `now` (seconds since 1970).
    /// Returns the data of the record that is stored.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn claim_upload(
        &self,
        hash: &str,
        data: &Map,
        now: i64,
        expires_at: i64,
    ) -> Result<Map, TableError> {
        let partition = keys::upload_request(hash);
        let key = attribute::key(&partition, &partition);
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(state_row(key, data, Some(expires_at))))
            // DynamoDB deletes expired items late, so an expired record is overwritten.
            .condition_expression("attribute_not_exists(PK) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match put {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                return Ok(data.clone());
            }
            Err(error) => error,
        };
        let seen = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(seen)) => seen.item().cloned(),
            _ => None,
        };
        let seen = seen.and_then(attribute::partition_and_data);
        seen.map(|(_, data)| data).ok_or_else(|| failure(error))
    }

    /// Connects an upload to the import of its object, unless another import is connected. Returns the entry; `None` if no upload has
    /// this object.
    ///
    /// # Errors
    /// The table cannot be written, or the entry cannot be read.
    pub async fn begin_upload(
        &self,
        key: &EntryKey,
        object: &str,
        import: ImportId,
    ) -> Result<Option<Entry>, TableError> {
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(entry_key(key)))
            .update_expression("SET #data.#import = if_not_exists(#data.#import, :import)")
            .condition_expression("#data.#key = :key")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":key", AttributeValue::S(object.to_owned()))
            .expression_attribute_names("#import", "import")
            .expression_attribute_values(":import", AttributeValue::S(import.to_string()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let changed = unless_condition_failed(output)?;
        let row = changed.and_then(|output| output.attributes);
        row.map(parse_entry).transpose()
    }
}
