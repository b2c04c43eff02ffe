//! Generates a customer's purchases and returns, at the POS and in the online shop.

use std::io;

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

use crate::Files;
use crate::catalogue::{Product, money, products};
use crate::clock::Moment;
use crate::habits::Habits;
use crate::people::Person;

/// Writes a customer's orders and the returns of some of them.
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
        files.write(
            "purchase",
            source(shop),
            &purchase(person, number, at, shop, &lines),
        )?;
        if random.random_range(0..100) < 14 {
            let later = at.after(random.random_range(2..20) * 24 * 60);
            files.write(
                "return",
                source(shop),
                &returned(person, number, later, shop, &lines[0]),
            )?;
        }
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

fn purchase(person: &Person, number: u32, at: Moment, shop: Shop, lines: &[Line<'_>]) -> Value {
    let total: i64 = lines.iter().map(Line::paid).sum();
    let products: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "product_reference": {"id": line.product.product_id(), "id_type": "product_id"},
                "quantity": line.quantity,
                "full_price": money(line.full_price),
                "discount": money(line.discount),
                "price_paid": money(line.paid()),
            })
        })
        .collect();
    let mut row = json!({
        "link": link(person, shop),
        "action_at": at.text(),
        "type": kind(shop),
        "purchase_id": format!("O{:06}-{number:02}", person.index),
        "currency": person.place.currency,
        "products": products,
        "payment_types": [{"name": if shop == Shop::Online { "paypal" } else { "visa" }, "total": money(total)}],
        "store": store(person, shop),
    });
    if shop == Shop::Online {
        row["adjustments"] = json!([{"price_adjustment": "9.95", "reason": "shipping"}]);
    }
    row
}

fn returned(person: &Person, number: u32, at: Moment, shop: Shop, line: &Line<'_>) -> Value {
    json!({
        "link": link(person, shop),
        "action_at": at.text(),
        "type": kind(shop),
        "return_id": format!("R{:06}-{number:02}", person.index),
        "currency": person.place.currency,
        "products": [{
            "product_reference": {"id": line.product.product_id(), "id_type": "product_id"},
            "quantity": -line.quantity,
            "price_paid": money(-line.paid()),
        }],
        "store": store(person, shop),
    })
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
