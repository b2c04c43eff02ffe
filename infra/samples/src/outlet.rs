//! Generates the orders of the outlet, an online shop whose platform is Shopify: its orders export, as Shopify writes it.

use std::collections::BTreeMap;
use std::io;

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};

use crate::Files;
use crate::catalogue::{Product, money, products};
use crate::clock::Moment;
use crate::habits::Habits;
use crate::people::Person;

/// The path of the export below `drop/`. The folder is the mapping that reads it.
const EXPORT: &str = "shopify-orders/orders_export_1.csv";
/// The columns of a Shopify orders export, in their order.
const COLUMNS: [&str; 79] = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    "Billing Name",
    "Billing Street",
    "Billing Address1",
    "Billing Address2",
    "Billing Company",
    "Billing City",
    "Billing Zip",
    "Billing Province",
    "Billing Country",
    "Billing Phone",
    "Shipping Name",
    "Shipping Street",
    "Shipping Address1",
    "Shipping Address2",
    "Shipping Company",
    "Shipping City",
    "Shipping Zip",
    "Shipping Province",
    "Shipping Country",
    "Shipping Phone",
    "Notes",
    "Note Attributes",
    "Cancelled at",
    "Payment Method",
    "Payment Reference",
    "Refunded Amount",
    "Vendor",
    "Outstanding Balance",
    "Employee",
    "Location",
    "Device ID",
    "Id",
    "Tags",
    "Risk Level",
    "Source",
    "Lineitem discount",
    "Tax 1 Name",
    "Tax 1 Value",
    "Tax 2 Name",
    "Tax 2 Value",
    "Tax 3 Name",
    "Tax 3 Value",
    "Tax 4 Name",
    "Tax 4 Value",
    "Tax 5 Name",
    "Tax 5 Value",
    "Phone",
    "Receipt Number",
    "Duties",
    "Billing Province Name",
    "Shipping Province Name",
    "Payment ID",
    "Payment Terms Name",
    "Next Payment Due At",
    "Payment References",
];
/// The discount code. It takes a tenth off the first line.
const CODE: &str = "OUTLET10";
/// The price of gift wrapping, in cents. The catalog does not contain it.
const GIFT_WRAP: i64 = 400;
/// The shipping costs, in cents.
const SHIPPING: i64 = 950;
/// The subtotal, in cents, from which shipping is free.
const FREE_SHIPPING: i64 = 20_000;
/// The number of days between two orders of a customer.
const ORDER_DAYS: i64 = 15;
/// The number of minutes that Brisbane is ahead of UTC, so that orders are placed by day there.
const BRISBANE_AHEAD: i64 = 10 * 60;
/// The number of minutes from an order to its payment, cancellation and fulfillment.
const PAID_AFTER: i64 = 1;
const CANCELED_AFTER: i64 = 95;
const FULFILLED_AFTER: i64 = 23 * 60;

/// The cells of a row, by column. The others are empty.
type Cells = BTreeMap<&'static str, String>;

/// Writes the orders of a customer at the outlet: one of each [`Course`]. Only some customers in Australia order there.
pub(crate) fn write(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    if person.index % 10 != 8 || person.place.currency != "AUD" {
        return Ok(());
    }
    let catalogue = products();
    for (number, course) in (0_u32..).zip(Course::ALL) {
        let day = habits.last_active - ORDER_DAYS * i64::from(3 - number);
        let order = Order {
            number: person.index * 4 + number,
            person,
            course,
            at: Moment::on(random, day).after(-BRISBANE_AHEAD),
            lines: Line::list(course, &catalogue, random),
        };
        for row in order.rows() {
            files.write_csv(EXPORT, &COLUMNS, &row)?;
        }
    }
    Ok(())
}

/// What happens to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The order has a discount and gift wrapping.
    Discounted,
    /// The outlet refunds the first line.
    Refunded,
    Canceled,
    /// The customer pays on delivery, and gave a phone number, but no email address.
    ByPhone,
}

impl Course {
    const ALL: [Self; 4] = [
        Self::Discounted,
        Self::Refunded,
        Self::Canceled,
        Self::ByPhone,
    ];

