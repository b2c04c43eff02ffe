//! Checks the header of a CSV file against the record type of its folder, so that a wrong header is one problem of the file instead of an
//! error of each row.

use crate::{
    record::{RecordType, forget, mask::is_identifying},
    rows::RowError,
    source::{FileError, FileErrorKind},
};

/// The maximum number of columns that a message names.
const MAX_NAMED: usize = 8;
/// The maximum length of a column's name in a message, in characters.
const MAX_NAME_CHARS: usize = 64;
/// The fields of a reject. Dropped again, a row contains its record below one of them.
const REJECT: [&str; 3] = ["code", "message", "offset"];

/// Names that other systems use, in lowercase and without separators, and the columns that they correspond to.
const IDENTIFIERS: &[(&str, &[&str])] = &[
    (
        "link.email",
        &[
            "email",
            "emailaddress",
            "mail",
            "emailid",
            "customeremail",
            "useremail",
            "contactemail",
        ],
    ),
    (
        "link.email_sha256",
        &["emailsha256", "sha256email", "hashedemail", "emailhash"],
    ),
    ("link.email_md5", &["emailmd5", "md5email"]),
    (
        "link.mobile",
        &[
            "mobile",
            "mobilenumber",
            "mobilephone",
            "phone",
            "phonenumber",
            "telephone",
            "tel",
            "cell",
            "cellphone",
            "msisdn",
            "customerphone",
        ],
    ),
    (
        "link.customer_id",
        &[
            "customerid",
            "custid",
            "customernumber",
            "customerno",
            "clientid",
            "memberid",
            "userid",
            "contactid",
        ],
    ),
    ("link.external_id", &["externalid"]),
];
const PRODUCT_IDS: &[(&str, &[&str])] = &[
    (
        "product_id",
        &["productid", "id", "itemid", "productcode", "articleid"],
    ),
    (
        "sku",
        &[
            "sku",
            "skucode",
            "variantsku",
            "itemcode",
            "productsku",
            "articlenumber",
        ],
    ),
    (
        "upc",
        &["upc", "upccode", "ean", "ean13", "gtin", "barcode"],
    ),
];

/// Checks that a column can name what the rows are about: a customer, or a product. `record_type` is that of the folder; `None` if each
/// row specifies its own.
///
/// # Errors
/// No column can. The detail lists the columns, and the name that the most similar one should have. Or a column of rows that erase
/// customers has a misspelled name.
pub(crate) fn check(columns: &[String], record_type: Option<RecordType>) -> Result<(), FileError> {
    let begins = |prefix: &str| columns.iter().any(|column| column.starts_with(prefix));
    let is_named = |names: &[&str]| {
        names
            .iter()
            .all(|name| columns.iter().any(|column| column == name))
    };
    let (is_complete, expected) = match record_type {
        None => return Ok(()),
        Some(RecordType::Product) => (
            ["product_id", "sku", "upc"]
                .iter()
                .any(|id| is_named(&[id])),
            Expected::PRODUCT,
        ),
        Some(RecordType::Unify) => (begins("records["), Expected::LINKS),
        Some(RecordType::Forget) => (
            begins("records[") || begins("link.") || begins("identity_ids["),
            Expected::CUSTOMER,
        ),
        Some(RecordType::CustomerRecord | RecordType::Event(_) | RecordType::Attributes) => {
            (begins("link."), Expected::CUSTOMER)
        }
    };
    let detail = match record_type {
        _ if is_named(&REJECT) => None,
        _ if !is_complete => Some(missing(columns, expected)),
        Some(RecordType::Forget) => misspelled(columns),
        _ => None,
    };
    detail.map_or(Ok(()), |detail| {
        Err(FileError::new(FileErrorKind::InvalidCsvHeader, detail))
    })
}

/// Returns the detail of a header of erasures with misspelled columns; `None` if there are none.
fn misspelled(columns: &[String]) -> Option<String> {
    let field = |column: &str| column.split(['.', '[']).next().map(str::to_owned);
    let meant = |column: &String| {
        let field = field(column).filter(|field| !forget::OWN.contains(&field.as_str()))?;
        Some((column.clone(), forget::meant(&field)?))
    };
    let found: Vec<_> = columns.iter().filter_map(meant).collect();
    let (_, like) = found.first()?;
    let names: Vec<_> = found.iter().map(|(column, _)| column.clone()).collect();
    Some(format!(
        "The header has names that are not fields of a forget row: {}. No row was read, because an erasure cannot be undone. The fields \
         are {}. Rename the first one to `{like}`, or remove it, and drop the file again.",
        listed(&names),
        forget::OWN.join(", ")
    ))
}

