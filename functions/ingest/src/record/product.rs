//! Maps products to items: one for each ID of a product.

use shared::{
    model::value::{Map, Value},
    table::Write,
};

use super::{
    MappedRecord, Mapper,
    findings::Findings,
    path::{Path, field_error},
    schema,
};
use crate::rows::{RowErrorCode, WarningCode};

/// The fields that a product has besides its data.
const OWN: &[&str] = &["record_type"];

impl Mapper<'_> {
    /// Maps a product. Returns one write for each of its IDs.
    pub(super) fn product(&self, fields: Map, findings: &mut Findings) -> Option<MappedRecord> {
        let mut data = self.checked(schema::PRODUCT, OWN, fields, findings)?;
        if let Some(Value::Text(named_by)) = data.remove("product_reference_type")
            && data.get(&named_by).is_none()
        {
            let path = Path::Field(&Path::Record, &named_by);
            findings.warn(WarningCode::MissingField, &path);
        }
        let ids = ["product_id", "sku", "upc"]
            .into_iter()
            .filter_map(|id_type| Some((id_type, data.text(id_type)?)));
        let writes: Vec<_> = ids
            .map(|(id_type, id)| Write::product(id_type, id, self.version, &data))
            .collect();
        if writes.is_empty() {
            findings.errors.push(field_error(
                "product_id",
                RowErrorCode::MissingField,
                "is missing. Add `product_id`, `sku` or `upc`.",
            ));
            return None;
        }
        Some(writes.into())
    }
}
