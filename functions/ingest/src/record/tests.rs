use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use shared::{model::version::ImportId, profile::redact};

use super::{forget::ForgetKind, *};

mod contract;
mod events;
mod faults;
mod page;

const LAST_MODIFIED: i64 = 1_790_000_000;

fn key() -> IdentityKey {
    IdentityKey::new("key").unwrap()
}

fn version(offset: u64) -> Version {
    Version::new(LAST_MODIFIED, "01", ImportId([1; 8]), offset)
}

fn mapped(record_type: Option<&str>, row: &str) -> Result<MappedRecord, RowError> {
    let key = key();
    let record_type = record_type.map(|name| name.parse().unwrap());
    let context = Context {
        key: &key,
        identifiers: IdentifierRules::default(),
        source: "pos",
        record_type,
        last_modified: LAST_MODIFIED,
        erasures: crate::record::Erasures::default(),
        event_retention_days: None,
    };
    map_record(&context, version(7), json::object(row)?)
}

fn place_as(record_type: Option<&str>, row: &str) -> Result<Vec<Write>, RowError> {
    mapped(record_type, row).map(|mapped| {
        let links = mapped.links.iter().flatten().filter_map(Write::item);
        mapped.writes.into_iter().chain(links).collect()
    })
}

fn sort_keys(record_type: &str, row: &str) -> Vec<String> {
    place_as(Some(record_type), row)
        .unwrap()
        .iter()
        .map(|write| write.key().1.to_owned())
        .collect()
}

/// Returns the code and field of a row's error.
fn error(record_type: &str, row: &str) -> (&'static str, String) {
    let error = place_as(Some(record_type), row).unwrap_err();
    (error.code.as_str(), error.field.unwrap_or_default())
}

fn expect_fault(record_type: &str, row: &str, code: &str, field: &str) {
    assert_eq!(error(record_type, row), (code, field.to_owned()), "{row}");
}

const LINK: &str = r#""link":{"email":"jane@example.com"}"#;

fn purchase(fields: &str) -> String {
    format!(
        r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z","type":"physical","purchase_id":"p1",{fields}}}"#
    )
}

