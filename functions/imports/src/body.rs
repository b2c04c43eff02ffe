//! Parses request bodies. Unknown fields are rejected.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use shared::{
    http::{
        self, Call, Field,
        principal::{Principal, Scope},
        problem::Problem,
    },
    model::folder::{
        AUTO, FOLDER_MARKER, MIXED, RECORD_TYPES, is_hidden, is_mapping_name, is_reserved_mapping,
        is_reserved_source, is_source,
    },
};

/// The maximum length of a file's name, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The maximum size of a file, in bytes: 5 TiB.
const MAX_FILE_BYTES: u64 = 5 << 40;
/// The maximum number of parts of an upload. The tags of all parts have to fit into a request. S3 allows 10,000.
pub(crate) const MAX_PARTS: u64 = 2_000;
/// The maximum number of parts in one request for their URLs.
const MAX_PART_URLS: usize = 100;
/// The maximum length of a part's `ETag`, in bytes.
const MAX_ETAG_BYTES: usize = 64;

/// What the source of an upload must be.
const SOURCE_RULE: &str =
    "a string of 1 to 64 lowercase letters, digits, `_` and `-`, with at least one letter.";

/// The fields of a body.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// The body of `POST /imports`.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) file_name: String,
    /// A record type, a mapping, `auto` or `mixed`.
    pub(crate) folder: String,
    pub(crate) source: Option<String>,
    /// The size of the file, in bytes.
    pub(crate) size: u64,
    /// Whether the file is tried instead of imported.
    pub(crate) is_try: bool,
}

impl Create {
    pub(crate) fn new(fields: &Fields) -> Result<Self, Problem> {
        http::check_known(fields, &["file_name", "type", "source", "size", "try"])?;
        let file_name_rule = format!(
            "a string of 1 to {MAX_NAME_BYTES} bytes without `/` and control characters, and must not begin with `_` or `.`."
        );
        let file_name: String = required(fields, "file_name", &file_name_rule)?;
        if !is_file_name(&file_name) {
            return Err(must_be("file_name", &file_name_rule));
        }
        let type_rule = |folder: &str| {
            format!(
                "a string: a record type, the name of a mapping, `{AUTO}` or `{MIXED}`.{} The record types are {}.",
                similar(folder),
                RECORD_TYPES.join(", ")
            )
        };
        let folder: String = required(fields, "type", &type_rule(""))?;
        if !is_folder(&folder) {
            return Err(must_be("type", &type_rule(&folder)));
        }
        let source: Option<String> = optional(fields, "source", SOURCE_RULE)?;
        if source.as_deref().is_some_and(|source| !is_source(source)) {
            return Err(must_be("source", SOURCE_RULE));
        }
        if source.as_deref().is_some_and(is_reserved_source) {
            let detail = "The sources `agents` and `system` are reserved. Use another source.";
            return Err(Problem::invalid_body(Some("source"), detail));
        }
        let size_rule = format!(
            "the size of the file in bytes: an integer from 1 to {MAX_FILE_BYTES} (5 TiB), without quotation marks. Split a larger file."
        );
        let Integer(size) = required(fields, "size", &size_rule)?;
        if !(1..=MAX_FILE_BYTES).contains(&size) {
            return Err(must_be("size", &size_rule));
        }
        Ok(Self {
            file_name,
            folder,
            source,
            size,
            is_try: optional(fields, "try", "`true` or `false`, without quotation marks.")?
                .unwrap_or(false),
        })
    }

    /// Returns the key of the object that an upload puts.
    pub(crate) fn key(&self, id: uuid::Uuid) -> String {
        let prefix = if self.is_try { "try" } else { "drop" };
        let source = self.source.as_ref();
        let source = source.map_or_else(String::new, |source| format!("{source}/"));
        format!("{prefix}/{}/{source}{id}/{}", self.folder, self.file_name)
    }
}

/// Adds the type of an upload to the audit line. Nothing shows that there is a mapping of a name, so it may be any name. Ingest adds
/// that of a mapping that exists to the line of the import.
pub(crate) fn audit_type(call: &Call<'_>, folder: &str) {
    if is_known_to_all(folder) {
        call.audit(Field::ImportType, folder);
    }
}

