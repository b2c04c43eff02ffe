//! Generates one customer: the records of each source, the events, and the links between all identifiers.

use std::io;

use rand::{Rng, RngExt as _};
use serde_json::json;

use crate::clock::Moment;
use crate::habits::Habits;
use crate::people::Person;
use crate::{Files, engagement, messages, orders, outlet};

/// The topics that a customer can be interested in.
const INTERESTS: [&str; 8] = [
    "knitwear",
    "denim",
    "boots",
    "bags",
    "home",
    "hiking",
    "mending",
    "natural_fibers",
];
/// The confidences of a customer's interests, strongest first.
const CONFIDENCES: [f64; 6] = [1.9, 1.4, 1.1, 0.7, 0.4, 0.2];

/// Writes all rows of a customer.
pub(crate) fn write(index: u32, random: &mut impl Rng, files: &mut Files) -> io::Result<()> {
    let person = Person::new(index, random);
    let habits = Habits::new(index, random);
    records(&person, &habits, random, files)?;
    attributes(&person, &habits, random, files)?;
    orders::write(&person, &habits, random, files)?;
    engagement::write(&person, &habits, random, files)?;
    messages::write(&person, &habits, random, files)?;
    outlet::write(&person, &habits, random, files)
}

/// Writes the records of the CRM and the POS, and the link between all identifiers.
fn records(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    let mut crm = json!({
        "link": {"email": person.email},
        "email": person.email,
        "customer_id": person.customer_id,
        "first_name": person.first,
        "last_name": person.last,
        "date_of_birth": person.birth,
        "country": person.place.country,
        "state": person.place.state,
        "city": person.place.city,
        "postcode": person.place.postcode,
        "address_1": person.address,
        "custom_fields": {
            "loyalty_points": habits.orders * 120 + random.random_range(0..120),
            "preferred_store": format!("{} Central", person.place.city),
        },
        "updated_at": Moment::on(random, habits.last_active).text(),
    });
    let mut identifiers = vec![json!({"email": person.email})];
    if habits.has_mobile {
        crm["mobile"] = person.mobile.as_str().into();
        identifiers.push(json!({"mobile": person.mobile}));
    }
    files.write("customer_record", "crm", &crm)?;
    if habits.orders > 0 {
        let pos_record = json!({
            "link": person.pos_link(),
            "first_name": person.first,
            "last_name": person.last,
            "customer_type": if habits.orders > 11 { "member" } else { "guest" },
            "employee_flag": person.index % 40 == 7,
        });
        files.write("customer_record", "pos", &pos_record)?;
        identifiers.push(person.pos_link());
    }
    if habits.writes {
        identifiers.push(person.social_link());
    }
    if identifiers.len() > 1 {
        files.write("unify", "crm", &json!({"records": identifiers}))?;
    }
    Ok(())
}

/// Writes attributes for every other customer.
fn attributes(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    if !person.index.is_multiple_of(2) {
        return Ok(());
    }
    let number = person.index as usize / 2;
    let mut values = serde_json::Map::new();
    for (at, confidence) in CONFIDENCES.iter().take(3 + number % 4).enumerate() {
        let interest = INTERESTS[(number + at) % INTERESTS.len()];
        values.insert(
            format!("interests.{interest}"),
            json!({"value": true, "confidence": confidence}),
        );
    }
    let contact_time = ["morning", "afternoon", "evening"][person.index as usize % 3];
    values.insert("preferences.contact_time".to_owned(), contact_time.into());
    let is_reader = habits.opens > 40;
    values.insert("segments.newsletter_reader".to_owned(), is_reader.into());
    let attributes = json!({
        "link": {"email": person.email},
        "attributes": values,
        "updated_at": Moment::on(random, habits.last_active).text(),
    });
    files.write("attributes", "insights", &attributes)
}