#[test]
fn every_type_has_its_place() {
    let event = |kind: &str, id: &str| {
        let row = format!(r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z",{id}}}"#);
        let keys = sort_keys(kind, &row);
        assert_eq!(keys.len(), 1);
        assert!(
            keys[0].starts_with(&format!("event#2026-01-02T03:04:05.000000Z#{kind}#")),
            "{keys:?}"
        );
    };
    event(
        "purchase",
        r#""type":"physical","purchase_id":"p","products":[{"price_paid":1,"quantity":1}]"#,
    );
    event(
        "return",
        r#""type":"ecommerce","return_id":"r","products":[{"price_paid":-1,"quantity":-1}]"#,
    );
    for kind in ["email_send", "email_open", "email_click", "email_bounce"] {
        event(kind, r#""email_id":"e""#);
    }
    event(
        "email_subscribe",
        r#""email_id":"e","status":"unsubscribed""#,
    );
    event("sms_send", r#""sms_id":"s","body":"Hello""#);
    event(
        "sms_click",
        r#""sms_id":"s","clicked_link":{"url":"https://example.com"}"#,
    );
    event(
        "sms_subscribe",
        r#""sms_id":"s","status":"list_subscribed""#,
    );
    event(
        "message",
        r#""message_id":"m","channel":"x","direction":"inbound""#,
    );
    assert_eq!(
        sort_keys("customer_record", &format!("{{{LINK}}}")),
        ["profile#record#pos"]
    );
    assert_eq!(
        sort_keys(
            "attributes",
            &format!(
                r#"{{{LINK},"attributes":{{"a.x":1,"a.y":{{"value":2,"confidence":0.5}},"b#.z":3}}}}"#
            )
        ),
        ["profile#attributes#pos#a", "profile#attributes#pos#b%23"]
    );
    let products = place_as(Some("product"), r#"{"product_id":"1","sku":"a#b"}"#).unwrap();
    let partitions: Vec<_> = products.iter().map(|write| write.key().0).collect();
    assert_eq!(partitions, ["product#product_id#1", "product#sku#a%23b"]);
}

#[test]
fn unify_links_every_pair_on_both_sides() {
    let row = r#"{"records":[{"email":"a@example.com"},{"mobile":"5550001"},{"link":{"customer_id":"7"}},{"email":"A@example.com"}]}"#;
    let writes = place_as(Some("unify"), row).unwrap();
    let pairs: BTreeSet<_> = writes
        .iter()
        .map(|write| {
            (
                write.key().0.to_owned(),
                write
                    .key()
                    .1
                    .trim_start_matches("profile#link#pos#")
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!((writes.len(), pairs.len()), (6, 6));
    for (from, to) in &pairs {
        assert!(pairs.contains(&(to.clone(), from.clone())));
    }
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"}]}"#,
        "invalid_value",
        "records",
    );
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"},{"mobile":"+5550001"}]}"#,
        "invalid_value",
        "records",
    );
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"},{"mobile":"x"}]}"#,
        "invalid_value",
        "records[1].mobile",
    );
    expect_fault(
        "unify",
        r#"{"link":{"mobile":"5550001"}}"#,
        "missing_field",
        "records",
    );
}

#[test]
fn what_is_null_is_absent() {
    let row = r#"{"link":{"email":"jane@example.com","mobile":null},"first_name":null}"#;
    assert_eq!(sort_keys("customer_record", row), ["profile#record#pos"]);
}

#[test]
fn a_product_is_named_by_the_id_that_it_says() {
    let row = r#"{"sku":"s","product_reference_type":"sku"}"#;
    let products = place_as(Some("product"), row).unwrap();
    assert_eq!(products.len(), 1);
    assert_eq!(products[0].key().0, "product#sku#s");
}

#[test]
fn one_identity_is_forgotten_unless_more_is_asked_for() {
    let whole = |scope: &str| {
        let row = format!(r#"{{"link":{{"mobile":"5550001"}}{scope}}}"#);
        mapped(Some("forget"), &row)
            .unwrap()
            .forget
            .unwrap()
            .whole_profile
    };
    assert!(!whole(""));
    assert!(!whole(r#","scope":"identity""#));
    assert!(whole(r#","scope":"profile""#));
}

#[test]
fn texts_are_parsed_where_numbers_are_expected_and_the_other_way_round() {
    let row = purchase(
        r#""products":[{"price_paid":"12.50","quantity":"2"}],"currency":"aud","store":{"type":"Outlet","name":42}"#,
    );
    let written = format!("{:?}", place_as(Some("purchase"), &row).unwrap()).replace('\\', "");
    for stored in [
        r#"{"N":"12.50"}"#,
        r#"{"N":"2"}"#,
        r#"{"S":"AUD"}"#,
        r#"{"S":"outlet"}"#,
        r#"{"S":"42"}"#,
    ] {
        assert!(written.contains(stored), "{stored} in {written}");
    }
}

#[test]
fn an_address_is_forgotten_with_its_md5() {
    let identities = |row: &str| {
        mapped(Some("forget"), row)
            .unwrap()
            .forget
            .unwrap()
            .identities
    };
    let both = identities(r#"{"link":{"email":"Jane@example.com"}}"#);
    let md5 = identities(r#"{"link":{"email_md5":"9e26471d35a78862c17e467d87cddedf"}}"#);
    let sha = identities(
        r#"{"link":{"email_sha256":"8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"}}"#,
    );
    assert_eq!((both.len(), md5.len(), sha.len()), (2, 1, 1));
    assert!(both.contains(&md5[0]) && both.contains(&sha[0]));
    let forget = mapped(Some("forget"), r#"{"records":[{"mobile":"5550001"},{"link":{"mobile":"+5550001"}}],"scope":"profile","suppress":"true"}"#).unwrap().forget.unwrap();
    assert_eq!(
        (forget.identities.len(), forget.whole_profile, forget.kind),
        (1, true, ForgetKind::Suppress)
    );
}

#[test]
fn mixed_files_name_their_types() {
    let mixed = |row: &str| {
        place_as(None, row)
            .map(|writes| writes.len())
            .map_err(|error| error.code.as_str())
    };
    assert_eq!(
        mixed(&format!(r#"{{"record_type":"customer_record",{LINK}}}"#)),
        Ok(1)
    );
    assert_eq!(mixed(&format!("{{{LINK}}}")), Err("missing_field"));
    assert_eq!(
        mixed(r#"{"record_type":"order"}"#),
        Err("unknown_record_type")
    );
    assert_eq!(mixed(r#"{"record_type":7}"#), Err("unknown_record_type"));
}

/// Returns the only write of a row, as it is sent.
fn stored(record_type: &str, row: &str) -> String {
    let writes = place_as(Some(record_type), row).unwrap();
    assert_eq!(writes.len(), 1, "{row}");
    format!("{writes:?}").replace('\\', "")
}

#[test]
fn values_are_stored_in_the_form_of_their_rule() {
    for (given, expected) in [
        (
            r#""employee_flag":true"#,
            r#""employee_flag":{"BOOL":true}"#,
        ),
        (
            r#""employee_flag":" TRUE ""#,
            r#""employee_flag":{"BOOL":true}"#,
        ),
        (
            r#""employee_flag":"false""#,
            r#""employee_flag":{"BOOL":false}"#,
        ),
        (
            r#""date_of_birth":" 1985-12-31 ""#,
            r#""date_of_birth":{"S":"1985-12-31"}"#,
        ),
        (
            r#""updated_at":"2026-01-02T03:04:05+01:00""#,
            r#""updated_at":{"S":"2026-01-02T02:04:05Z"}"#,
        ),
        (r#""postcode":6000"#, r#""postcode":{"S":"6000"}"#),
        (
            r#""city":null,"state":"WA""#,
            r#""data":{"state":{"S":"WA"}}"#,
        ),
    ] {
        let stored = stored("customer_record", &format!("{{{LINK},{given}}}"))
            .replace("EncodedMap(\"", "")
            .replace("\")", "")
            .replace("data: ", "\"data\":");
        assert!(stored.contains(expected), "{expected} in {stored}");
    }
    let place = r#""products":[],"store":{"type":"outlet","name":"n","location":{"coordinate":{"latitude":-90,"longitude":"179.5"}}}"#;
    let stored_place = stored("purchase", &purchase(place));
    for expected in [r#""latitude":{"N":"-90"}"#, r#""longitude":{"N":"179.5"}"#] {
        assert!(
            stored_place.contains(expected),
            "{expected} in {stored_place}"
        );
    }
    let options = r#"{"product_id":"1","name":"n","options":{"size":["S",42]}}"#;
    let product = stored("product", options);
    let expected = r#""options":{"M":{"size":{"L":[{"S":"S"},{"S":"42"}]}}}"#;
    assert!(product.contains(expected), "{expected} in {product}");
}

#[test]
fn a_list_may_have_as_many_values_as_its_rule_says() {
    let lines = |count: usize| {
        let line = r#"{"price_paid":1,"quantity":1}"#;
        purchase(&format!(r#""products":[{}]"#, vec![line; count].join(",")))
    };
    assert!(place_as(Some("purchase"), &lines(1_000)).is_ok());
    expect_fault("purchase", &lines(1_001), "too_many", "products");
}

#[test]
fn a_namespace_may_be_an_object() {
    let row = format!(r#"{{{LINK},"attributes":{{"a":{{"x":1,"y":2}},"b.z":{{"value":3}}}}}}"#);
    let writes = format!("{:?}", place_as(Some("attributes"), &row).unwrap()).replace('\\', "");
    for expected in [
        r#""x":{"N":"1"}"#,
        r#""y":{"N":"2"}"#,
        r#""z":{"M":{"value":{"N":"3"}}}"#,
    ] {
        assert!(writes.contains(expected), "{expected} in {writes}");
    }
}

#[test]
fn a_record_may_name_the_type_of_its_folder() {
    let row = format!(r#"{{{LINK},"record_type":"customer_record"}}"#);
    assert_eq!(sort_keys("customer_record", &row), ["profile#record#pos"]);
}

#[test]
fn flags_of_links_and_erasures_are_texts_or_flags() {
    let unify = |flag: &str| {
        let records = r#"[{"email":"a@example.com"},{"mobile":"5550001"}]"#;
        place_as(
            Some("unify"),
            &format!(r#"{{"records":{records},"unlink":{flag}}}"#),
        )
    };
    let live =
        |flag: &str| format!("{:?}", unify(flag).unwrap()).contains(r#"\"live\":{\"BOOL\":true}"#);
    assert!(live("false") && live("null") && live(r#""false""#));
    assert!(!live("true") && !live(r#""true""#));
    for wrong in ["1", r#""yes""#] {
        assert_eq!(
            unify(wrong).unwrap_err().code.as_str(),
            "wrong_type",
            "{wrong}"
        );
    }
}

#[test]
fn events_end_with_their_retention_and_nothing_else_does() {
    let key = key();
    let context = Context {
        key: &key,
        identifiers: IdentifierRules::default(),
        source: "pos",
        record_type: None,
        last_modified: LAST_MODIFIED,
        erasures: crate::record::Erasures::default(),
        event_retention_days: Some(30),
    };
    let ends = |row: &str| {
        let mapped = map_record(&context, version(7), json::object(row).unwrap()).unwrap();
        let writes = mapped.body.iter().chain(&mapped.writes);
        let end = |write: &Write| {
            let text = format!("{write:?}");
            let (_, end) = text.rsplit_once("expires_at: ").unwrap();
            end.trim_end_matches([' ', '}']).to_owned()
        };
        writes.map(end).collect::<Vec<_>>()
    };
    let body = "x".repeat(5_000);
    let event = format!(
        r#"{{{LINK},"record_type":"email_send","action_at":"2026-09-20T00:00:00Z","email_id":"e","body":"{body}"}}"#
    );
    assert_eq!(ends(&event), ["Some(1792454400)", "Some(1792454400)"]);
    // The event expired before its file was dropped. DynamoDB would never delete an item that expired years ago.
    let old = event.replace("2026-09-20", "2016-08-20");
    assert_eq!(ends(&old), ["Some(1790000000)", "Some(1790000000)"]);
    let record = format!(r#"{{{LINK},"record_type":"customer_record"}}"#);
    assert_eq!(ends(&record), ["None"]);
}

#[test]
fn a_records_word_lies_no_more_than_48_hours_ahead() {
    for (record_type, rest) in [
        ("customer_record", r#""first_name":"Ann""#),
        ("attributes", r#""attributes":{"a.b":1}"#),
    ] {
        let row = |at: &str| format!(r#"{{{LINK},{rest},"updated_at":"{at}"}}"#);
        assert!(mapped(Some(record_type), &row("2026-09-23T14:13:20Z")).is_ok());
        for at in ["2026-09-23T14:13:21Z", "9999-12-31T23:59:59Z"] {
            expect_fault(record_type, &row(at), "invalid_value", "updated_at");
        }
    }
}

#[test]
fn a_reject_that_is_dropped_again_is_the_row_that_it_holds() {
    let object = |text: &str| json::object(text).unwrap();
    let reject = |record: &str| {
        format!(
            r#"{{"code":"invalid_value","field":"f","line":1,"message":"m","offset":0,"record":{record}}}"#
        )
    };
    let row = r#"{"email_id":"e"}"#;
    let as_text = serde_json::to_string(row).unwrap();
    for given in [
        row.to_owned(),
        reject(row),
        reject(&as_text),
        reject(&reject(row)),
        reject(&reject(&as_text)),
    ] {
        let expected = Fields::from(object(row));
        assert_eq!(unwrap_reject(object(&given)), Ok(expected), "{given}");
    }
    // A row with one more or one less field than a reject is not a reject.
    for own in [
        r#"{"code":"c","message":"m","offset":0,"record":{},"more":1}"#,
        r#"{"code":"c","message":"m","record":{}}"#,
    ] {
        assert_eq!(unwrap_reject(object(own)), Ok(object(own).into()), "{own}");
    }
    let of_csv = reject(row).replace(r#""offset""#, r#""notation":"csv","offset""#);
    for given in [of_csv.clone(), reject(&of_csv)] {
        assert_eq!(
            unwrap_reject(object(&given)).unwrap().notation,
            Notation::Csv,
            "{given}"
        );
    }
    assert_eq!(
        unwrap_reject(object(&reject("7")))
            .unwrap_err()
            .code
            .as_str(),
        "wrong_type"
    );
    assert_eq!(
        unwrap_reject(object(&reject("\"{\"")))
            .unwrap_err()
            .code
            .as_str(),
        "invalid_json"
    );
}

#[test]
fn unify_leaves_out_what_names_nobody() {
    let row = r#"{"records":[{"email":"a@example.com"},{"customer_id":"null"},null,{"mobile":"12"},{"link":{"customer_id":"1.2E+11"}},{"customer_id":"7"}]}"#;
    let mapped = mapped(Some("unify"), row).unwrap();
    assert_eq!(mapped.links.len(), 1);
    let left_out = mapped.left_out.iter();
    let left_out: Vec<_> = left_out
        .map(|error| {
            (
                error.code.as_str(),
                error.field.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        left_out,
        [
            ("placeholder_identifier", "records[1].customer_id"),
            ("missing_field", "records[2]"),
            ("invalid_value", "records[3].mobile"),
            ("rounded_identifier", "records[4].link.customer_id"),
        ]
    );
    for (records, code, field) in [
        (
            r#"[{"email":"a@example.com"},{"customer_id":"N/A"}]"#,
            "placeholder_identifier",
            "records[1].customer_id",
        ),
        (
            r#"[null,{"email":"a@example.com"}]"#,
            "missing_field",
            "records[0]",
        ),
        // A mistake of the file's layout concerns every row.
        (
            r#"[{"email":"a@example.com"},{"customer_id":"7"},{"phone":"5550001"}]"#,
            "unknown_field",
            "records[2].phone",
        ),
        (
            r#"[{"email":"a@example.com"},{"customer_id":"7"},{"mobile":"5550001","email":"b@example.com"}]"#,
            "ambiguous_identifier",
            "records[2]",
        ),
    ] {
        expect_fault("unify", &format!(r#"{{"records":{records}}}"#), code, field);
    }
}

#[test]
fn cells_and_texts_are_read_apart() {
    let key = key();
    let context = Context {
        key: &key,
        identifiers: IdentifierRules {
            calling_code: "61".parse().ok(),
        },
        source: "pos",
        record_type: Some(RecordType::CustomerRecord),
        last_modified: LAST_MODIFIED,
        erasures: crate::record::Erasures::default(),
        event_retention_days: None,
    };
    let partition = |link: &str, notation| {
        let map = json::object(&format!(r#"{{"link":{link}}}"#)).unwrap();
        let mapped = map_record(&context, version(7), Fields { map, notation }).unwrap();
        mapped.writes[0].key().0.to_owned()
    };
    for (cell, text) in [
        (r#"{"customer_id":"1017.0"}"#, r#"{"customer_id":1017}"#),
        (r#"{"customer_id":"'00123"}"#, r#"{"customer_id":"00123"}"#),
        (
            r#"{"mobile":"=\"0491570156\""}"#,
            r#"{"mobile":"61491570156"}"#,
        ),
    ] {
        let expected = partition(text, Notation::Json);
        assert_eq!(partition(cell, Notation::Csv), expected, "{cell}");
    }
    assert_ne!(
        partition(r#"{"customer_id":"1017.0"}"#, Notation::Json),
        partition(r#"{"customer_id":"1017"}"#, Notation::Json)
    );
}

#[test]
fn unknown_fields_are_kept() {
    let writes = place_as(
        Some("customer_record"),
        &format!(r#"{{{LINK},"shoe_size":43.5}}"#),
    )
    .unwrap();
    assert!(format!("{writes:?}").contains("shoe_size"));
}

/// A purchase by one of a few customers.
fn row() -> impl Strategy<Value = String> {
    (0_u8..4, 0_u8..4, 1_u32..100_000).prop_map(|(customer, id, cents)| {
        format!(
            r#"{{"link":{{"customer_id":"c-{customer}"}},"action_at":"2026-01-0{}T00:00:00Z","type":"physical","purchase_id":"{id}","products":[{{"price_paid":{}.{:02},"quantity":1}}]}}"#,
            id + 1, cents / 100, cents % 100,
        )
    })
}

type Table = BTreeMap<(String, String), Write>;

/// Applies the table's condition: a write is stored if its key is absent or older.
fn store(table: &mut Table, write: Write) {
    let key = (write.key().0.to_owned(), write.key().1.to_owned());
    match table.get(&key) {
        Some(held) if held.version() >= write.version() => {}
        _ => {
            table.insert(key, write);
        }
    }
}

proptest! {
    /// The first law: other records and their order do not change where a record is stored.
    #[test]
    fn a_record_goes_by_itself(rows in prop::collection::vec(row(), 1..20)) {
        let apart: Vec<_> = rows.iter().map(|row| place_as(Some("purchase"), row).unwrap()).collect();
        let again: Vec<_> = rows.iter().rev().map(|row| place_as(Some("purchase"), row).unwrap()).collect();
        prop_assert!(apart.iter().eq(again.iter().rev()));
        for (row, writes) in rows.iter().zip(&apart) {
            let customer = row.split('"').nth(5).unwrap();
            let identifier = Identifier::from_json(serde_json::json!({"customer_id": customer}).as_object().unwrap()).unwrap();
            let identity = key().identity(&identifier);
            prop_assert!(writes.iter().all(|write| write.key().0 == identity.as_str()));
        }
    }

    /// The second law: any order, any repetition and any division of the rows have the same result.
    #[test]
    fn the_newest_wins_in_any_order(
        (rows, mixed) in prop::collection::vec(row(), 1..20).prop_flat_map(|rows| {
            let mapped: Vec<_> = rows.into_iter().enumerate().collect();
            let twice = [mapped.clone(), mapped.clone()].concat();
            (Just(mapped), Just(twice).prop_shuffle())
        })
    ) {
        let table = |rows: &[(usize, String)]| {
            let key = key();
            let context = Context { key: &key, identifiers: IdentifierRules::default(), source: "pos", record_type: Some("purchase".parse().unwrap()), last_modified: LAST_MODIFIED, erasures: crate::record::Erasures::default(), event_retention_days: None };
            let mut table = Table::new();
            for (place_in_file, row) in rows {
                for write in map_record(&context, version(*place_in_file as u64), json::object(row).unwrap()).unwrap().writes {
                    store(&mut table, write);
                }
            }
            table
        };
        prop_assert_eq!(table(&rows), table(&mixed));
    }

    #[test]
    fn no_row_panics(row in "\\{\"link\":\\{\"(email|mobile)\":[\"a-z0-9@.]{0,8}\\},\"action_at\":[\"0-9TZ:-]{0,12},\"[a-z_]{0,9}\":[0-9\"a-z{}\\[\\].e-]{0,9}\\}") {
        for kind in ["purchase", "customer_record", "unify", "attributes", "product", "message"] {
            let _ = place_as(Some(kind), &row);
        }
    }
}

/// A field that redaction does not know is left out for principals without `pii:read`, so each field here must have a rule there.
#[test]
fn redaction_knows_every_field() {
    fn check(fields: &[kind::Field], rules: redact::Fields, path: &str) {
        for field in fields {
            let path = format!("{path}.{}", field.name);
            let rule = rules.iter().find(|(name, _)| *name == field.name);
            let (_, rule) = rule.unwrap_or_else(|| panic!("no rule for {path}"));
            let kind = match &field.kind {
                kind::Kind::List(kind, _) => kind,
                kind => kind,
            };
            if let (kind::Kind::OneOf(names), redact::Rule::OneOf(visible)) = (kind, rule) {
                assert!(names.iter().all(|name| visible.contains(name)), "{path}");
            }
            if let (kind::Kind::Object(fields), redact::Rule::Object(rules)) = (kind, rule) {
                check(fields, rules, &path);
            }
        }
    }
    for kind in EventType::ALL {
        check(
            event::event_fields(kind),
            redact::event_fields(kind),
            kind.as_str(),
        );
    }
    for field in schema::CUSTOMER_RECORD {
        let is_own = matches!(field.name, "custom_fields" | "updated_at");
        assert!(
            is_own || redact::record_field(field.name).is_some(),
            "{}",
            field.name
        );
    }
}
