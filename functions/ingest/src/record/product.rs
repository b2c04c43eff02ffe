//! Maps products to items: one for each ID of a product.

use shared::{
    model::value::{Map, Value},
    table::Write,
};

use super::{
    MappedRecord, Mapper, check,
    findings::{Findings, INVALID_FIELDS},
    path::{Path, field_error},
    schema,
};
use crate::rows::{RowError, RowErrorCode, WarningCode};

/// The IDs of a product. Each has an item of its own.
const IDS: [&str; 3] = ["product_id", "sku", "upc"];
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
        let ids = IDS
            .into_iter()
            .filter_map(|id_type| Some((id_type, data.text(id_type)?)));
        let writes: Vec<_> = ids
            .map(|(id_type, id)| Write::product(id_type, id, self.version, &data))
            .collect();
        if writes.is_empty() {
            findings.errors.push(self.no_id(&data));
            return None;
        }
        Some(writes.into())
    }

    /// Returns the error of a product without a valid ID.
    fn no_id(&self, data: &Map) -> RowError {
        let invalid = data.map(INVALID_FIELDS);
        let error = IDS.into_iter().find_map(|name| {
            let text = invalid?.text(name)?;
            let (code, problem) = check::read_id(text, self.notation).err()?;
            Some(field_error(name, code, problem))
        });
        error.unwrap_or_else(|| {
            field_error(
                "product_id",
                RowErrorCode::MissingField,
                "is missing. Add `product_id`, `sku` or `upc`.",
            )
        })
    }
}
