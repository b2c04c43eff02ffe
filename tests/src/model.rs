//! A small model of the result of dropped files, for random schedules: the last write of a key wins, and erased customers have no
//! profile. It knows nothing of ingest: no table, no version bytes, no invocations.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

/// The number of customers. Each has one identifier, [`mobile`].
pub const CUSTOMERS: u8 = 3;

/// A time, relative to the drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before the drops: every erasure deletes an event of this time.
    Past,
    /// After the drops: an erasure keeps an event of this time if its file is newer.
    Future,
}

/// The effect of a forget row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Deletes what is stored.
    Erase,
    /// Deletes what is stored and suppresses later imports.
    Suppress,
    /// Admits records and links again.
    Reinstate,
}

/// A row. Its content is its number, which no other row has.
#[derive(Clone, Debug)]
pub enum Row {
    /// An event. Each customer has two for each time. It may have been moved from the other time.
    Event {
        /// The customer.
        customer: u8,
        /// The natural id.
        name: u8,
        /// The time of the event.
        at: When,
        /// Whether it replaces an event at the other time.
        moved: bool,
    },
    /// A customer record, with an optional `updated_at`.
    Record {
        /// The customer.
        customer: u8,
        /// The value of `updated_at`.
        updated: Option<When>,
    },
    /// An identity link, or its removal.
    Link {
        /// One end.
        a: u8,
        /// The other end.
        b: u8,
        /// Whether the link is live.
        live: bool,
    },
    /// A forget row.
    Forget {
        /// The customer.
        customer: u8,
        /// The effect.
        kind: Forget,
    },
    /// A row that is rejected.
    Broken,
}

/// A dropped file and the fate of its event.
#[derive(Clone, Debug)]
pub struct Drop {
    /// The number of its key. Later drops overwrite earlier ones with the same key.
    pub key: u8,
    /// The rows.
    pub rows: Vec<Row>,
    /// The number of deliveries of its event; 0 means that the event is lost.
    pub copies: u8,
    /// Whether the version is deleted at some time.
    pub deleted: bool,
}

/// The content of a customer's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The customers that the profile contains.
    pub customers: BTreeSet<u8>,
    /// The number of the record row of each customer.
    pub records: BTreeMap<u8, u64>,
    /// The number of the row of each event.
    pub events: BTreeMap<(When, u8), u64>,
}

/// Returns the identifier of a customer.
#[must_use]
pub fn mobile(customer: u8) -> String {
    format!("6140000000{customer}")
}

/// Returns the number of a row from the positions of its drop and of itself.
const fn row_number(drop: usize, row: usize) -> u64 {
    (drop * 100 + row) as u64
}

/// Returns random drops in the order of their creation. They contain no reinstatements: a file newer than a reinstatement but
/// imported before it depends on the order of events, which a random schedule does not specify.
pub fn drops(random: &mut impl Rng) -> Vec<Drop> {
    let forgets = random.random_bool(0.5);
    (0..random.random_range(2..6))
        .map(|_| Drop {
            key: random.random_range(0..3),
            rows: (0..random.random_range(1..5))
                .map(|_| row(random, forgets))
                .collect(),
            copies: [0, 1, 1, 1, 2, 3][random.random_range(0..6)],
            deleted: random.random_bool(0.15),
        })
        .collect()
}

