//! Maps products to items: one for each ID of a product.

use shared::{
    model::value::{Map, Value},
    table::Write,
};

use super::{
    Mapper,
    check::{self, Path, field_error},
    schema,
};
use crate::rows::{RowError, RowErrorCode};

impl Mapper<'_> {
    /// Maps a product. Returns one write for each of its IDs.
    pub(super) fn product(&self, fields: Map) -> Result<Vec<Write>, RowError> {
        let mut data = check::fields(schema::PRODUCT, fields, &Path::Record)?;
        let named_by = match data.remove("product_reference_type") {
            Some(Value::Text(name)) => name,
            _ => "product_id".to_owned(),
        };
        if data.get(&named_by).is_none() {
            return Err(field_error(
                &named_by,
                RowErrorCode::MissingField,
                "is missing. Add the ID that `product_reference_type` names.",
            ));
        }
        let ids = ["product_id", "sku", "upc"]
            .into_iter()
            .filter_map(|id_type| Some((id_type, data.text(id_type)?)));
        Ok(ids
            .map(|(id_type, id)| Write::product(id_type, id, self.version, &data))
            .collect())
    }
}