/// Requires the scopes to import files of a type.
pub(crate) fn require_scopes(principal: &Principal, folder: &str) -> Result<(), Problem> {
    scopes(folder)
        .iter()
        .try_for_each(|scope| principal.require(*scope))
}

/// Returns the scopes that files of a type need.
fn scopes(folder: &str) -> &'static [Scope] {
    match folder {
        "forget" => &[Scope::ErasuresWrite],
        "unify" => &[Scope::LinksWrite],
        MIXED => &[Scope::ErasuresWrite, Scope::LinksWrite],
        _ => &[],
    }
}

/// Returns the record types that a principal may not import, whatever a mapping or the content of a file decides.
pub(crate) fn denied(principal: &Principal) -> Vec<String> {
    let types = [
        ("forget", Scope::ErasuresWrite),
        ("unify", Scope::LinksWrite),
    ];
    let denied = types.iter().filter(|(_, scope)| !principal.has(*scope));
    denied.map(|(name, _)| (*name).to_owned()).collect()
}

/// Returns a hash that distinguishes requests with the same idempotency key.
pub(crate) fn hash(fields: &Fields) -> String {
    let mut digest = Sha256::new();
    for (name, value) in fields {
        for part in [name.as_str(), value.get()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    data_encoding::BASE64.encode(&digest.finalize()[..16])
}

/// An integer of JSON, which clients may also write as `1.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(crate) struct Integer(pub(crate) u64);

impl TryFrom<serde_json::Number> for Integer {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        let text = number.to_string();
        let digits = text
            .split_once('.')
            .filter(|(_, fraction)| fraction.bytes().all(|digit| digit == b'0'))
            .map_or(text.as_str(), |(digits, _)| digits);
        digits.parse().map(Self).map_err(|_| "not an integer")
    }
}

/// A part that a client has uploaded.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedPart {
    number: Integer,
    etag: String,
}

/// Parses the body of a request for the URLs of parts: their numbers.
pub(crate) fn numbers(fields: &Fields) -> Result<Vec<u64>, Problem> {
    http::check_known(fields, &["numbers"])?;
    let rule = format!(
        "an array of 1 to {MAX_PART_URLS} part numbers, each an integer from 1 to {MAX_PARTS}."
    );
    let numbers: Vec<Integer> = required(fields, "numbers", &rule)?;
    let is_number = |Integer(number): &Integer| (1..=MAX_PARTS).contains(number);
    if !(1..=MAX_PART_URLS).contains(&numbers.len()) || !numbers.iter().all(is_number) {
        return Err(must_be("numbers", &rule));
    }
    Ok(numbers.into_iter().map(|Integer(number)| number).collect())
}

/// Checks that each number is at most `count`, the number of parts.
pub(crate) fn check_numbers(numbers: &[u64], count: u64) -> Result<(), Problem> {
    if numbers.iter().all(|number| *number <= count) {
        return Ok(());
    }
    let detail = format!(
        "The upload has parts 1 to {count}, and `numbers` contains another number. Send only numbers of existing parts."
    );
    Err(Problem::invalid_body(Some("numbers"), detail))
}

/// Parses the body of a request that completes an upload: its parts.
pub(crate) fn parts(fields: &Fields) -> Result<Vec<UploadedPart>, Problem> {
    http::check_known(fields, &["parts"])?;
    let rule = format!(
        "an array of the uploaded parts, at most {MAX_PARTS}. Each is an object with `number`, an integer from 1 to {MAX_PARTS}, and `etag`, the \
         header `ETag` of its upload: a string of 1 to {MAX_ETAG_BYTES} characters."
    );
    let parts: Vec<UploadedPart> = required(fields, "parts", &rule)?;
    let is_part =
        |part: &UploadedPart| (1..=MAX_PARTS).contains(&part.number.0) && is_etag(&part.etag);
    if parts.is_empty() || parts.len() as u64 > MAX_PARTS || !parts.iter().all(is_part) {
        return Err(must_be("parts", &rule));
    }
    Ok(parts)
}

