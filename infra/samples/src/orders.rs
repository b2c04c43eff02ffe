//! Generates a customer's purchases and returns, at the POS and in the online shop. Online orders have numbers, statuses and parcels.

use std::io;

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

use crate::catalogue::{Product, money, products};
use crate::clock::Moment;
use crate::habits::Habits;
use crate::people::Person;
use crate::{Files, events};

/// The number of minutes from an online order to its shipment and its delivery.
const SHIPPED_AFTER: i64 = 22 * 60;
const DELIVERED_AFTER: i64 = 3 * 24 * 60 + 95;
/// The price of a gift card, in cents. The catalog does not contain it.
const GIFT_CARD: i64 = 5_000;

/// Writes a customer's orders, the returns of some of them, and the loyalty points and reviews that follow.
pub(crate) fn write(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    let catalogue = products();
    for number in 0..habits.orders {
        let span = (habits.last_active - habits.joined).max(1);
        let day = habits.joined + span * i64::from(number + 1) / i64::from(habits.orders);
        let at = Moment::on(random, day);
        let shop = if random.random_range(0..100) < 55 {
            Shop::Online
        } else {
            Shop::Physical
        };
        let lines: Vec<Line<'_>> = (0..random.random_range(1..4))
            .filter_map(|_| Some(Line::new(catalogue.choose(random)?, random)))
            .collect();
        let order = Order {
            number,
            at,
            shop,
            lines,
        };
        files.write("purchase", source(shop), &order.purchase(person))?;
        let days = if random.random_range(0..100) < 14 {
            Some(random.random_range(2..20))
        } else {
            None
        };
        if order.is_canceled(person) {
            continue;
        }
        if let Some(days) = days {
            let row = order.returned(person, at.after(days * 24 * 60));
            files.write("return", source(shop), &row)?;
        }
        events::points(person, &order.id(person), at, order.total(person), files)?;
        events::review(person, number, at, order.lines[0].product, files)?;
    }
    Ok(())
}

/// Where a customer orders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shop {
    Online,
    Physical,
}

/// One line of an order.
struct Line<'a> {
    product: &'a Product,
    quantity: i64,
    /// The full price of the whole line, in cents.
    full_price: i64,
    /// The discount on the whole line, in cents.
    discount: i64,
}

impl<'a> Line<'a> {
    fn new(product: &'a Product, random: &mut impl Rng) -> Self {
        let quantity = if random.random_range(0..10) == 0 {
            2
        } else {
            1
        };
        let full_price = product.cents.cast_signed() * quantity;
        let discount = if random.random_range(0..4) == 0 {
            full_price / 5
        } else {
            0
        };
        Self {
            product,
            quantity,
            full_price,
            discount,
        }
    }

    /// Returns the price paid for the whole line, in cents.
    fn paid(&self) -> i64 {
        self.full_price - self.discount
    }

    /// Returns the line of a purchase.
    fn sold(&self) -> Value {
        json!({
            "product_reference": {"id": self.product.product_id(), "id_type": "product_id"},
            "quantity": self.quantity,
            "full_price": money(self.full_price),
            "discount": money(self.discount),
            "price_paid": money(self.paid()),
        })
    }
}

fn source(shop: Shop) -> &'static str {
    if shop == Shop::Online { "shop" } else { "pos" }
}

fn kind(shop: Shop) -> &'static str {
    if shop == Shop::Online {
        "ecommerce"
    } else {
        "physical"
    }
}

fn link(person: &Person, shop: Shop) -> Value {
    if shop == Shop::Online {
        json!({"email": person.email})
    } else {
        person.pos_link()
    }
}

/// An order of a customer.
struct Order<'a> {
    /// The position among the customer's orders.
    number: u32,
    at: Moment,
    shop: Shop,
    lines: Vec<Line<'a>>,
}

