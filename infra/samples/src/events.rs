//! Generates events without a type of their own: loyalty points of orders, and reviews of products.

use std::io;

use serde_json::json;

use crate::Files;
use crate::catalogue::Product;
use crate::clock::Moment;
use crate::people::Person;

/// The number of minutes from an order to the review of a product.
const REVIEW_AFTER: i64 = 12 * 24 * 60;

/// The reviews: stars and text.
const REVIEWS: [(u8, &str); 5] = [
    (5, "Warm, and true to size."),
    (4, "Lovely color. The sleeves are a little long."),
    (5, "My third one. I would buy it again."),
    (2, "It pilled after two weeks."),
    (3, "Nice, but smaller than I expected."),
];

/// Writes the loyalty points of an order. Every third customer is a member.
pub(crate) fn points(
    person: &Person,
    order: &str,
    at: Moment,
    cents: i64,
    files: &mut Files,
) -> io::Result<()> {
    if !person.index.is_multiple_of(3) {
        return Ok(());
    }
    let points = cents / 100;
    let row = json!({
        "link": person.pos_link(),
        "action_at": at.after(1).text(),
        "event_id": format!("points-{order}"),
        "name": "points_earned",
        "title": format!("Earned {points} points"),
        "properties": {"points": points, "order": order},
    });
    files.write("event", "loyalty", &row)
}

/// Writes the review of a product. Of eight orders, one leads to a review.
pub(crate) fn review(
    person: &Person,
    number: u32,
    at: Moment,
    product: &Product,
    files: &mut Files,
) -> io::Result<()> {
    let place = person.index + number;
    let at = at.after(REVIEW_AFTER);
    if !place.is_multiple_of(8) || !at.is_past() {
        return Ok(());
    }
    let (stars, text) = REVIEWS[place as usize / 8 % REVIEWS.len()];
    let row = json!({
        "link": {"email": person.email},
        "action_at": at.text(),
        "event_id": format!("review-{:06}-{number:02}", person.index),
        "name": "review_written",
        "title": format!("Reviewed {}: {stars} of 5 stars", product.name),
        "url": product.url(),
        "image": product.image_url(),
        "properties": {"stars": stars, "text": text},
    });
    files.write("event", "reviews", &row)
}
