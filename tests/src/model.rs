//! A small model of what dropped files come to, for schedules that are drawn at random: the newest row of a key wins, and
//! who was forgotten is gone. It knows nothing of how ingest does it: no table, no versions' bytes, no runs.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

/// How many customers there are; each has one identifier, [`mobile`].
pub const CUSTOMERS: u8 = 3;

/// When something happened, seen from the moment of all drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before: an erasure takes it.
    Past,
    /// After, as far as clocks may differ: an erasure leaves it.
    Future,
}

/// A row. What it says is its number, which no other row has.
#[derive(Clone, Debug)]
pub enum Row {
    /// An event, of which there are two for each customer and time; perhaps one that was sent under another time before.
    Event {
        /// Whose.
        customer: u8,
        /// Which.
        name: u8,
        /// When.
        at: When,
        /// Whether it stood at the other time before.
        moved: bool,
    },
    /// A customer record, and when its source says that it changed.
    Record {
        /// Whose.
        customer: u8,
        /// `None`: the source does not say.
        updated: Option<When>,
    },
    /// A link, or its end.
    Link {
        /// One side.
        a: u8,
        /// The other.
        b: u8,
        /// Whether there is one.
        live: bool,
    },
    /// An erasure, perhaps for good.
    Forget {
        /// Of whom.
        customer: u8,
        /// Whether for good.
        suppress: bool,
    },
    /// None.
    Broken,
}

/// What becomes of a dropped file's events.
#[derive(Clone, Debug)]
pub struct Drop {
    /// Which of a few keys: later drops overwrite earlier ones of the same key.
    pub key: u8,
    /// What is in it.
    pub rows: Vec<Row>,
    /// How often its event comes; none means that it is lost.
    pub copies: u8,
    /// Whether the version is deleted, sooner or later.
    pub deleted: bool,
}

/// What a customer's profile shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Who is folded into it.
    pub customers: BTreeSet<u8>,
    /// What the records of each say.
    pub records: BTreeMap<u8, u64>,
    /// The events, and what they say.
    pub events: BTreeMap<(When, u8), u64>,
}

/// The identifier of a customer.
#[must_use]
pub fn mobile(customer: u8) -> String {
    format!("6140000000{customer}")
}

/// The number of a row, by its drop's place and its own.
const fn said(drop: usize, row: usize) -> u64 {
    (drop * 100 + row) as u64
}

/// Draws a few drops, in the order of their making.
pub fn drops(random: &mut impl Rng) -> Vec<Drop> {
    let mut told = BTreeMap::new();
    let forgets = random.random_bool(0.5);
    (0..random.random_range(2..6))
        .map(|_| Drop {
            key: random.random_range(0..3),
            rows: (0..random.random_range(1..5))
                .map(|_| row(random, forgets, &mut told))
                .collect(),
            copies: [0, 1, 1, 1, 2, 3][random.random_range(0..6)],
            deleted: random.random_bool(0.15),
        })
        .collect()
}

/// `told` is what each source last said of when its record changed. It goes on from there, as clocks do: what an
/// erasure between two records of contrary times leaves depends on their order, and ADR 7 says so.
fn row(random: &mut impl Rng, forgets: bool, told: &mut BTreeMap<u8, Option<When>>) -> Row {
    let customer = random.random_range(0..CUSTOMERS);
    match random.random_range(0..10) {
        0..5 => Row::Event {
            customer,
            name: random.random_range(0..2),
            at: [When::Past, When::Future][random.random_range(0..2)],
            moved: random.random_bool(0.25),
        },
        5..7 => {
            let draw = [None, Some(When::Past), Some(When::Future)][random.random_range(0..3)];
            let last = told.entry(customer).or_default();
            if *last != Some(When::Future) {
                *last = draw;
            }
            Row::Record {
                customer,
                updated: *last,
            }
        }
        7 => Row::Link {
            a: customer,
            b: (customer + random.random_range(1..CUSTOMERS)) % CUSTOMERS,
            live: random.random_bool(0.75),
        },
        8 if forgets => Row::Forget {
            customer,
            suppress: random.random_bool(0.2),
        },
        8 => Row::Broken,
        _ => Row::Event {
            customer,
            name: 0,
            at: When::Past,
            moved: false,
        },
    }
}

impl Drop {
    /// The file, as the drop of this place; `past` and `future` are moments as files write them.
    #[must_use]
    pub fn file(&self, place: usize, past: &str, future: &str) -> String {
        let moment = |when| match when {
            When::Past => past,
            When::Future => future,
        };
        let link = |customer| json!({"mobile": mobile(customer)});
        let line = |(at, row): (usize, &Row)| {
            let said = said(place, at);
            let row = match row {
                Row::Event {
                    customer,
                    name,
                    at,
                    moved,
                } => {
                    let mut row = json!({
                        "record_type": "email_send", "link": link(*customer), "action_at": moment(*at),
                        "email_id": name.to_string(), "subject": said.to_string(),
                    });
                    if *moved {
                        row["replaces_action_at"] = json!(moment(other(*at)));
                    }
                    row
                }
                Row::Record { customer, updated } => {
                    let mut row = json!({
                        "record_type": "customer_record", "link": link(*customer),
                        "custom_fields": {format!("of_{customer}"): said.to_string()},
                    });
                    if let Some(updated) = updated {
                        row["updated_at"] = json!(moment(*updated));
                    }
                    row
                }
                Row::Link { a, b, live } => {
                    json!({"record_type": "unify", "records": [link(*a), link(*b)], "unlink": !live})
                }
                Row::Forget { customer, suppress } => {
                    json!({"record_type": "forget", "link": link(*customer), "suppress": suppress})
                }
                Row::Broken => json!({"record_type": "email_send", "subject": "whose?"}),
            };
            format!("{row}\n")
        };
        self.rows.iter().enumerate().map(line).collect()
    }
}

