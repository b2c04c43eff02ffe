//! Defines the fields of every record type, as `infra/docs/reference/records.md` documents them. `check` defines the meaning of a
//! rule.

use super::kind::{Field, Kind, Kind::*, Number, OnError};

/// Creates a field without which a row cannot be placed or counted: IDs of events, amounts and quantities of figures. If it is
/// missing or invalid, the row is rejected.
const fn needed(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
        on_error: OnError::Reject,
    }
}

/// Creates a field that a row may omit, but whose value decides how the row is placed or counted. If it is invalid, the row is
/// rejected.
const fn needed_if_given(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        on_error: OnError::Reject,
    }
}

/// Creates a field that each row should have. If it is missing or invalid, the row is stored with a warning.
const fn required(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
        on_error: OnError::LeaveOut,
    }
}

/// Creates a field that a row may omit. If it is invalid, the row is stored with a warning.
const fn optional(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        on_error: OnError::LeaveOut,
    }
}

const NOT_NEGATIVE: Number = Number {
    integer: false,
    low: Some(0),
    high: None,
};
const ANY_AMOUNT: Number = Number {
    integer: false,
    low: None,
    high: None,
};
const ANY_INTEGER: Number = Number {
    integer: true,
    low: None,
    high: None,
};

/// The maximum number of lines of a purchase or return.
const MAX_LINES: usize = 1_000;
/// The maximum number of items of any other array.
const MAX_LIST: usize = 10_000;

pub(crate) const CUSTOMER_RECORD: &[Field] = &[
    optional("email", Text),
    optional("email_sha256", Text),
    optional("mobile", Text),
    optional("customer_id", Text),
    optional("first_name", Free),
    optional("last_name", Free),
    optional("gender", Text),
    optional("date_of_birth", BirthDate),
    optional("country", Text),
    optional("state", Text),
    optional("city", Text),
    optional("postcode", Text),
    optional("zip", Text),
    optional("address_1", Free),
    optional("address_2", Free),
    optional("employee_flag", Flag),
    optional("customer_type", Text),
    optional("custom_fields", Open),
    optional("updated_at", UpdateTime),
];

pub(crate) const PRODUCT: &[Field] = &[
    optional(
        "product_reference_type",
        OneOf(&["product_id", "sku", "upc"]),
    ),
    optional("product_id", Id),
    optional("sku", Id),
    optional("upc", Id),
    optional("name", Text),
    optional("description", Text),
    optional("brand", Text),
    optional("size", Text),
    optional("color", Text),
    optional("price", Amount(NOT_NEGATIVE)),
    optional("options", MapOf(&List(&Text, MAX_LIST))),
    optional("url", Url),
    optional("images", List(&Url, MAX_LIST)),
    optional(
        "availability",
        Object(&[
            required("available", Flag),
            optional(
                "channels_availability",
                List(
                    &Object(&[
                        required("type", Text),
                        required("available", Flag),
                        optional("published_at", Time),
                        optional("unpublished_at", Time),
                    ]),
                    MAX_LIST,
                ),
            ),
        ]),
    ),
    optional(
        "inventory",
        Object(&[
            optional("id", Text),
            optional("source", Text),
            optional("quantity", Amount(ANY_INTEGER)),
            optional("cost", Amount(NOT_NEGATIVE)),
            optional("backorder_allowed", Flag),
            optional("tracked", Flag),
            optional("updated_at", Time),
        ]),
    ),
];

const PRODUCT_REFERENCE: Field = optional(
    "product_reference",
    Object(&[
        required("id", Id),
        optional("id_type", OneOf(&["product_id", "sku", "upc"])),
        optional("dataset_id", Text),
    ]),
);
/// The product of a line, as the source describes it.
const LINE_NAME: Field = optional("name", Text);
const LINE_IMAGE: Field = optional("image", Url);
const LINE_URL: Field = optional("url", Url);
const LINE_SIZE: Field = optional("size", Text);
const LINE_COLOR: Field = optional("color", Text);
const ORDER_TYPE: Field = required("type", OneOf(&["physical", "ecommerce"]));
const ORDER_NUMBER: Field = optional("order_number", Id);
/// Systems have their own words, so this is not an enumeration. The figures know the words for a canceled order.
const ORDER_STATUS: Field = optional("status", Text);
const CURRENCY: Field = needed_if_given("currency", Currency);
const CUSTOM_FIELDS: Field = optional("custom_fields", Open);
const ADJUSTMENTS: Field = needed_if_given(
    "adjustments",
    List(
        &Object(&[
            needed("price_adjustment", Amount(ANY_AMOUNT)),
            optional("adjusted_at", Time),
            optional("reason", Free),
        ]),
        MAX_LINES,
    ),
);
const STORE: Field = optional(
    "store",
    Object(&[
        required(
            "type",
            OneOf(&["physical", "ecommerce", "concession", "outlet", "online"]),
        ),
        required("name", Text),
        optional("store_id", Text),
        optional(
            "location",
            Object(&[
                optional("name", Text),
                optional(
                    "coordinate",
                    Object(&[
                        required("latitude", Latitude),
                        required("longitude", Longitude),
                    ]),
                ),
            ]),
        ),
    ]),
);

const FULFILLMENTS: Field = optional(
    "fulfillments",
    List(
        &Object(&[
            optional("status", Text),
            optional("carrier", Text),
            optional("tracking_number", Text),
            optional("tracking_url", Url),
            optional("shipped_at", Time),
            optional("delivered_at", Time),
        ]),
        MAX_LINES,
    ),
);

