//! The samples of other systems' exports.

/// The file of each sample, and the built-in mapping that reads it.
pub const SAMPLES: [(&str, &str); 20] = [
    ("brevo/contacts.csv", "brevo-contacts"),
    ("hubspot/contacts.csv", "hubspot-contacts"),
    ("klaviyo/events.ndjson", "klaviyo-events"),
    ("klaviyo/list_export.csv", "klaviyo-lists"),
    ("klaviyo/suppressed_profiles.csv", "klaviyo-suppressions"),
    (
        "mailchimp/email_activity.ndjson",
        "mailchimp-email-activity",
    ),
    (
        "mailchimp/granular_activity/clicks/0f3e7a1b2c_winter-sale.csv",
        "mailchimp-clicks",
    ),
    (
        "mailchimp/granular_activity/opens/0f3e7a1b2c_winter-sale.csv",
        "mailchimp-opens",
    ),
    (
        "mailchimp/subscribed_members_export_15d17415eb.csv",
        "mailchimp-subscribed",
    ),
    (
        "mailchimp/unsubscribed_members_export_15d17415eb.csv",
        "mailchimp-unsubscribed",
    ),
    ("segment/1759723711909.ndjson", "segment"),
    ("sendgrid/events.json", "sendgrid"),
    ("shopify/customers_export.csv", "shopify-customers"),
    ("shopify/orders_export_1.csv", "shopify-orders"),
    ("shopify/orders_webhook.ndjson", "shopify-order-webhooks"),
    ("shopify/products_export_1.csv", "shopify-products"),
    ("square/items-2026-09-13-2026-09-21.csv", "square-items"),
    (
        "square/transactions-2026-09-13-2026-09-21.csv",
        "square-transactions",
    ),
    ("zendesk/tickets.json", "zendesk-tickets"),
    ("zendesk/users.json", "zendesk-users"),
];
