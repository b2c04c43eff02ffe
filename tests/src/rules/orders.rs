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
            json!({"sku": "s", "name": "Lamp", "images": ["//cdn.example.com/a.jpg"], "url": "/products/lamp"}),
            json!({"product_reference_type": "sku", "product_id": "1"}),
            json!({"product_reference_type": "isbn", "product_id": "1"}),
            json!({"product_id": "1", "price": "$5"}),
            json!({"product_id": "1", "images": "https://example.com"}),
            json!({"product_id": "1", "options": {"size": "L"}}),
            json!({"product_id": "1", "availability": {}}),
            json!({"product_id": "1", "inventory": {"cost": -1, "quantity": 1.5}}),
        ],
        rejected: vec![
            (json!({"name": "x"}), "missing_field", "product_id"),
            (json!({"product_id": ""}), "missing_field", "product_id"),
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
            json!({"order_number": 1042, "status": "Paid", "products": [line(json!({"name": "Scarf", "image": "https://example.com/a.jpg", "url": "https://example.com", "size": 38, "color": "red"}))]}),
            json!({"order_number": "#1042", "fulfillments": [{}, {"status": "shipped", "carrier": "C", "tracking_number": 36_450_u64, "tracking_url": "https://example.com/t", "shipped_at": "2026-01-03", "delivered_at": "2026-01-05 10:00"}]}),
            json!({"type": "ECOMMERCE", "replaces_action_at": "2026-01-01T00:00:00Z"}),
            json!({"type": null}),
            json!({"type": "wholesale"}),
            json!({"products": [line(json!({"quantity": 0})), line(json!({"quantity": 1.5}))]}),
            json!({"products": [line(json!({})), back(json!({}))]}),
            json!({"products": [line(json!({"price_paid": 59.699_999_999_999_996}))]}),
            json!({"products": [line(json!({"product_reference": {"id_type": "sku"}}))]}),
            json!({"payment_types": [{"total": 1}]}),
            store(json!({"type": "tent"})),
            store(json!({"name": null})),
            at(json!(90), json!(0)),
            at(json!(0), json!(180)),
        ],
        vec![
            (json!({"products": null}), "missing_field", "products"),
            (
                json!({"products": {"price_paid": 1}}),
                "wrong_type",
                "products",
            ),
            (
                json!({"products": [line(json!({})), line(json!({"quantity": -1}))]}),
                "invalid_value",
                "products[1].quantity",
            ),
            (
                json!({"products": [back(json!({}))]}),
                "invalid_value",
                "products[0].price_paid",
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
            (json!({"products": thousand}), "too_many", "products"),
            (json!({"currency": "dollars"}), "invalid_value", "currency"),
            (
                json!({"adjustments": [{}]}),
                "missing_field",
                "adjustments[0].price_adjustment",
            ),
        ],
    );
    let returned = event(
        "return",
        "return_id",
        json!({"type": "ecommerce", "products": [back(json!({}))]}),
        vec![
            json!({"order_number": "#1042", "status": "refunded", "products": [back(json!({"name": "Scarf", "color": "red"}))]}),
            json!({"products": [back(json!({"price_paid": 0}))]}),
            json!({"products": [back(json!({"quantity": 0}))]}),
            json!({"products": [back(json!({})), line(json!({}))]}),
        ],
        vec![
            (
                json!({"products": [back(json!({"price_paid": 1}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
            (
                json!({"products": [back(json!({"quantity": 1}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
        ],
    );
    [purchase, returned]
}