/// Creates the error of a header that has another number of columns than each of the first rows. `line` is that of the first row, and
/// `error` is its error.
pub(crate) fn mismatch(columns: &[String], line: u64, error: &RowError) -> FileError {
    let detail = format!(
        "The header does not fit the rows: the row at line {line} {} No row was read. {} Add or remove a column in the header, and \
         drop the file again.",
        error.problem,
        found(columns)
    );
    FileError::new(FileErrorKind::InvalidCsvHeader, detail)
}

/// The columns that a header needs, for messages.
struct Expected {
    /// What the columns name.
    what: &'static str,
    /// What to add if no column is similar.
    example: &'static str,
    similar: &'static [(&'static str, &'static [&'static str])],
}

impl Expected {
    const CUSTOMER: Self = Self {
        what: "names the customer",
        example: "a column such as `link.email`, `link.mobile` or `link.customer_id`",
        similar: IDENTIFIERS,
    };
    const LINKS: Self = Self {
        what: "names the identifiers to link",
        example: "columns such as `records[0].email` and `records[1].mobile`",
        similar: &[],
    };
    const PRODUCT: Self = Self {
        what: "names the product",
        example: "a column such as `product_id`, `sku` or `upc`",
        similar: PRODUCT_IDS,
    };
}

/// Returns the detail of a header without the columns that it needs.
fn missing(columns: &[String], expected: Expected) -> String {
    if columns.iter().any(|column| is_value(column)) {
        return format!(
            "The first line contains values instead of names of columns. Add a header with {}, and drop the file again.",
            expected.example
        );
    }
    let fix = columns.iter().find_map(|column| {
        let (name, _) = expected
            .similar
            .iter()
            .find(|(_, names)| names.contains(&plain(column).as_str()))?;
        Some(format!("Rename `{}` to `{name}`", shown(column)?))
    });
    let fix = fix.unwrap_or_else(|| format!("Add {}", expected.example));
    format!(
        "The header has no column that {}. {} {fix}, and drop the file again.",
        expected.what,
        found(columns)
    )
}

/// Lists columns in a sentence.
pub(crate) fn found(columns: &[String]) -> String {
    format!("Columns found: {}.", listed(columns))
}