fn row(random: &mut impl Rng, forgets: bool) -> Row {
    let customer = random.random_range(0..CUSTOMERS);
    match random.random_range(0..10) {
        0..5 => Row::Event {
            customer,
            name: random.random_range(0..2),
            at: [When::Past, When::Future][random.random_range(0..2)],
            moved: random.random_bool(0.25),
        },
        5..7 => Row::Record {
            customer,
            updated: [None, Some(When::Past), Some(When::Future)][random.random_range(0..3)],
        },
        7 => Row::Link {
            a: customer,
            b: (customer + random.random_range(1..CUSTOMERS)) % CUSTOMERS,
            live: random.random_bool(0.75),
        },
        8 if forgets => Row::Forget {
            customer,
            kind: if random.random_bool(0.2) {
                Forget::Suppress
            } else {
                Forget::Erase
            },
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
    /// Returns the file at this position among the drops. `past` and `future` are times in the notation of files.
    #[must_use]
    pub fn file(&self, place: usize, past: &str, future: &str) -> String {
        let moment = |when| match when {
            When::Past => past,
            When::Future => future,
        };
        let link = |customer| json!({"mobile": mobile(customer)});
        let line = |(at, row): (usize, &Row)| {
            let row_number = row_number(place, at);
            let row = match row {
                Row::Event {
                    customer,
                    name,
                    at,
                    moved,
                } => {
                    let mut row = json!({
                        "record_type": "email_send", "link": link(*customer), "action_at": moment(*at),
                        "email_id": name.to_string(), "subject": row_number.to_string(),
                    });
                    if *moved {
                        row["replaces_action_at"] = json!(moment(other(*at)));
                    }
                    row
                }
                Row::Record { customer, updated } => {
                    let mut row = json!({
                        "record_type": "customer_record", "link": link(*customer),
                        "custom_fields": {format!("of_{customer}"): row_number.to_string()},
                    });
                    if let Some(updated) = updated {
                        row["updated_at"] = json!(moment(*updated));
                    }
                    row
                }
                Row::Link { a, b, live } => {
                    json!({"record_type": "unify", "records": [link(*a), link(*b)], "unlink": !live})
                }
                Row::Forget { customer, kind } => {
                    let mut row = json!({"record_type": "forget", "link": link(*customer)});
                    match kind {
                        Forget::Erase => {}
                        Forget::Suppress => row["suppress"] = json!(true),
                        Forget::Reinstate => row["reinstate"] = json!(true),
                    }
                    row
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

/// The effects of the forget rows of some drops.
#[derive(Clone, Debug, Default)]
struct Forgotten {
    /// The newest erasure of each customer.
    erased: BTreeMap<u8, u64>,
    suppressed: BTreeSet<u8>,
    reinstated: BTreeSet<(u8, u64)>,
}

impl Forgotten {
    /// Collects the forget rows of the drops at these positions.
    fn of(drops: &[Drop], places: impl IntoIterator<Item = usize>) -> Self {
        let mut forgotten = Self::default();
        for place in places {
            for (number, row) in drops[place].rows.iter().enumerate() {
                let Row::Forget { customer, kind } = *row else {
                    continue;
                };
                let row_number = row_number(place, number);
                if kind == Forget::Reinstate {
                    forgotten.reinstated.insert((customer, row_number));
                    continue;
                }
                let erased = forgotten.erased.entry(customer).or_default();
                *erased = row_number.max(*erased);
                if kind == Forget::Suppress {
                    forgotten.suppressed.insert(customer);
                }
            }
        }
        forgotten
    }

    /// Returns whether row `row_number` about a customer is erased. `at` is the time of an event.
    fn erases(&self, customer: u8, row_number: u64, at: Option<When>) -> bool {
        if self.suppressed.contains(&customer) {
            return true;
        }
        let Some(erased) = self.erased.get(&customer) else {
            return false;
        };
        row_number <= *erased
            || match at {
                Some(at) => at == When::Past,
                None => !(*erased + 1..row_number)
                    .any(|reinstated| self.reinstated.contains(&(customer, reinstated))),
            }
    }
}

/// The rows of records and links that are stored: those that are not erased. If the order of events is known, they must also not
/// have been erased at any time since their own event. A file newer than a reinstatement but imported before it is suppressed:
/// the one case in which the order of events matters.
struct Stored<'a> {
    drops: &'a [Drop],
    imported: &'a BTreeSet<usize>,
    order: Option<&'a [usize]>,
}

impl Stored<'_> {
    fn holds(&self, place: usize, number: usize, customers: &[u8]) -> bool {
        let is_kept = |forgotten: &Forgotten| {
            let row_number = row_number(place, number);
            !customers
                .iter()
                .any(|customer| forgotten.erases(*customer, row_number, None))
        };
        if !is_kept(&Forgotten::of(self.drops, self.imported.iter().copied())) {
            return false;
        }
        let Some(order) = self.order else {
            return true;
        };
        let Some(first) = order.iter().position(|delivered| *delivered == place) else {
            return false;
        };
        (first..=order.len())
            .all(|until| is_kept(&Forgotten::of(self.drops, order[..until].iter().copied())))
    }
}

/// Returns the profiles of all customers after exactly these drops were imported; `None` for a customer without one. `order`
/// lists the drops in the order of their events, if these were delivered one after another.
#[must_use]
pub fn profiles(
    drops: &[Drop],
    imported: &BTreeSet<usize>,
    order: Option<&[usize]>,
) -> Vec<Option<Profile>> {
    // A later row replaces an earlier one. Drops and rows are in the order of their creation.
    let mut events = BTreeMap::new();
    let mut records = BTreeMap::new();
    let mut links = BTreeMap::new();
    let stored = Stored {
        drops,
        imported,
        order,
    };
    for place in imported.iter().copied() {
        for (number, row) in drops[place].rows.iter().enumerate() {
            let row_number = row_number(place, number);
            match *row {
                Row::Event {
                    customer,
                    name,
                    at,
                    moved,
                } => {
                    events.insert((customer, at, name), (row_number, true));
                    if moved {
                        events.insert((customer, other(at), name), (row_number, false));
                    }
                }
                Row::Record { customer, .. } if stored.holds(place, number, &[customer]) => {
                    records.insert(customer, row_number);
                }
                Row::Link { a, b, live } if stored.holds(place, number, &[a, b]) => {
                    links.insert((a.min(b), a.max(b)), live);
                }
                Row::Record { .. } | Row::Link { .. } | Row::Forget { .. } | Row::Broken => {}
            }
        }
    }
    let forgotten = Forgotten::of(drops, imported.iter().copied());
    events.retain(|(customer, at, _), (row_number, _)| {
        !forgotten.erases(*customer, *row_number, Some(*at))
    });

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
            // Events of several customers with the same source and id are one event. The newest row wins.
            let mut newest: BTreeMap<_, (u64, bool)> = BTreeMap::new();
            for ((_, at, name), row) in events.iter().filter(|((customer, ..), _)| has(customer)) {
                let held = newest.entry((*at, *name)).or_insert(*row);
                *held = (*held).max(*row);
            }
            something.then(|| Profile {
                records: records
                    .iter()
                    .filter(|(customer, _)| has(customer))
                    .map(|(customer, row_number)| (*customer, *row_number))
                    .collect(),
                events: newest
                    .into_iter()
                    .filter(|(_, (_, stands))| *stands)
                    .map(|(key, (row_number, _))| (key, row_number))
                    .collect(),
                customers: customers.clone(),
            })
        })
        .collect()
}

/// Returns the content of a profile document. `past` is the time of [`When::Past`] in the notation of documents; `ids` are the
/// ids of the customers' identities.
///
/// # Panics
/// The document is not a profile.
#[must_use]
pub fn shown(document: &Value, past: &str, ids: &[String]) -> Profile {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let row_number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
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
            row_number(&attribute["value"]).expect("a number"),
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
        let row_number = row_number(&data["subject"]).expect("a number");
        ((when, name.expect("a name")), row_number)
    });
    Profile {
        customers: customers.collect(),
        records: records.collect(),
        events: events.collect(),
    }
}
