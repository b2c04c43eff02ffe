//! Maps customer records: the data of a customer, as one source knows it.

use shared::{
    model::{keys::SortKey, value::Map},
    table::Write,
};

use super::{
    Mapper,
    check::{self, Path},
    schema,
};
use crate::rows::RowError;

impl Mapper<'_> {
    /// Maps a customer record. Returns its write, unless an erasure suppresses it.
    pub(super) fn customer_record(&self, mut fields: Map) -> Result<Vec<Write>, RowError> {
        let link = self.link(&mut fields)?;
        let data = check::fields(schema::CUSTOMER_RECORD, fields, &Path::Record)?;
        self.not_ahead(&data, "updated_at")?;
        let record = self.item(&link, SortKey::Record(self.context.source.to_owned()), data);
        Ok(self.write(record).into_iter().collect())
    }
}
