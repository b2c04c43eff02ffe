//! The statuses of orders and fulfillments that shop, marketplace and POS systems commonly use, and those that cancel an order.

use crate::model::value::Map;

/// Statuses of orders, first those that [`cancellation`] knows. Other statuses are hidden from clients without `pii:read`.
pub(super) const ORDER: &[&str] = &[
    "canceled",
    "cancelled",
    "voided",
    "authorized",
    "checkout-draft",
    "closed",
    "completed",
    "draft",
    "expired",
    "failed",
    "fulfilled",
    "on-hold",
    "on_hold",
    "open",
    "paid",
    "partially_paid",
    "partially_refunded",
    "pending",
    "processing",
    "refunded",
    "shipped",
];

/// Statuses of fulfillments. Other statuses are hidden from clients without `pii:read`.
pub(super) const FULFILLMENT: &[&str] = &[
    "attempted_delivery",
    "canceled",
    "cancelled",
    "completed",
    "confirmed",
    "delivered",
    "error",
    "failed",
    "failure",
    "fulfilled",
    "in_transit",
    "label_printed",
    "label_purchased",
    "open",
    "out_for_delivery",
    "packed",
    "partial",
    "pending",
    "picked_up",
    "prepared",
    "proposed",
    "ready_for_pickup",
    "reserved",
    "restocked",
    "returned",
    "shipped",
    "success",
    "unfulfilled",
];

/// Returns `canceled` or `voided` if the status of a purchase or return means that. Such an order is shown, but no figure counts
/// it.
pub(super) fn cancellation(data: &Map) -> Option<&'static str> {
    let status = data.text("status")?.trim().to_ascii_lowercase();
    match status.as_str() {
        "cancelled" | "canceled" => Some("canceled"),
        "voided" => Some("voided"),
        _ => None,
    }
}
