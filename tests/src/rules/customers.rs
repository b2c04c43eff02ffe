//! Customer records, attributes and identity links.

use serde_json::{Value, json};

use super::{Rules, with};

pub(super) fn links() -> Rules {
    let link = |link: Value| json!({"link": link, "first_name": "A"});
    let sha = "a".repeat(64);
    Rules {
        record_type: "customer_record",
        accepted: vec![
            link(json!({"email": " Rules@Example.COM "})),
            link(json!({"email_sha256": sha})),
            link(json!({"email_md5": "b".repeat(32)})),
            link(json!({"mobile": "+61400000000"})),
            link(json!({"mobile": 61_400_000_001_u64})),
            link(json!({"customer_id": "7"})),
            link(json!({"customer_id": "7", "system_name": "pos"})),
            link(json!({"external_id": "8", "system_name": "crm"})),
            link(json!({"link_type": "email", "link_value": "legacy@example.com"})),
            link(json!({"link_type": "engage.id", "link_value": "9", "id_type": "default"})),
            json!({"link": {"mobile": "5550002"}, "employee_flag": "true", "date_of_birth": "1985-03-06", "custom_fields": {"a": 1.50, "b": null}, "updated_at": "2026-01-01"}),
            json!({"link": {"mobile": "5550001"}, "employee_flag": "perhaps"}),
            json!({"link": {"mobile": "5550001"}, "date_of_birth": "6 March"}),
            json!({"link": {"mobile": "5550001"}, "custom_fields": "x"}),
            json!({"link": {"mobile": "5550001"}, "first_name": {"a": 1}}),
            json!({"link": {"mobile": "5550001"}, "updated_at": "soon"}),
        ],
        rejected: vec![
            (json!({"first_name": "A"}), "missing_field", "link"),
            (link(json!({})), "missing_field", "link"),
            (link(json!("a@b.c")), "wrong_type", "link"),
            (
                link(json!({"email": "a@b.c", "mobile": "5550001"})),
                "ambiguous_identifier",
                "link",
            ),
            (link(json!({"email": "a@b"})), "invalid_value", "link.email"),
            (
                link(json!({"email": "a b@c.d"})),
                "invalid_value",
                "link.email",
            ),
            (
                link(json!({"email": ["a@b.c"]})),
                "wrong_type",
                "link.email",
            ),
            (
                link(json!({"email_sha256": "xyz"})),
                "invalid_value",
                "link.email_sha256",
            ),
            (
                link(json!({"mobile": "0400 000"})),
                "invalid_value",
                "link.mobile",
            ),
            (
                link(json!({"external_id": "8"})),
                "missing_field",
                "link.system_name",
            ),
            (link(json!({"phone": "1"})), "unknown_field", "link.phone"),
            (
                link(json!({"customer_id": "x".repeat(257)})),
                "invalid_value",
                "link.customer_id",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "record_type": "product"}),
                "invalid_value",
                "record_type",
            ),
        ],
    }
}

pub(super) fn others() -> [Rules; 2] {
    let link = json!({"mobile": "5550003"});
    let attributes = |attributes: Value| json!({"link": link, "attributes": attributes});
    let records = |records: Value| json!({"records": records});
    let nine: Vec<_> = (0..9)
        .map(|number| json!({"mobile": format!("555{number:04}")}))
        .collect();
    [
        Rules {
            record_type: "attributes",
            accepted: vec![
                attributes(
                    json!({"loyalty.tier": "gold", "loyalty.points": {"value": 120, "confidence": "1.5"}}),
                ),
                attributes(
                    json!({"interests": {"knitwear": true, "denim": {"value": false, "confidence": 0}}}),
                ),
                with(
                    &attributes(json!({"segments.vip": true})),
                    json!({"updated_at": "2026-01-01T00:00:00Z"}),
                ),
                attributes(json!({"tier": "gold", "loyalty.tier": "gold"})),
            ],
            rejected: vec![
                (json!({"link": link}), "missing_field", "attributes"),
                (attributes(json!({})), "invalid_value", "attributes"),
                (
                    attributes(json!({"tier": "gold"})),
                    "invalid_value",
                    "attributes.tier",
                ),
                (
                    attributes(json!({"a.b": {"confidence": 1}})),
                    "missing_field",
                    "attributes.a.b",
                ),
                (
                    attributes(json!({"a.b": {"value": 1, "confidence": 3}})),
                    "invalid_value",
                    "attributes.a.b.confidence",
                ),
                (
                    attributes(json!({"a.b": {"value": 1, "x": 3}})),
                    "unknown_field",
                    "attributes.a.b.x",
                ),
            ],
        },
        Rules {
            record_type: "unify",
            accepted: vec![
                records(json!([{"mobile": "5550004"}, {"mobile": "5550005"}])),
                with(
                    &records(json!([{"mobile": "5550004"}, {"link": {"customer_id": "7"}}])),
                    json!({"unlink": "true"}),
                ),
            ],
            rejected: vec![
                (json!({}), "missing_field", "records"),
                (
                    records(json!([{"mobile": "5550004"}])),
                    "invalid_value",
                    "records",
                ),
                (records(json!(nine)), "invalid_value", "records"),
                (
                    records(json!([{"mobile": "5550004"}, {"mobile": "+5550004"}])),
                    "invalid_value",
                    "records",
                ),
                (
                    records(json!([{"mobile": "5550004"}, {"email": "x"}])),
                    "invalid_value",
                    "records[1].email",
                ),
                (
                    with(
                        &records(json!([{"mobile": "5550004"}, {"mobile": "5550005"}])),
                        json!({"unlink": 1}),
                    ),
                    "wrong_type",
                    "unlink",
                ),
            ],
        },
    ]
}
