//! Checks the shape of a JSON file against the record type of its folder, so that rows that would not be read are a problem of the file.

use crate::{
    record::{RecordType, mask::is_identifying},
    rows::{KnownFields, UnreadRows},
    source::{FileError, FileErrorKind},
};

/// The fields that make an object a row of any type, an envelope or a reject.
const PLACING: [&str; 4] = ["link", "record", "record_base64", "records"];
const PRODUCT_IDS: [&str; 3] = ["product_id", "sku", "upc"];
/// Further fields that the schemas do not contain.
const OTHER: [&str; 5] = [
    "action_at",
    "identity_ids",
    "invalid_fields",
    "record_type",
    "replaces_action_at",
];
/// The maximum length of a list's path in a message, in characters.
const MAX_PATH_CHARS: usize = 64;

/// Returns the fields that show that an object is a row. `record_type` is that of the folder; `None` if each row specifies its own.
pub(crate) fn known_fields(record_type: Option<RecordType>) -> KnownFields {
    let mut placing = PLACING.to_vec();
    if matches!(record_type, None | Some(RecordType::Product)) {
        placing.extend(PRODUCT_IDS);
    }
    if matches!(record_type, None | Some(RecordType::Forget)) {
        placing.push("identity_ids");
    }
    let types: Vec<RecordType> = match record_type {
        Some(record_type) => vec![record_type],
        None => RecordType::names()
            .filter_map(|name| name.parse().ok())
            .collect(),
    };
    let fields = types.iter().flat_map(|kind| kind.fields());
    let mut all: Vec<_> = fields.map(|field| field.name).collect();
    all.extend(placing.iter().copied().chain(OTHER));
    KnownFields { placing, all }
}

/// Creates the error of a file with rows that would not be read. The message contains the fix.
pub(crate) fn unread(rows: &UnreadRows, record_type: Option<RecordType>) -> FileError {
    let detail = match rows {
        UnreadRows::JoinedByCommas => {
            "The objects are joined by commas, but are not in an array. Write [ before the first and ] after the last object, or one object \
             per line without commas, and drop the file again."
                .to_owned()
        }
        UnreadRows::InList(path) => {
            let fix = match record_type {
                Some(RecordType::Unify | RecordType::Forget) => "Write",
                _ => "Name the list `records`, or write",
            };
            let (name, command) = match jq_path(path) {
                Some(jq) => (
                    format!("its list `{}`", path.join(".")),
                    format!(", such as with: jq -c '{jq}[]' FILE"),
                ),
                None => ("a list".to_owned(), String::new()),
            };
            format!(
                "The file is an object that is not a row. If the rows are in {name}, they are not read. {fix} the rows as an array \
                 or one per line{command}. Then drop the file again."
            )
        }
    };
    FileError::new(FileErrorKind::BrokenJson, detail)
}

/// Returns a path as jq writes it; `None` if a message must not contain it, or jq needs quotes.
fn jq_path(path: &[String]) -> Option<String> {
    let is_plain = |name: &String| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let jq: String = path.iter().map(|name| format!(".{name}")).collect();
    let is_shown = path.iter().all(is_plain) && jq.len() <= MAX_PATH_CHARS && !is_identifying(&jq);
    is_shown.then_some(jq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(path: &[&str], record_type: &str) -> String {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        let record_type = record_type.parse().ok();
        let error = unread(&UnreadRows::InList(path), record_type);
        assert_eq!(error.kind, FileErrorKind::BrokenJson);
        error.detail
    }

    #[test]
    fn names_list_and_fix() {
        assert_eq!(
            detail(&["data", "items"], "purchase"),
            "The file is an object that is not a row. If the rows are in its list `data.items`, they are not read. Name the list `records`, \
             or write the rows as an array or one per line, such as with: jq -c '.data.items[]' FILE. Then drop the file again."
        );
        assert_eq!(
            detail(&["jane@x.example"], "forget"),
            "The file is an object that is not a row. If the rows are in a list, they are not read. Write the rows as an array or one per \
             line. Then drop the file again."
        );
        assert!(!detail(&["t61491570156"], "mixed").contains("6149"));
    }

    #[test]
    fn knows_fields_of_rows() {
        let purchase = known_fields("purchase".parse().ok());
        assert!(purchase.all.contains(&"fulfillments") && !purchase.placing.contains(&"sku"));
        assert!(
            known_fields("product".parse().ok())
                .placing
                .contains(&"sku")
        );
        assert!(known_fields(None).all.contains(&"products"));
    }
}
