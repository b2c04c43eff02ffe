//! Products, purchases and returns.

use serde_json::{Value, json};

use super::{Rules, event, with};

pub(super) fn products() -> Rules {
    Rules {
        record_type: "product",
        accepted: vec![
            json!({"product_id": "1", "price": "12.50", "images": ["https://example.com/a.svg"], "options": {"department": ["a"]}}),
            json!({"product_reference_type": "sku", "sku": "s", "availability": {"available": true, "channels_availability": [{"type": "web", "available": "false"}]}}),
            json!({"product_reference_type": "upc", "upc": 36_000_291_452_u64, "inventory": {"quantity": "-3", "cost": 0, "tracked": true}}),
        ],
        rejected: vec![
            (json!({"name": "x"}), "missing_field", "product_id"),
            (
                json!({"product_reference_type": "sku", "product_id": "1"}),
                "missing_field",
                "sku",
            ),
            (
                json!({"product_reference_type": "isbn", "product_id": "1"}),
                "invalid_value",
                "product_reference_type",
            ),
            (
                json!({"product_id": "1", "price": "$5"}),
                "invalid_value",
                "price",
            ),
            (
                json!({"product_id": "1", "images": ["ftp://example.com"]}),
                "invalid_value",
                "images[0]",
            ),
            (
                json!({"product_id": "1", "images": "https://example.com"}),
                "wrong_type",
                "images",
            ),
            (
                json!({"product_id": "1", "options": {"size": "L"}}),
                "wrong_type",
                "options.size",
            ),
            (
                json!({"product_id": "1", "availability": {}}),
                "missing_field",
                "availability.available",
            ),
            (
                json!({"product_id": "1", "inventory": {"cost": -1}}),
                "invalid_value",
                "inventory.cost",
            ),
            (
                json!({"product_id": "1", "inventory": {"quantity": 1.5}}),
                "invalid_value",
                "inventory.quantity",
            ),
        ],
    }
}

pub(super) fn orders() -> [Rules; 2] {
    let line = |more: Value| with(&json!({"price_paid": "9.95", "quantity": 1}), more);
    let back = |more: Value| with(&json!({"price_paid": "-9.95", "quantity": -1}), more);
    let store = |more: Value| json!({"store": with(&json!({"type": "outlet", "name": "N"}), more)});
    let at = |latitude: Value, longitude: Value| {
        store(json!({"location": {"coordinate": {"latitude": latitude, "longitude": longitude}}}))
    };
    let thousand = vec![line(json!({})); 1_001];
    let purchase = event(
        "purchase",
        "purchase_id",
        json!({"type": "physical", "products": [line(json!({}))]}),
        vec![
            json!({"products": [line(json!({"price_paid": 0})), line(json!({"quantity": "2", "full_price": "20.00", "discount": "0.10", "product_reference": {"id": "1", "id_type": "sku"}}))]}),
            json!({"currency": "aud", "payment_types": [{"name": "visa", "total": "9.95"}], "adjustments": [{"price_adjustment": "-1", "reason": "gift"}]}),
            at(json!(-90), json!("179.999")),
            json!({"type": "ECOMMERCE", "replaces_action_at": "2026-01-01T00:00:00Z"}),
        ],
        vec![
            (json!({"type": null}), "missing_field", "type"),
            (json!({"type": "wholesale"}), "invalid_value", "type"),
            (json!({"products": null}), "missing_field", "products"),
            (
                json!({"products": {"price_paid": 1}}),
                "wrong_type",
                "products",
            ),
            (
                json!({"products": [line(json!({})), line(json!({"quantity": 0}))]}),
                "invalid_value",
                "products[1].quantity",
            ),
            (
                json!({"products": [line(json!({"quantity": 1.5}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
            (
                json!({"products": [line(json!({"price_paid": "-1"}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"price_paid": null}))]}),
                "missing_field",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"price_paid": "1,000"}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"product_reference": {"id_type": "sku"}}))]}),
                "missing_field",
                "products[0].product_reference.id",
            ),
            (json!({"products": thousand}), "too_many", "products"),
            (json!({"currency": "dollars"}), "invalid_value", "currency"),
            (
                json!({"payment_types": [{"total": 1}]}),
                "missing_field",
                "payment_types[0].name",
            ),
            (
                json!({"adjustments": [{}]}),
                "missing_field",
                "adjustments[0].price_adjustment",
            ),
            (
                store(json!({"type": "tent"})),
                "invalid_value",
                "store.type",
            ),
            (store(json!({"name": null})), "missing_field", "store.name"),
            (
                at(json!(90), json!(0)),
                "invalid_value",
                "store.location.coordinate.latitude",
            ),
            (
                at(json!(0), json!(180)),
                "invalid_value",
                "store.location.coordinate.longitude",
            ),
        ],
    );
    let returned = event(
        "return",
        "return_id",
        json!({"type": "ecommerce", "products": [back(json!({}))]}),
        vec![json!({"products": [back(json!({"price_paid": 0}))]})],
        vec![
            (
                json!({"products": [back(json!({"price_paid": 1}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [back(json!({"quantity": 1}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
            (
                json!({"products": [back(json!({"quantity": 0}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
        ],
    );
    [purchase, returned]
}
