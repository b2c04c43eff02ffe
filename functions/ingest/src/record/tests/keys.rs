//! Record types, and the keys under which their items are stored.

use super::{LINK, place_as, sort_keys};

#[test]
fn gives_each_type_its_key() {
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
fn keys_products_by_their_reference_type() {
    let row = r#"{"sku":"s","product_reference_type":"sku"}"#;
    let products = place_as(Some("product"), row).unwrap();
    assert_eq!(products.len(), 1);
    assert_eq!(products[0].key().0, "product#sku#s");
}

#[test]
fn requires_a_known_type_in_mixed_files() {
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

#[test]
fn accepts_the_type_of_the_folder() {
    let row = format!(r#"{{{LINK},"record_type":"customer_record"}}"#);
    assert_eq!(sort_keys("customer_record", &row), ["profile#record#pos"]);
}
