//! DynamoDB: `dynoxide`, with the table as the template declares it.

use std::path::Path;

use dynoxide::{Database, DynoxideError};
use serde_json::json;

use crate::template::Table;

/// Opens the database, in memory or in a file, and creates the table unless it is there.
pub(crate) fn open(file: Option<&Path>, table: &Table) -> Result<Database, String> {
    let database = match file {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| error.to_string())?;
    let create = serde_json::from_value(table.create.clone()).map_err(|error| error.to_string())?;
    match database.create_table(create) {
        Ok(_) => {}
        Err(DynoxideError::ResourceInUseException(_)) => return Ok(database),
        Err(error) => return Err(error.to_string()),
    }
    if let Some(attribute) = &table.time_to_live {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
        });
        let request = serde_json::from_value(request).map_err(|error| error.to_string())?;
        database
            .update_time_to_live(request)
            .map_err(|error| error.to_string())?;
    }
    Ok(database)
}
