//! Maps customer records: the data of a customer, as one source knows it.

use shared::model::{keys::SortKey, value::Map};

use super::{MappedRecord, Mapper, findings::Findings, schema};

/// The fields that a customer record has besides its data.
const OWN: &[&str] = &["link", "record_type"];

impl Mapper<'_> {
    /// Maps a customer record. Returns its write, unless an erasure suppresses it.
    pub(super) fn customer_record(
        &self,
        mut fields: Map,
        findings: &mut Findings,
    ) -> Option<MappedRecord> {
        let link = findings.keep(self.link(&mut fields));
        let checked = self.checked(schema::CUSTOMER_RECORD, OWN, fields, findings);
        let (link, data) = (link?, checked?);
        let record = self.item(&link, SortKey::Record(self.context.source.to_owned()), data);
        let writes: Vec<_> = self.write(record).into_iter().collect();
        Some(writes.into())
    }
}
