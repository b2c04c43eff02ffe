/** Words for what the API names: types of files, states, counts, warnings, reasons and problems. Texts are keys of the labels. */

export const AUTO = "auto";
/** The value of the choice that lets people enter the name of a mapping. */
export const OTHER = "";

export const RECORD_TYPES = {
  customer_record: "Customers", purchase: "Orders", return: "Returns", product: "Products", attributes: "Attributes of customers", message: "Messages",
  email_send: "Emails sent", email_open: "Emails opened", email_click: "Emails clicked", email_bounce: "Emails bounced", email_subscribe: "Email subscriptions",
  sms_send: "Texts sent", sms_click: "Texts clicked", sms_subscribe: "Text subscriptions", event: "Other events", unify: "Links between identities", forget: "Erasures",
};
export const MIXED = "mixed";
export const MIXED_TITLE = "Mixed: each row names its type";

/** The mappings that are built in. */
export const MAPPINGS = {
  "brevo-contacts": "Brevo contacts", "hubspot-contacts": "HubSpot contacts", "klaviyo-events": "Klaviyo events", "klaviyo-lists": "Klaviyo lists",
  "klaviyo-suppressions": "Klaviyo suppressions", "mailchimp-clicks": "Mailchimp clicks", "mailchimp-email-activity": "Mailchimp email activity",
  "mailchimp-opens": "Mailchimp opens", "mailchimp-subscribed": "Mailchimp subscribed", "mailchimp-unsubscribed": "Mailchimp unsubscribed", segment: "Segment events",
  sendgrid: "SendGrid events", "shopify-customers": "Shopify customers", "shopify-order-webhooks": "Shopify order webhooks", "shopify-orders": "Shopify orders",
  "shopify-products": "Shopify products", "square-items": "Square items", "square-transactions": "Square transactions", "zendesk-tickets": "Zendesk tickets", "zendesk-users": "Zendesk users",
};

export const TITLES = { [AUTO]: "Recognized automatically", [MIXED]: "Mixed types", ...RECORD_TYPES, ...MAPPINGS };

export const KINDS = { try: "Try", revert: "Undo of an import", replay: "Repeated" };

/** The states, with the style of their label. */
export const STATES = {
  awaiting_upload: ["Waiting for the file", ""], running: ["Running", "accent"], completed: ["Completed", "good"], rejected: ["Refused", "bad"], failed: ["Failed", "bad"],
  superseded: ["Replaced", "bad"], expired: ["Not uploaded", "bad"],
};

/** The counts of an import, with what they mean. */
export const COUNTS = {
  written: ["Written", "Stored."], stale: ["Stale", "Newer data from another file is already there."], rejected: ["Rejected", "Has an error. Correct it, and drop it again."],
  suppressed: ["Suppressed", "The customer was erased."], skipped: ["Skipped", "Blank, a repeated header, or without a record."],
};

/** The counts of the undo of an import. */
export const UNDO_COUNTS = {
  deleted: ["Deleted", "Stored by the import, and nothing newer."], replaced_since: ["Replaced since", "Has newer data of another file, which stays."],
  not_found: ["Not found", "Already erased, expired, or never stored."], skipped_erasures: ["Erasures", "Stay. What was erased does not come back."],
  rejected: ["Rejected", "The import had not stored them."],
};

/** What counts of a try and of the preview of an undo mean, if not what they mean otherwise. */
export const WOULD = { written: "Would be stored.", deleted: "Would be deleted. Nothing newer has replaced it." };

export const WARNINGS = {
  empty_file: "The file has no content", new_source: "First file of this source. Check its name", no_records: "No row made a record. Check the mapping", missing_column: "A column that the mapping decides or computes with is missing", windows_1252: "Not UTF-8: read as Windows-1252", replaced_characters: "Unreadable characters became �",
  not_a_number: "NaN or Infinity was left out", number_as_text: "A very long number was kept as text", control_characters: "Control characters were kept", unnamed_column: "A cell in a column without a name was left out",
  identical_rows: "Identical to the row before, counted once", replaced_in_file: "Replaced an earlier row of the file", invalid_field: "The value breaks the rule of its field, and was left out", missing_field: "A required field is missing",
  identifier_left_out: "An identifier cannot be used, and was left out", similar_field: "The name of the field resembles a known one", rounded_amount: "An amount was rounded to 9 decimals",
  masked_card: "A card number was masked", part_tried: "Only the beginning of the file was tried", skipped_erasure: "An erasure, which stays", other: "Other",
};

export const REASONS = {
  invalid_json: "Not valid JSON", invalid_csv: "Text follows a closing quote", invalid_utf8: "Not UTF-8", not_an_object: "Not an object", unclosed_quote: "A quote is not closed", wrong_cell_count: "Wrong number of cells",
  broken_order: "A line of the order cannot be read", order_too_large: "The order is too large", group_not_adjacent: "Rows of one group are apart", missing_field: "A required field is missing", wrong_type: "Wrong type of value",
  invalid_value: "The value cannot be read", unknown_field: "Unknown field", ambiguous_identifier: "More than one identifier", placeholder_identifier: "Placeholder instead of an identifier", rounded_identifier: "A spreadsheet rounded the identifier",
  unknown_record_type: "Unknown record type", reserved_namespace: "Reserved category", too_many: "Too many values", too_deep: "Nested too deeply", record_too_large: "The row is too large", item_too_large: "The record is too large to store",
  item_refused: "The table refused the record", not_permitted: "Your permissions do not cover this type of row", other: "Other",
};

/** How to fix a file that was refused, by the code of its problem. */
export const FIXES = {
  "unknown-record-type": "Choose another type for the file.", "invalid-source": "Enter another source.", "invalid-mapping": "Correct the mapping, then import the file again.",
  unrecognized: "Choose the type of the file yourself. For an export of an unknown system, write a mapping.", archive: "Unpack the archive, or save each sheet as CSV. Then drop these files.",
  "unsupported-format": "Convert the file to CSV, JSON or NDJSON.", "unsupported-encoding": "Save the file as UTF-8.", "invalid-csv-header": "Correct the first line of the file, or choose another type.",
  "broken-json": "Correct the file at this place, then import it again.", "broken-compression": "Compress the file again, or drop it uncompressed.", "compression-ratio": "Drop the file uncompressed.",
  "file-too-large": "Split the file, or save it as uncompressed NDJSON.", "too-many-hops": "Split the file.", "object-gone": "Import the file again.", "object-superseded": "Import the file again if the newer one does not contain its rows.",
  "reverted-early": "To import the file after all, select Restore import.", "operation-superseded": "Open the later undo or repetition of this import. It has the result.",
};
