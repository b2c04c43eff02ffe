//! Files are recognized by the most specific mapping or record type.

use super::{
    document::{Recognize, RecognizeBy},
    *,
};

fn by_columns(header: &str, candidates: &[Candidate]) -> Recognized {
    let columns: Vec<_> = header.split(',').map(str::to_owned).collect();
    recognize(Shown::Columns(&columns), candidates)
}

fn candidate(name: &str, columns: &[&str], owner: Owner) -> Candidate {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Candidate {
        name: name.to_owned(),
        recognize: Recognize {
            by: RecognizeBy::Columns(columns),
            exact: false,
        },
        owner,
    }
}

#[test]
fn most_specific_wins() {
    let own = [
        candidate("short", &["a", "b"], Owner::BuiltIn),
        candidate("long", &["a", "b", "c"], Owner::BuiltIn),
        candidate("other", &["a", "b", "d"], Owner::BuiltIn),
        candidate("team", &["a"], Owner::Team),
    ];
    let mapping = |name: &str| Recognized::Mapping(name.to_owned());
    assert_eq!(by_columns("b,a,x", &own[..3]), mapping("short"));
    assert_eq!(by_columns("b,a,c", &own[..3]), mapping("long"));
    assert_eq!(
        by_columns("b,a,c,d", &own[..3]),
        Recognized::Ambiguous(vec!["long".to_owned(), "other".to_owned()])
    );
    assert_eq!(by_columns("b,a,c,d", &own), mapping("team"));
}

#[test]
fn nearest_mapping_is_named() {
    let built_in = built_in_candidates(&[]);
    let nearest = |mapping: &str, missing: &[&str]| {
        let missing = missing.iter().map(|name| (*name).to_owned()).collect();
        Recognized::Nothing(Some(Nearest {
            mapping: mapping.to_owned(),
            missing,
        }))
    };
    assert_eq!(
        by_columns(
            "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem price",
            &built_in
        ),
        nearest("shopify-orders", &["Lineitem name"])
    );
    assert_eq!(by_columns("x,y", &built_in), Recognized::Nothing(None));
    // The share of the columns counts before their number.
    let own = [
        candidate("near", &["a", "b", "x"], Owner::Team),
        candidate("far", &["a", "b", "c", "x", "y", "z"], Owner::Team),
    ];
    assert_eq!(by_columns("a,b,c", &own), nearest("near", &["x"]));
    // Columns of common names identify a file only alone.
    assert_eq!(
        by_columns("Timestamp,Email", &built_in),
        Recognized::Mapping("mailchimp-opens".to_owned())
    );
    assert!(matches!(
        by_columns("Timestamp,Email,Amount", &built_in),
        Recognized::Nothing(_)
    ));
}

#[test]
fn record_types_are_recognized() {
    let built_in = built_in_candidates(&[]);
    for (header, name) in [
        (
            "link.email,action_at,type,purchase_id,products[0].quantity,products[0].price_paid",
            "purchase",
        ),
        ("link.email,first_name", "customer_record"),
        ("link.email,attributes.a.b", "attributes"),
        ("link.email,action_at,email_id,status", "email_subscribe"),
        (
            "link.email,action_at,email_id,clicked_link.url",
            "email_click",
        ),
        ("sku,name,price", "product"),
    ] {
        assert_eq!(
            by_columns(header, &built_in),
            Recognized::RecordType(name),
            "{header}"
        );
    }
    // Rows that erase, link or name their types are never recognized.
    for header in [
        "records[0].email,records[1].mobile",
        "record_type,link.email",
    ] {
        assert!(
            matches!(by_columns(header, &built_in), Recognized::Nothing(_)),
            "{header}"
        );
    }
    let opened = by_columns("link.email,action_at,email_id", &built_in);
    assert!(matches!(opened, Recognized::Ambiguous(names) if names.len() == 4));
}

#[test]
fn teams_replace_built_in_mappings() {
    let others = built_in_candidates(&["segment"]);
    assert!(others.iter().all(|candidate| candidate.name != "segment"));
}