/// Returns the number and the tag of each of the `count` parts of an upload, in order.
pub(crate) fn all_parts(
    mut parts: Vec<UploadedPart>,
    count: u64,
) -> Result<Vec<(u64, String)>, Problem> {
    parts.sort_by_key(|part| part.number.0);
    let mut numbered = parts.iter().zip(1..);
    if parts.len() as u64 != count || !numbered.all(|(part, number)| part.number.0 == number) {
        let detail = format!("`parts` must contain each of the {count} parts of the upload once.");
        return Err(Problem::invalid_body(Some("parts"), detail));
    }
    let parts = parts.into_iter();
    Ok(parts.map(|part| (part.number.0, part.etag)).collect())
}

fn is_etag(etag: &str) -> bool {
    (1..=MAX_ETAG_BYTES).contains(&etag.len()) && etag.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether ingest would read a file of this name.
fn is_file_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c.is_control())
        && !name.starts_with('_')
        && !is_hidden(name)
        && !name.ends_with(FOLDER_MARKER)
}

fn is_folder(name: &str) -> bool {
    is_known_to_all(name) || (is_mapping_name(name) && !is_reserved_mapping(name))
}

/// Returns whether a type is not the name of a mapping.
fn is_known_to_all(name: &str) -> bool {
    name == AUTO || name == MIXED || RECORD_TYPES.contains(&name)
}

/// Returns a hint at the record type that differs only in case, separators or a plural.
fn similar(name: &str) -> String {
    let plain = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        let letters: String = letters.flat_map(char::to_lowercase).collect();
        letters.trim_end_matches('s').to_owned()
    };
    let like = RECORD_TYPES
        .iter()
        .find(|known| plain(known) == plain(name));
    like.map_or_else(String::new, |like| format!(" Did you mean `{like}`?"))
}

/// Parses a field that the body must contain. `rule` completes the sentence that the field must be …
fn required<T: DeserializeOwned>(
    fields: &Fields,
    name: &'static str,
    rule: &str,
) -> Result<T, Problem> {
    let Some(raw) = fields.get(name) else {
        let detail = format!("`{name}` is missing. It must be {rule}");
        return Err(Problem::invalid_body(Some(name), detail));
    };
    serde_json::from_str(raw.get()).map_err(|_| must_be(name, rule))
}

/// Parses a field that the body can leave out. `rule` is as in [`required`].
fn optional<T: DeserializeOwned>(
    fields: &Fields,
    name: &'static str,
    rule: &str,
) -> Result<Option<T>, Problem> {
    match fields.get(name) {
        None => Ok(None),
        Some(raw) if raw.get() == "null" => {
            let detail =
                format!("`{name}` is null. Leave the field out. Otherwise it must be {rule}");
            Err(Problem::invalid_body(Some(name), detail))
        }
        Some(_) => required(fields, name, rule).map(Some),
    }
}