/// The lines of a purchase or a return.
const ORDER_LINES: Field = needed(
    "products",
    List(
        &Object(&[
            needed("price_paid", Amount(ANY_AMOUNT)),
            needed("quantity", Quantity),
            PRODUCT_REFERENCE,
            optional("full_price", Amount(ANY_AMOUNT)),
            optional("discount", Amount(ANY_AMOUNT)),
            LINE_NAME,
            LINE_IMAGE,
            LINE_URL,
            LINE_SIZE,
            LINE_COLOR,
        ]),
        MAX_LINES,
    ),
);

pub(crate) const PURCHASE: &[Field] = &[
    ORDER_TYPE,
    needed("purchase_id", Id),
    ORDER_NUMBER,
    ORDER_STATUS,
    ORDER_LINES,
    CURRENCY,
    optional(
        "payment_types",
        List(
            &Object(&[
                required("name", Text),
                optional("total", Amount(ANY_AMOUNT)),
            ]),
            MAX_LINES,
        ),
    ),
    ADJUSTMENTS,
    FULFILLMENTS,
    STORE,
    CUSTOM_FIELDS,
];

pub(crate) const RETURN: &[Field] = &[
    ORDER_TYPE,
    needed("return_id", Id),
    ORDER_NUMBER,
    ORDER_STATUS,
    ORDER_LINES,
    CURRENCY,
    ADJUSTMENTS,
    STORE,
    CUSTOM_FIELDS,
];

const EMAIL_ID: Field = needed("email_id", Id);
const SMS_ID: Field = needed("sms_id", Id);
const CAMPAIGN: Field = optional("campaign_id", Text);
const LIST: Field = optional(
    "list",
    Object(&[required("id", Id), required("name", Text)]),
);
/// The list of a subscription. Its ID is part of the event's key.
const SUBSCRIBED_LIST: Field =
    needed_if_given("list", Object(&[needed("id", Id), required("name", Text)]));
const EMAIL_PARTY: Kind = Object(&[required("email", Text), optional("name", Text)]);
const EMAIL_FROM: Field = optional("from", EMAIL_PARTY);
const EMAIL_TO: Field = optional("to", EMAIL_PARTY);
const SMS_PARTY: Kind = Object(&[optional("name", Text), optional("number", Text)]);
const SMS_FROM: Field = optional("from", SMS_PARTY);
const SMS_TO: Field = optional("to", SMS_PARTY);
const BODY: Field = optional("body", Free);
/// The link of a click. Its URL is part of the event's key.
const CLICKED_LINK: Field = needed_if_given(
    "clicked_link",
    Object(&[optional("name", Text), needed_if_given("url", Url)]),
);

pub(crate) const EMAIL_SEND: &[Field] = &[
    EMAIL_ID,
    CAMPAIGN,
    LIST,
    EMAIL_FROM,
    EMAIL_TO,
    optional("subject", Free),
    BODY,
];
pub(crate) const EMAIL_OPEN: &[Field] = &[EMAIL_ID, CAMPAIGN, LIST, EMAIL_FROM, EMAIL_TO];
pub(crate) const EMAIL_CLICK: &[Field] =
    &[EMAIL_ID, CAMPAIGN, LIST, EMAIL_FROM, EMAIL_TO, CLICKED_LINK];
pub(crate) const EMAIL_BOUNCE: &[Field] = &[EMAIL_ID, LIST, EMAIL_FROM, EMAIL_TO];
pub(crate) const EMAIL_SUBSCRIBE: &[Field] = &[
    EMAIL_ID,
    needed(
        "status",
        OneOf(&[
            "subscribed",
            "unsubscribed",
            "transactional",
            "undeliverable",
        ]),
    ),
    SUBSCRIBED_LIST,
];
pub(crate) const SMS_SEND: &[Field] = &[SMS_ID, CAMPAIGN, LIST, SMS_FROM, SMS_TO, BODY];
pub(crate) const SMS_CLICK: &[Field] = &[SMS_ID, CAMPAIGN, LIST, SMS_FROM, SMS_TO, CLICKED_LINK];
pub(crate) const SMS_SUBSCRIBE: &[Field] = &[
    SMS_ID,
    needed(
        "status",
        OneOf(&[
            "subscribed",
            "unsubscribed",
            "transactional",
            "undeliverable",
            "list_subscribed",
            "list_unsubscribed",
        ]),
    ),
    SUBSCRIBED_LIST,
];

pub(crate) const MESSAGE: &[Field] = &[
    needed("message_id", Id),
    required("channel", Id),
    required("direction", OneOf(&["inbound", "outbound"])),
    optional(
        "account",
        Object(&[required("id", Text), required("name", Text)]),
    ),
    optional(
        "author",
        Object(&[
            optional("name", Text),
            optional("handle", Text),
            optional("avatar_url", Url),
        ]),
    ),
    optional("conversation_id", Text),
    BODY,
    optional(
        "attachments",
        List(
            &Object(&[
                required("url", Url),
                optional("type", Text),
                optional("name", Text),
            ]),
            MAX_LINES,
        ),
    ),
    optional("state", Text),
];

pub(crate) const EVENT: &[Field] = &[
    needed("event_id", Id),
    required("name", Free),
    optional("title", Free),
    optional("url", Url),
    optional("image", Url),
    optional("properties", Open),
];

pub(crate) const ATTRIBUTES: &[Field] = &[
    needed("attributes", Attributes),
    optional("updated_at", UpdateTime),
];
