//! The mappings of common systems' exports, compiled into the function. `infra/docs` describes how to get each export.

macro_rules! builtin {
    ($($name:literal,)*) => {
        /// The names of the built-in mappings, and their documents.
        pub(crate) const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("builtin/", $name, ".json"))),)*];
    };
}

builtin! {
    "brevo-contacts",
    "hubspot-contacts",
    "klaviyo-events",
    "klaviyo-lists",
    "klaviyo-suppressions",
    "mailchimp-clicks",
    "mailchimp-email-activity",
    "mailchimp-opens",
    "mailchimp-subscribed",
    "mailchimp-unsubscribed",
    "segment",
    "sendgrid",
    "shopify-customers",
    "shopify-order-webhooks",
    "shopify-orders",
    "shopify-products",
    "square-items",
    "square-transactions",
    "zendesk-tickets",
    "zendesk-users",
}

/// Returns the document of a built-in mapping.
pub(crate) fn built_in(name: &str) -> Option<&'static str> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, document)| *document)
}