/// Returns the problem for a field that breaks its rule.
fn must_be(name: &'static str, rule: &str) -> Problem {
    Problem::invalid_body(Some(name), format!("`{name}` must be {rule}"))
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;
    use serde_json::{Value as Json, json};
    use shared::http::problem::Kind;

    use super::*;

    fn fields(json: &Json) -> Fields {
        serde_json::from_str(&json.to_string()).unwrap()
    }

    fn document<T>(result: Result<T, Problem>) -> Json {
        let problem = result.err().unwrap();
        assert_eq!(problem.kind(), Kind::INVALID_BODY);
        let Body::Text(document) = problem.respond("r").into_body() else {
            panic!("a problem is a text");
        };
        serde_json::from_str(&document).unwrap()
    }

    /// Returns the field that a problem names.
    fn field<T>(result: Result<T, Problem>) -> String {
        let document = document(result);
        document["field"].as_str().unwrap_or_default().to_owned()
    }

    /// The body of an upload, with other values of some fields.
    fn create(changes: &Json) -> Result<Create, Problem> {
        let mut body = json!({"file_name": "a.csv", "type": "purchase", "size": 7});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        Create::new(&fields(&body))
    }

    #[test]
    fn uploads_have_a_key() {
        let id = uuid::Uuid::nil();
        let upload = create(&json!({})).unwrap();
        assert_eq!((upload.size, upload.is_try), (7, false));
        assert_eq!(upload.key(id), format!("drop/purchase/{id}/a.csv"));
        let tried = create(&json!({"type": "shop", "source": "pos", "try": true})).unwrap();
        assert_eq!(tried.key(id), format!("try/shop/pos/{id}/a.csv"));
    }

    #[test]
    fn uploads_can_be_of_every_size_and_type() {
        for size in [1, MAX_FILE_BYTES] {
            assert_eq!(create(&json!({"size": size})).unwrap().size, size);
        }
        for folder in ["auto", "mixed", "forget", "shopify-orders"] {
            assert_eq!(create(&json!({"type": folder})).unwrap().folder, folder);
        }
        let longest = "a".repeat(MAX_NAME_BYTES);
        for name in [longest.as_str(), "a b.csv.gz", "é"] {
            assert_eq!(create(&json!({"file_name": name})).unwrap().file_name, name);
        }
    }

    #[test]
    fn invalid_fields_are_named() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        let hadoop = format!("a{FOLDER_MARKER}");
        for name in ["", "a/b", "a\n", "_a", "_a=b", ".a", &long, &hadoop] {
            let invalid = create(&json!({"file_name": name}));
            assert_eq!(field(invalid), "file_name", "{name}");
        }
        for folder in ["", "Shopify", "try", "a_b"] {
            assert_eq!(field(create(&json!({"type": folder}))), "type", "{folder}");
        }
        for source in ["POS", "2026", "agents", "system"] {
            let invalid = create(&json!({"source": source}));
            assert_eq!(field(invalid), "source", "{source}");
        }
        for size in [json!(0), json!(MAX_FILE_BYTES + 1), json!("7"), json!(1.5)] {
            let invalid = create(&json!({"size": size}));
            assert_eq!(field(invalid), "size", "{size}");
        }
        assert_eq!(field(create(&json!({"try": 1}))), "try");
        assert_eq!(field(create(&json!({"other": 1}))), "other");
        assert_eq!(field(Create::new(&fields(&json!({})))), "file_name");
    }

    #[test]
    fn problems_state_type_and_range() {
        let detail = |changes: &Json| {
            let document = document(create(changes));
            document["detail"].as_str().unwrap().to_owned()
        };
        for size in [json!(-1), json!("5"), json!(1.5), json!(null), json!(0)] {
            let expected = "`size` must be the size of the file in bytes: an integer from 1 to 5497558138880 (5 TiB), without quotation marks. \
                            Split a larger file.";
            assert_eq!(detail(&json!({"size": size})), expected, "{size}");
        }
        for (changes, begin) in [
            (
                json!({"file_name": 1}),
                "`file_name` must be a string of 1 to 255 bytes",
            ),
            (
                json!({"type": null}),
                "`type` must be a string: a record type",
            ),
            (json!({"source": 1}), "`source` must be a string of 1 to 64"),
            (
                json!({"source": null}),
                "`source` is null. Leave the field out. Otherwise it must be a string of 1 to 64",
            ),
            (
                json!({"try": "yes"}),
                "`try` must be `true` or `false`, without",
            ),
        ] {
            let detail = detail(&changes);
            assert!(detail.starts_with(begin), "{detail}");
        }
        let missing = document(Create::new(&fields(&json!({}))));
        let begin = "`file_name` is missing. It must be a string of 1 to 255 bytes";
        assert!(missing["detail"].as_str().unwrap().starts_with(begin));
        let number = document(numbers(&fields(&json!({"numbers": ["1"]}))));
        let expected =
            "`numbers` must be an array of 1 to 100 part numbers, each an integer from 1 to 2000.";
        assert_eq!(number["detail"], expected);
    }

    #[test]
    fn types_need_scopes() {
        let (erasures, links) = (Scope::ErasuresWrite, Scope::LinksWrite);
        for (folder, expected) in [
            ("forget", &[erasures][..]),
            ("unify", &[links]),
            ("mixed", &[erasures, links]),
            ("auto", &[]),
            ("purchase", &[]),
            ("shopify-orders", &[]),
        ] {
            assert_eq!(scopes(folder), expected, "{folder}");
        }
        let known = ["auto", "mixed", "purchase", "shopify-orders"].map(is_known_to_all);
        assert_eq!(known, [true, true, true, false]);
    }

    #[test]
    fn similar_types_are_suggested() {
        let hint = |name: &str| similar(name);
        assert_eq!(hint("Purchases"), " Did you mean `purchase`?");
        assert_eq!(hint("email-click"), " Did you mean `email_click`?");
        assert_eq!(hint("shop"), "");
    }

    #[test]
    fn hashes_distinguish_requests() {
        let hash = |json: Json| hash(&fields(&json));
        let first = hash(json!({"a": 1, "b": 2}));
        assert_eq!(first, hash(json!({"b": 2, "a": 1})));
        for other in [
            json!({"a": 1}),
            json!({"a": 2, "b": 2}),
            json!({"a": 1, "c": 2}),
            json!({"a": 1, "b": 2, "c": 3}),
        ] {
            assert_ne!(first, hash(other));
        }
        // The same texts, divided differently into a name and a value.
        assert_ne!(hash(json!({"a1": 2})), hash(json!({"a": 12})));
    }

    #[test]
    fn numbers_are_those_of_parts() {
        let numbers = |json: Json| numbers(&fields(&json!({"numbers": json})));
        assert_eq!(numbers(json!([1, 2_000])).unwrap(), [1, MAX_PARTS]);
        assert_eq!(numbers(json!(vec![7; 100])).unwrap(), [7; MAX_PART_URLS]);
        for invalid in [
            json!([]),
            json!(vec![7; 101]),
            json!([0]),
            json!([1, 2_001]),
            json!(["1"]),
            json!(1),
        ] {
            assert_eq!(field(numbers(invalid)), "numbers");
        }
        assert!(check_numbers(&[1, 3], 3).is_ok());
        assert_eq!(field(check_numbers(&[1, 4], 3)), "numbers");
    }

    #[test]
    fn parts_have_number_and_etag() {
        let parts = |json: Json| parts(&fields(&json!({"parts": json})));
        let part = |number: u64, etag: &str| json!({"number": number, "etag": etag});
        let longest = "e".repeat(MAX_ETAG_BYTES);
        let many: Vec<_> = (1..=MAX_PARTS).map(|number| part(number, "e")).collect();
        assert_eq!(parts(json!([part(1, &longest)])).unwrap().len(), 1);
        assert_eq!(parts(json!(many)).unwrap().len(), 2_000);
        for invalid in [
            json!([]),
            json!([&many[..], &many[..1]].concat()),
            json!([part(0, "e")]),
            json!([part(2_001, "e")]),
            json!([part(1, "")]),
            json!([part(1, "e"), part(2, "a b")]),
            json!([part(1, &"e".repeat(65))]),
            json!([{"number": 1}]),
            json!([{"number": 1, "etag": "e", "size": 1}]),
        ] {
            assert_eq!(field(parts(invalid)), "parts");
        }
    }

    #[test]
    fn uploads_are_completed_with_every_part() {
        let all = |numbers: &[u64], count| {
            let parts = numbers.iter().map(|number| UploadedPart {
                number: Integer(*number),
                etag: format!("e{number}"),
            });
            all_parts(parts.collect(), count)
        };
        let ordered = [(1, "e1".to_owned()), (2, "e2".to_owned())];
        assert_eq!(all(&[2, 1], 2).unwrap(), ordered);
        for (numbers, count) in [(&[1, 2][..], 3), (&[1, 2], 1), (&[1, 1], 2), (&[2, 3], 2)] {
            assert_eq!(field(all(numbers, count)), "parts");
        }
    }

    #[test]
    fn all_parts_fit_a_request() {
        let etag = "e".repeat(MAX_ETAG_BYTES);
        let parts: Vec<_> = (1..=MAX_PARTS)
            .map(|number| json!({"number": number, "etag": etag}))
            .collect();
        assert!(json!({"parts": parts}).to_string().len() < 250_000);
    }

    #[test]
    fn integers_may_have_a_fraction_of_zero() {
        let integer = |text: &str| serde_json::from_str::<Integer>(text).ok();
        for text in ["12", "12.0", "12.00"] {
            assert_eq!(integer(text), Some(Integer(12)), "{text}");
        }
        for text in ["12.5", "-1", "\"12\"", "null", "18446744073709551616"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