const fn other(when: When) -> When {
    match when {
        When::Past => When::Future,
        When::Future => When::Past,
    }
}

/// What all customers' profiles are once the drops of these places, and no others, were imported; `None` where there is
/// no profile.
#[must_use]
pub fn profiles(drops: &[Drop], imported: &BTreeSet<usize>) -> Vec<Option<Profile>> {
    // A later row takes an earlier one's place: drops and rows are in the order of their making.
    let mut events = BTreeMap::new();
    let mut records = BTreeMap::new();
    let mut links = BTreeMap::new();
    let (mut erased, mut suppressed) = (BTreeSet::new(), BTreeSet::new());
    for (place, drop) in drops.iter().enumerate() {
        if !imported.contains(&place) {
            continue;
        }
        for (number, row) in drop.rows.iter().enumerate() {
            let said = said(place, number);
            match *row {
                Row::Event {
                    customer,
                    name,
                    at,
                    moved,
                } => {
                    events.insert((customer, at, name), (said, true));
                    if moved {
                        events.insert((customer, other(at), name), (said, false));
                    }
                }
                Row::Record { customer, updated } => {
                    records.insert(customer, (updated, said));
                }
                Row::Link { a, b, live } => {
                    links.insert((a.min(b), a.max(b)), live);
                }
                Row::Forget { customer, suppress } => {
                    erased.insert(customer);
                    if suppress {
                        suppressed.insert(customer);
                    }
                }
                Row::Broken => {}
            }
        }
    }
    let gone = |customer: u8, when: Option<When>| {
        suppressed.contains(&customer) || (erased.contains(&customer) && when != Some(When::Future))
    };
    events.retain(|(customer, at, _), _| !gone(*customer, Some(*at)));
    records.retain(|customer, (updated, _)| !gone(*customer, *updated));
    links.retain(|(a, b), _| !gone(*a, None) && !gone(*b, None));

    (0..CUSTOMERS)
        .map(|asked| {
            let mut customers = BTreeSet::from([asked]);
            while let Some((a, b)) = links.iter().find_map(|((a, b), live)| {
                (*live && customers.contains(a) != customers.contains(b)).then_some((*a, *b))
            }) {
                customers.extend([a, b]);
            }
            let has = |customer: &u8| customers.contains(customer);
            let something = events.keys().any(|(customer, ..)| has(customer))
                || records.keys().any(has)
                || links.keys().any(|(a, b)| has(a) || has(b));
            // Several customers' event of the same source and id is one: its newest row says what it is.
            let mut newest: BTreeMap<_, (u64, bool)> = BTreeMap::new();
            for ((_, at, name), row) in events.iter().filter(|((customer, ..), _)| has(customer)) {
                let held = newest.entry((*at, *name)).or_insert(*row);
                *held = (*held).max(*row);
            }
            something.then(|| Profile {
                records: records
                    .iter()
                    .filter(|(customer, _)| has(customer))
                    .map(|(customer, (_, said))| (*customer, *said))
                    .collect(),
                events: newest
                    .into_iter()
                    .filter(|(_, (_, stands))| *stands)
                    .map(|(key, (said, _))| (key, said))
                    .collect(),
                customers: customers.clone(),
            })
        })
        .collect()
}

/// Reads a profile's document: `past` is the moment of what happened before, as documents write it, and `ids` are the
/// ids of the customers' identities.
///
/// # Panics
/// The document is none.
#[must_use]
pub fn shown(document: &Value, past: &str, ids: &[String]) -> Profile {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let said = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let customer = |id: &Value| ids.iter().position(|own| id == own.as_str());
    let customers = items(&document["identities"]).into_iter().map(|identity| {
        let place = customer(&identity["id"]).and_then(|place| u8::try_from(place).ok());
        place.expect("a customer")
    });
    let customs = items(&document["attributes"]["custom"]);
    let records = customs.iter().map(|attribute| {
        let name = attribute["name"].as_str();
        let customer = name.and_then(|name| name.strip_prefix("of_")?.parse().ok());
        (
            customer.expect("a customer"),
            said(&attribute["value"]).expect("a number"),
        )
    });
    let history = items(&document["history"]["items"]);
    let events = history.iter().map(|event| {
        let when = if event["at"] == past {
            When::Past
        } else {
            When::Future
        };
        let data = &event["email_send"];
        let name = data["email_id"].as_str().and_then(|name| name.parse().ok());
        let said = said(&data["subject"]).expect("a number");
        ((when, name.expect("a name")), said)
    });
    Profile {
        customers: customers.collect(),
        records: records.collect(),
        events: events.collect(),
    }
}