    fn is_paid(self) -> bool {
        matches!(self, Self::Discounted | Self::Refunded)
    }

    fn financial_status(self) -> &'static str {
        match self {
            Self::Discounted => "paid",
            Self::Refunded => "partially_refunded",
            Self::Canceled => "voided",
            Self::ByPhone => "pending",
        }
    }

    fn fulfillment_status(self) -> &'static str {
        if self.is_paid() {
            "fulfilled"
        } else {
            "unfulfilled"
        }
    }
}

/// One line item of an order.
struct Line {
    name: String,
    sku: String,
    vendor: &'static str,
    quantity: i64,
    /// The price of one piece, in cents.
    price: i64,
    /// The discount on the whole line, in cents.
    discount: i64,
}

impl Line {
    /// Returns the lines of an order.
    fn list(course: Course, catalogue: &[Product], random: &mut impl Rng) -> Vec<Self> {
        let count = match course {
            Course::Discounted | Course::Refunded => random.random_range(2..4),
            Course::Canceled | Course::ByPhone => random.random_range(1..3),
        };
        let mut lines: Vec<_> = (0..count)
            .filter_map(|_| Some(Self::of(catalogue.choose(random)?, random)))
            .collect();
        if course == Course::Discounted {
            lines[0].discount = lines[0].price * lines[0].quantity / 10;
            lines.push(Self {
                name: "Gift wrap, 12\" ribbon".to_owned(),
                sku: String::new(),
                vendor: "Outlet",
                quantity: 1,
                price: GIFT_WRAP,
                discount: 0,
            });
        }
        lines
    }

    fn of(product: &Product, random: &mut impl Rng) -> Self {
        Self {
            name: product.name.clone(),
            sku: product.sku(),
            vendor: product.brand.name,
            quantity: random.random_range(1..3),
            price: product.cents.cast_signed(),
            discount: 0,
        }
    }

    /// Returns the price paid for the whole line, in cents.
    fn paid(&self) -> i64 {
        self.price * self.quantity - self.discount
    }
}

/// An order at the outlet.
struct Order<'a> {
    /// The position among all orders of the outlet.
    number: u32,
    person: &'a Person,
    course: Course,
    at: Moment,
    lines: Vec<Line>,
}