/// Lists the first names of columns or fields. Names that may be values are left out.
pub(crate) fn listed(columns: &[String]) -> String {
    let shown: Vec<_> = columns
        .iter()
        .take(MAX_NAMED)
        .enumerate()
        .map(|(index, column)| match shown(column) {
            Some(name) => format!("`{name}`"),
            None => format!("column {}", index + 1),
        })
        .collect();
    let more = columns.len() - shown.len();
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

/// Returns a column's name for a message; `None` if it may be a value, which messages do not contain.
fn shown(column: &str) -> Option<&str> {
    let is_name = column
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && column.chars().count() <= MAX_NAME_CHARS
        && !column.contains('`')
        && !is_identifying(column)
        && !column.contains(char::is_control);
    is_name.then_some(column)
}

/// Returns whether a cell of the first line is certainly a value: an address or a number.
fn is_value(column: &str) -> bool {
    let is_number = column
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.:/ ".contains(&byte));
    column.contains('@') || (!column.is_empty() && is_number)
}

/// Returns a name in lowercase, without separators and a leading `link`.
fn plain(column: &str) -> String {
    let letters = column.chars().filter(|letter| letter.is_alphanumeric());
    let name: String = letters.flat_map(char::to_lowercase).collect();
    match name.strip_prefix("link") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::RowErrorCode;

    fn checked(header: &str, record_type: &str) -> Result<(), String> {
        let columns: Vec<_> = header.split(',').map(str::to_owned).collect();
        let record_type = (record_type != "mixed").then(|| record_type.parse().unwrap());
        check(&columns, record_type).map_err(|error| {
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader);
            error.detail
        })
    }

    #[test]
    fn accepts_headers_that_name_what_rows_are_about() {
        for (record_type, header) in [
            ("customer_record", "first_name,link.email"),
            ("purchase", "link.customer_id,link.system_name"),
            ("attributes", "link.link_type,link.link_value"),
            ("product", "name,sku"),
            ("unify", "records[0].email,records[1].mobile"),
            ("forget", "records[0].email"),
            ("forget", "link.email,suppress"),
            (
                "forget",
                "record_type,identity_ids[0],erased_at,scope,reinstate,",
            ),
            ("forget", "offset,code,message,record.link.email,source"),
            ("unify", "records[0].email,unlinked"),
            ("mixed", "a,b"),
            ("purchase", "offset,code,message,record.link.email"),
        ] {
            assert_eq!(
                checked(header, record_type),
                Ok(()),
                "{record_type}: {header}"
            );
        }
    }

    #[test]
    fn suggests_column() {
        for (record_type, header, fix) in [
            (
                "customer_record",
                "Name,Email",
                "Rename `Email` to `link.email`",
            ),
            (
                "customer_record",
                "E-Mail Address",
                "Rename `E-Mail Address` to `link.email`",
            ),
            (
                "customer_record",
                "Link.Email",
                "Rename `Link.Email` to `link.email`",
            ),
            (
                "customer_record",
                "link_mobile",
                "Rename `link_mobile` to `link.mobile`",
            ),
            (
                "purchase",
                "order,Customer ID",
                "Rename `Customer ID` to `link.customer_id`",
            ),
            (
                "purchase",
                "order,total",
                "Add a column such as `link.email`",
            ),
            (
                "purchase",
                "link,total",
                "Add a column such as `link.email`",
            ),
            ("product", "Name,Barcode", "Rename `Barcode` to `upc`"),
            ("product", "Name,price", "Add a column such as `product_id`"),
            (
                "unify",
                "email,mobile",
                "Add columns such as `records[0].email`",
            ),
            ("forget", "email", "Rename `email` to `link.email`"),
        ] {
            let detail = checked(header, record_type).unwrap_err();
            assert!(detail.contains(fix), "{detail}");
            assert!(
                detail.contains(&format!("`{}`", header.split(',').next().unwrap())),
                "{detail}"
            );
        }
        let many = ["a"; 20].join(",");
        let detail = checked(&many, "purchase").unwrap_err();
        assert!(detail.contains("`a`, and 12 more."), "{detail}");
    }

    #[test]
    fn does_not_repeat_values() {
        for header in ["kim@example.com,Kim", "Kim,61491570156", "2026-01-01,Kim"] {
            let detail = checked(header, "customer_record").unwrap_err();
            assert!(
                detail.starts_with("The first line contains values"),
                "{detail}"
            );
            assert!(!detail.contains("Kim"), "{detail}");
        }
        let detail = checked("name,(x),`,t61491570156", "customer_record").unwrap_err();
        let expected = "`name`, column 2, column 3, column 4.";
        assert!(detail.contains(expected), "{detail}");
    }

    #[test]
    fn names_misspelled_columns_of_erasures() {
        for (header, expected) in [
            (
                "link.email,Suppress,case,Scope",
                "not fields of a forget row: `Suppress`, `Scope`. No row was read, because an erasure cannot be undone. The fields are \
                 erased_at, identity_ids, link, record_type, records, reinstate, scope, suppress. Rename the first one to `suppress`, or \
                 remove it, and drop the file again.",
            ),
            ("records[0].email,suppressed", "`suppressed`. No row"),
            ("link.email,scop", "Rename the first one to `scope`"),
            (
                "link.email,reinstated",
                "Rename the first one to `reinstate`",
            ),
            (
                "link.email,identity_id[0]",
                "Rename the first one to `identity_ids`",
            ),
        ] {
            let detail = checked(header, "forget").unwrap_err();
            assert!(detail.contains(expected), "{detail}");
        }
        for header in ["link.email,case", "link.email,reason,agent.name"] {
            assert_eq!(checked(header, "forget"), Ok(()), "{header}");
        }
    }

    #[test]
    fn explains_mismatch() {
        let error = RowError::whole(
            RowErrorCode::WrongCellCount,
            "has 3 cells, but the header has 2.",
        );
        let columns = ["link.email".to_owned(), "name".to_owned()];
        let error = mismatch(&columns, 2, &error);
        assert!(
            error.detail.starts_with(
                "The header does not fit the rows: the row at line 2 has 3 cells, but the header has 2. No row was read. Columns found: \
                 `link.email`, `name`."
            ),
            "{}",
            error.detail
        );
    }

    proptest! {
        #[test]
        fn any_header_is_checked(columns in prop::collection::vec(".{0,12}", 0..12), kind in 0_usize..5) {
            let kind = ["mixed", "product", "unify", "forget", "purchase"][kind];
            let _ = checked(&columns.join(","), kind);
        }
    }
}
