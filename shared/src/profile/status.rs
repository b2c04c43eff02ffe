//! The statuses of orders and fulfillments that shop, marketplace and POS systems commonly use. They decide which orders are
//! canceled, which are open, and which statuses a client without `pii:read` sees.

use super::recency::is_older_than;
use crate::model::{
    time::Instant,
    value::{Map, Value},
};

/// A parcel that was shipped before counts as delivered, since many exports never contain the delivery. In days.
const TRANSIT_DAYS: i64 = 30;

/// Statuses of orders that are not open, whatever their parcels are. First those that [`cancellation`] knows.
const CLOSED: [&str; 13] = [
    "canceled",
    "cancelled",
    "voided",
    "checkout_draft",
    "collected",
    "delivered",
    "draft",
    "expired",
    "failed",
    "picked_up",
    "refunded",
    "returned",
    "void",
];

/// Statuses of orders that are open even without an open parcel: goods or a payment are awaited.
const OPEN: [&str; 36] = [
    "attempted_delivery",
    "authorized",
    "awaiting_fulfillment",
    "awaiting_payment",
    "awaiting_pickup",
    "awaiting_shipment",
    "backorder",
    "backordered",
    "confirmed",
    "dispatched",
    "in_process",
    "in_production",
    "in_progress",
    "in_transit",
    "on_hold",
    "open",
    "out_for_delivery",
    "packed",
    "partial",
    "partially_fulfilled",
    "partially_paid",
    "partially_shipped",
    "payment_pending",
    "pending",
    "pending_payment",
    "placed",
    "pre_order",
    "preorder",
    "preparing",
    "processing",
    "ready",
    "ready_for_pickup",
    "ready_to_ship",
    "scheduled",
    "shipped",
    "unfulfilled",
];

/// Other statuses of orders. They do not decide whether an order is open.
const OTHER: [&str; 5] = [
    "closed",
    "completed",
    "fulfilled",
    "paid",
    "partially_refunded",
];

/// Statuses of parcels that are not open: the customer has the goods, or is not to get this parcel.
const CLOSED_PARCEL: [&str; 10] = [
    "canceled",
    "cancelled",
    "collected",
    "completed",
    "delivered",
    "error",
    "picked_up",
    "restocked",
    "returned",
    "voided",
];

/// Other statuses of parcels. A parcel with one of them, with any status of [`OPEN`], or with an unknown one is open until it has
/// a time of delivery.
const OPEN_PARCEL: [&str; 11] = [
    "accepted",
    "failed",
    "failure",
    "fulfilled",
    "label_printed",
    "label_purchased",
    "pre_transit",
    "prepared",
    "proposed",
    "reserved",
    "success",
];

/// Statuses of parcels that were shipped. Without a time of shipping, that of the order is used.
const SHIPPED_PARCEL: [&str; 4] = ["fulfilled", "in_transit", "shipped", "success"];

/// Statuses of orders. Other statuses are hidden from clients without `pii:read`.
pub(super) const ORDER: &[&[&str]] = &[&CLOSED, &OPEN, &OTHER];

/// Statuses of fulfillments. Other statuses are hidden from clients without `pii:read`.
pub(super) const FULFILLMENT: &[&[&str]] = &[&CLOSED_PARCEL, &OPEN_PARCEL, &OPEN];

/// Returns the form in which statuses are compared: in lowercase, with `_` for `-` and whitespace.
pub(super) fn normal_status(status: &str) -> String {
    let separated = |c: char| {
        if c == '-' || c.is_whitespace() {
            '_'
        } else {
            c
        }
    };
    let status = status.trim().chars().map(separated);
    status.flat_map(char::to_lowercase).collect()
}

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

/// Returns whether the statuses of a purchase, which happened at `at`, and of its parcels say that it is open at the time `now`.
pub(super) fn is_open(purchase: &Map, at: Instant, now: Instant) -> bool {
    let status = purchase.text("status").map(normal_status);
    let is_one_of = |known: &[&str]| {
        let status = status.as_deref();
        status.is_some_and(|status| known.contains(&status))
    };
    let parcels = purchase.list("fulfillments").iter();
    let mut parcels = parcels.filter_map(Value::as_map);
    !is_one_of(&CLOSED)
        && (is_one_of(&OPEN) || parcels.any(|parcel| is_open_parcel(parcel, at, now)))
}

/// Returns whether a parcel of a purchase is on its way to the customer, or will be.
fn is_open_parcel(parcel: &Map, ordered_at: Instant, now: Instant) -> bool {
    let status = parcel.text("status").map(normal_status);
    let is_one_of = |known: &[&str]| {
        let status = status.as_deref();
        status.is_some_and(|status| known.contains(&status))
    };
    let is_closed = is_one_of(&CLOSED_PARCEL);
    let shipped = match parcel.text("shipped_at") {
        Some(at) => Instant::parse(at),
        None => is_one_of(&SHIPPED_PARCEL).then_some(ordered_at),
    };
    let has_arrived = is_older_than(shipped, now, TRANSIT_DAYS);
    parcel.text("delivered_at").is_none() && !is_closed && !has_arrived
}
