//! The samples of exports give the records that they must give.

use super::{support::*, *};
use ::tests::exports::SAMPLES;

/// Compares what the records of a sample store with what the expected records store.
fn check(mapping: &Mapping, name: &str, expected_text: &str) {
    let file = file(name, &read(name));
    let (made, expected) = (produced(mapping, name, &file), expected(expected_text));
    let json = as_json(mapping, name, &file);
    for (index, (made, expected)) in made.iter().zip(&expected).enumerate() {
        let line = expected_text.lines().nth(index).unwrap();
        let made_json = &json[index];
        assert_eq!(
            made, expected,
            "{name}, record {index}\nmade     {made_json}\nexpected {line}"
        );
        assert!(made.is_ok(), "{name}, record {index}: {made:?}");
    }
    assert_eq!(made.len(), expected.len(), "{name}: {json:#?}");
}

/// Returns the records that the built-in mapping must give, which may be those of the mapping as it was handed over.
pub(crate) fn expected_of_built_in(name: &str) -> String {
    let own = sample(&format!("{name}.builtin.ndjson"));
    fs::read_to_string(own).unwrap_or_else(|_| read(&format!("{name}.expected.ndjson")))
}

#[test]
fn handed_over_mappings_give_their_records() {
    let mut checked = 0;
    for (name, _) in SAMPLES {
        // Later mappings were written for this repository, so they have no other version.
        let Ok(document) = fs::read_to_string(sample(&format!("{name}.mapping.json"))) else {
            continue;
        };
        let expected = read(&format!("{name}.expected.ndjson"));
        check(&mapping(&document), name, &expected);
        checked += 1;
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn built_in_mappings_give_their_records() {
    for (name, built_in_name) in SAMPLES {
        let mapping = mapping(built_in(built_in_name).unwrap());
        check(&mapping, name, &expected_of_built_in(name));
    }
    assert_eq!(SAMPLES.len(), BUILT_IN.len());
}

#[test]
fn samples_are_recognized() {
    let candidates = built_in_candidates(&[]);
    assert_eq!(candidates.len(), BUILT_IN.len());
    for (name, built_in) in SAMPLES {
        let found = match file(name, &read(name)) {
            File::Csv { header, .. } => recognize(Shown::Columns(&header), &candidates),
            File::Json(rows) => recognize(Shown::Rows(&rows), &candidates),
        };
        assert_eq!(found, Recognized::Mapping(built_in.to_owned()), "{name}");
    }
}

#[test]
fn one_word_is_a_first_name() {
    let mapping = mapping(built_in("zendesk-users").unwrap());
    let user = |name: &str| {
        let sample = read("zendesk/users.json");
        let text = sample.replace("\"Jane Doe\"", &format!("\"{name}\""));
        let mut mapped = map_file(&mapping, "users.json", &file("users.json", &text));
        let record = mapped.remove(0).records.remove(0).record;
        ["first_name", "last_name"].map(|name| record.text(name).map(str::to_owned))
    };
    let names =
        |first: &str, last: Option<&str>| [Some(first), last].map(|it| it.map(str::to_owned));
    assert_eq!(user("madonna"), names("madonna", None));
    assert_eq!(user(" support_bot "), names("support_bot", None));
    assert_eq!(user("Jane van Dyk"), names("Jane", Some("van Dyk")));
}

/// The name of the file specifies the status of the members.
#[test]
fn mailchimp_subscriptions_follow_file_name() {
    let (name, built_in_name) = SAMPLES
        .iter()
        .find(|(_, built_in)| *built_in == "mailchimp-subscribed")
        .unwrap();
    let mapping = mapping(built_in(built_in_name).unwrap());
    let file = file(name, &read(name));
    for (name, subscriptions) in [
        ("subscribed_members_export_15d17415eb.csv", 2),
        ("subscribed_email_audience_export_15d17415eb.csv", 2),
        ("subscribed_segment_export_15d17415eb.csv.gz", 2),
        ("Subscribed.csv", 2),
        ("nonsubscribed_email_audience_export_15d17415eb.csv", 0),
        ("unsubscribed_email_audience_export_15d17415eb.csv", 0),
        ("cleaned_email_audience_export_15d17415eb.csv", 0),
        ("cleaned_members_export_15d17415eb.csv", 0),
    ] {
        let mapped = map_file(&mapping, name, &file).into_iter();
        let records = mapped.flat_map(|mapped| mapped.records);
        let found = records.filter(|made| made.record_type == "email_subscribe");
        assert_eq!(found.count(), subscriptions, "{name}");
    }
}

/// Returns the absent columns of a CSV sample, after some of its columns were renamed.
fn absent(name: &str, built_in_name: &str, renamed: &[&str]) -> Vec<String> {
    let File::Csv { mut header, .. } = file(name, &read(name)) else {
        return Vec::new();
    };
    for column in &mut header {
        if renamed.contains(&column.trim()) {
            column.push_str(" (new)");
        }
    }
    let mapping = mapping(built_in(built_in_name).unwrap());
    absent_columns(&mapping, &Binding::new(&mapping, &header))
}

#[test]
fn samples_lack_no_columns() {
    for (name, built_in_name) in SAMPLES {
        assert_eq!(absent(name, built_in_name, &[]), [""; 0], "{name}");
    }
}

#[test]
fn renamed_columns_of_conditions_computations_and_currencies_are_named() {
    let orders = ("shopify/orders_export_1.csv", "shopify-orders");
    for (name, built_in_name, renamed) in [
        (orders.0, orders.1, &["Currency"][..]),
        (
            orders.0,
            orders.1,
            &[
                "Currency",
                "Lineitem discount",
                "Cancelled at",
                "Refunded Amount",
            ],
        ),
    ] {
        assert_eq!(absent(name, built_in_name, renamed), renamed, "{name}");
    }
    // The mapping reads the other time in the place of either of them.
    let members = (
        "mailchimp/subscribed_members_export_15d17415eb.csv",
        "mailchimp-subscribed",
    );
    for renamed in ["OPTIN_TIME", "CONFIRM_TIME"] {
        assert_eq!(absent(members.0, members.1, &[renamed]), [""; 0]);
    }
    // Fields that are optional are absent without a warning.
    assert_eq!(
        absent(orders.0, orders.1, &["Location", "Tags", "Total"]),
        [""; 0]
    );
}

/// An order of the webhooks may have no lines, such as one of which only the shipping is paid.
#[test]
fn webhook_orders_may_have_no_products() {
    let mapping = mapping(built_in("shopify-order-webhooks").unwrap());
    let row = r#"{"id": 1, "email": "a@example.com", "created_at": "2026-05-01T10:00:00Z", "line_items": []}"#;
    let file = File::Json(objects(row));
    let records = produced(&mapping, "orders.ndjson", &file);
    assert_eq!(records.len(), 1);
    assert!(records[0].is_ok(), "{records:?}");
}

/// Exported again after a change of status, an order replaces itself: its key and the number of records stay.
#[test]
fn status_changes_no_key() {
    let changes = [
        (
            "shopify/orders_export_1.csv",
            vec![
                ("paid,2026-10-06", "voided,2026-10-06"),
                (",partially_refunded,", ",refunded,"),
                (",voided,", ",paid,"),
                (",2026-09-19 09:00:00 +1000,,", ",,,"),
            ],
        ),
        (
            "shopify/orders_webhook.ndjson",
            vec![
                (
                    "\"cancelled_at\": null",
                    "\"cancelled_at\": \"2026-11-01T00:00:00Z\"",
                ),
                (
                    "\"financial_status\": \"paid\"",
                    "\"financial_status\": \"refunded\"",
                ),
            ],
        ),
    ];
    for (name, changes) in changes {
        let built_in_name = SAMPLES
            .iter()
            .find(|(sample, _)| *sample == name)
            .unwrap()
            .1;
        let mapping = mapping(built_in(built_in_name).unwrap());
        let before = read(name);
        let mut after = before.clone();
        for (from, to) in changes {
            assert!(after.contains(from), "{from}");
            after = after.replacen(from, to, usize::MAX);
        }
        let without_status = |text: &str| -> Vec<_> {
            let mapped = map_file(&mapping, name, &file(name, text));
            let mut records: Vec<_> = mapped
                .into_iter()
                .flat_map(|mapped| mapped.records)
                .collect();
            for record in &mut records {
                record.record.remove("status");
            }
            records
        };
        assert_eq!(without_status(&before), without_status(&after), "{name}");
        assert_ne!(before, after);
    }
}