impl Order<'_> {
    fn id(&self, person: &Person) -> String {
        format!("O{:06}-{:02}", person.index, self.number)
    }

    /// Returns the number that the customer knows. The POS has none.
    fn order_number(&self, person: &Person) -> Option<String> {
        (self.shop == Shop::Online)
            .then(|| format!("#{}", 10_000 + person.index * 40 + self.number))
    }

    /// Returns whether the order was canceled: the second one, if it is online, of every tenth customer.
    fn is_canceled(&self, person: &Person) -> bool {
        self.shop == Shop::Online && self.number == 1 && person.index % 10 == 8
    }

    /// Returns whether the order contains a gift card: the first one, if it is online, of every tenth customer.
    fn has_gift_card(&self, person: &Person) -> bool {
        self.shop == Shop::Online && self.number == 0 && person.index % 10 == 3
    }

    /// Returns the price paid for all lines, in cents.
    fn total(&self, person: &Person) -> i64 {
        let card = if self.has_gift_card(person) {
            GIFT_CARD
        } else {
            0
        };
        card + self.lines.iter().map(Line::paid).sum::<i64>()
    }

    fn purchase(&self, person: &Person) -> Value {
        let mut products: Vec<Value> = self.lines.iter().map(Line::sold).collect();
        if self.has_gift_card(person) {
            products.push(json!({
                "name": "Gift card",
                "url": "https://shop.example.com/gift-cards",
                "quantity": 1,
                "price_paid": money(GIFT_CARD),
            }));
        }
        let is_online = self.shop == Shop::Online;
        let mut row = json!({
            "link": link(person, self.shop),
            "action_at": self.at.text(),
            "type": kind(self.shop),
            "purchase_id": self.id(person),
            "currency": person.place.currency,
            "products": products,
            "payment_types": [{"name": if is_online { "paypal" } else { "visa" }, "total": money(self.total(person))}],
            "store": store(person, self.shop),
        });
        if is_online {
            row["order_number"] = self.order_number(person).into();
            row["adjustments"] = json!([{"price_adjustment": "9.95", "reason": "shipping"}]);
            if self.is_canceled(person) {
                row["status"] = "cancelled".into();
            } else {
                self.ship(person, &mut row);
            }
        }
        row
    }

    /// Adds the status and the parcel of an online order, as far as they are known at the end of the two years.
    fn ship(&self, person: &Person, row: &mut Value) {
        let (shipped, delivered) = (self.at.after(SHIPPED_AFTER), self.at.after(DELIVERED_AFTER));
        if !shipped.is_past() {
            row["status"] = "processing".into();
            return;
        }
        row["status"] = "fulfilled".into();
        let tracking = format!("36LB45{:06}{:02}", person.index, self.number);
        let mut parcel = json!({
            "status": "in_transit",
            "carrier": "Parcel Post",
            "tracking_number": tracking,
            "tracking_url": format!("https://parcels.example.com/track/{tracking}"),
            "shipped_at": shipped.text(),
        });
        if delivered.is_past() {
            parcel["status"] = "delivered".into();
            parcel["delivered_at"] = delivered.text().into();
        }
        row["fulfillments"] = json!([parcel]);
    }

    /// Returns the return of the first line.
    fn returned(&self, person: &Person, at: Moment) -> Value {
        let line = &self.lines[0];
        let mut row = json!({
            "link": link(person, self.shop),
            "action_at": at.text(),
            "type": kind(self.shop),
            "return_id": format!("R{:06}-{:02}", person.index, self.number),
            "currency": person.place.currency,
            "products": [{
                "product_reference": {"id": line.product.product_id(), "id_type": "product_id"},
                "quantity": -line.quantity,
                "price_paid": money(-line.paid()),
            }],
            "store": store(person, self.shop),
        });
        if let Some(number) = self.order_number(person) {
            row["order_number"] = number.into();
            row["status"] = "refunded".into();
        }
        row
    }
}

fn store(person: &Person, shop: Shop) -> Value {
    if shop == Shop::Online {
        return json!({"type": "online", "name": "shop.example.com", "store_id": "WEB"});
    }
    let (latitude, longitude) = person.place.coordinate;
    json!({
        "type": "physical",
        "name": format!("{} Central", person.place.city),
        "store_id": format!("S-{}", person.place.city.to_uppercase()),
        "location": {"name": person.place.city, "coordinate": {"latitude": latitude, "longitude": longitude}},
    })
}