impl Order<'_> {
    /// Returns the rows of the export: one per line item. The first one also contains the order.
    fn rows(&self) -> Vec<Cells> {
        let mut rows: Vec<_> = self.lines.iter().map(|line| self.line(line)).collect();
        if let Some(first) = rows.first_mut() {
            first.extend(self.status());
            first.extend(self.amounts());
            first.extend(self.addresses());
        }
        rows
    }

    fn id(&self) -> u64 {
        6_097_582_700_000 + u64::from(self.number)
    }

    /// Returns a time after the order, as the outlet writes it.
    fn time(&self, minutes: i64) -> String {
        self.at.after(minutes).brisbane()
    }

    /// Returns the price of all lines, in cents.
    fn subtotal(&self) -> i64 {
        self.lines.iter().map(Line::paid).sum()
    }

    /// Returns the cells that each row has.
    fn line(&self, line: &Line) -> Cells {
        let mut cells = Cells::from([
            ("Name", format!("#{}", 1_001 + self.number)),
            ("Created at", self.time(0)),
            ("Lineitem quantity", line.quantity.to_string()),
            ("Lineitem name", line.name.clone()),
            ("Lineitem price", money(line.price)),
            ("Lineitem sku", line.sku.clone()),
            ("Lineitem requires shipping", "true".to_owned()),
            ("Lineitem taxable", "true".to_owned()),
            (
                "Lineitem fulfillment status",
                self.course.fulfillment_status().to_owned(),
            ),
            ("Vendor", line.vendor.to_owned()),
            ("Lineitem discount", money(line.discount)),
        ]);
        if self.course == Course::ByPhone {
            cells.insert("Phone", format!("+{}", self.person.mobile));
        } else {
            cells.insert("Email", self.person.email.clone());
        }
        cells
    }

    /// Returns the cells about the status of the order.
    fn status(&self) -> Cells {
        let mut cells = Cells::from([
            ("Id", self.id().to_string()),
            (
                "Financial Status",
                self.course.financial_status().to_owned(),
            ),
            (
                "Fulfillment Status",
                self.course.fulfillment_status().to_owned(),
            ),
            ("Accepts Marketing", "no".to_owned()),
            ("Tags", "outlet".to_owned()),
            ("Risk Level", "Low".to_owned()),
            ("Source", "web".to_owned()),
        ]);
        if self.course.is_paid() {
            cells.insert("Paid at", self.time(PAID_AFTER));
            cells.insert("Fulfilled at", self.time(FULFILLED_AFTER));
            cells.insert("Payment Reference", format!("c{}.1", self.id()));
            cells.insert("Payment References", format!("c{}.1", self.id()));
        }
        match self.course {
            Course::Discounted => {
                cells.insert("Accepts Marketing", "yes".to_owned());
                cells.insert("Tags", "outlet, gift".to_owned());
                let note = format!("Gift message: For you\nFrom: {}", self.person.first);
                cells.insert("Note Attributes", note);
            }
            Course::Canceled => {
                cells.insert("Cancelled at", self.time(CANCELED_AFTER));
            }
            Course::Refunded | Course::ByPhone => {}
        }
        cells
    }

    /// Returns the cells with amounts and payment. Prices include the tax, an eleventh.
    fn amounts(&self) -> Cells {
        let subtotal = self.subtotal();
        let shipping = if subtotal < FREE_SHIPPING {
            SHIPPING
        } else {
            0
        };
        let total = subtotal + shipping;
        let discount = self.lines.iter().map(|line| line.discount).sum();
        let refunded = if self.course == Course::Refunded {
            self.lines[0].paid()
        } else {
            0
        };
        let (payment, due) = if self.course == Course::ByPhone {
            ("Cash on Delivery (COD)", total)
        } else {
            ("Shopify Payments", 0)
        };
        let mut cells = Cells::from([
            ("Currency", self.person.place.currency.to_owned()),
            ("Subtotal", money(subtotal)),
            ("Shipping", money(shipping)),
            ("Shipping Method", "Standard".to_owned()),
            ("Taxes", money(total / 11)),
            ("Tax 1 Name", "GST 10%".to_owned()),
            ("Tax 1 Value", money(total / 11)),
            ("Total", money(total)),
            ("Discount Amount", money(discount)),
            ("Payment Method", payment.to_owned()),
            ("Refunded Amount", money(refunded)),
            ("Outstanding Balance", money(due)),
        ]);
        if discount > 0 {
            cells.insert("Discount Code", CODE.to_owned());
        }
        cells
    }

    /// Returns the cells of both addresses. An apostrophe before a number keeps spreadsheets from changing it.
    fn addresses(&self) -> Cells {
        let place = self.person.place;
        let province = match place.state {
            "New South Wales" => "NSW",
            "Queensland" => "QLD",
            _ => "VIC",
        };
        Cells::from([
            ("Billing Name", self.person.name()),
            ("Billing Street", self.person.address.clone()),
            ("Billing Address1", self.person.address.clone()),
            ("Billing City", place.city.to_owned()),
            ("Billing Zip", format!("'{}", place.postcode)),
            ("Billing Province", province.to_owned()),
            ("Billing Province Name", place.state.to_owned()),
            ("Billing Country", "AU".to_owned()),
            ("Billing Phone", format!("+{}", self.person.mobile)),
            ("Shipping Name", self.person.name()),
            ("Shipping Street", self.person.address.clone()),
            ("Shipping Address1", self.person.address.clone()),
            ("Shipping City", place.city.to_owned()),
            ("Shipping Zip", format!("'{}", place.postcode)),
            ("Shipping Province", province.to_owned()),
            ("Shipping Province Name", place.state.to_owned()),
            ("Shipping Country", "AU".to_owned()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The export has the columns of the sample from which the mapping was written.
    #[test]
    fn columns_are_those_of_the_mapping() {
        let sample = "../../functions/ingest/src/mapping/samples/shopify/orders_export_1.csv";
        let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(sample);
        let text = std::fs::read_to_string(sample).unwrap();
        assert_eq!(text.lines().next(), Some(COLUMNS.join(",").as_str()));
    }
}
