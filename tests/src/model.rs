//! A small model of the result of dropped files, for random schedules: the newest row of a key wins, and erased customers are
//! gone. It knows nothing of how ingest works: no table, no versions' bytes, no invocations.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

/// How many customers there are; each has one identifier, [`mobile`].
pub const CUSTOMERS: u8 = 3;

/// When something happened, seen from the moment of all drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before: every erasure deletes an event of this time.
    Past,
    /// After: an erasure keeps an event of this time, if its file is newer.
    Future,
}

/// What a forget row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Deletes what is stored.
    Erase,
    /// Deletes what is stored and keeps out what is imported later.
    Suppress,
    /// Lets records and links in again.
    Reinstate,
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
    /// A forget row.
    Forget {
        /// Whose.
        customer: u8,
        /// What it does.
        kind: Forget,
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

/// Draws a few drops, in the order of their creation. There are no reinstatements among them: what a file that is imported before
/// the reinstatement that it needs leaves depends on the order of events, which a random schedule does not tell.
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

/// What the forget rows of some drops say.
#[derive(Clone, Debug, Default)]
struct Forgotten {
    /// The newest erasure of each customer.
    erased: BTreeMap<u8, u64>,
    suppressed: BTreeSet<u8>,
    reinstated: BTreeSet<(u8, u64)>,
}

impl Forgotten {
    /// Of the drops of these places.
    fn of(drops: &[Drop], places: impl IntoIterator<Item = usize>) -> Self {
        let mut forgotten = Self::default();
        for place in places {
            for (number, row) in drops[place].rows.iter().enumerate() {
                let Row::Forget { customer, kind } = *row else {
                    continue;
                };
                let said = said(place, number);
                if kind == Forget::Reinstate {
                    forgotten.reinstated.insert((customer, said));
                    continue;
                }
                let erased = forgotten.erased.entry(customer).or_default();
                *erased = said.max(*erased);
                if kind == Forget::Suppress {
                    forgotten.suppressed.insert(customer);
                }
            }
        }
        forgotten
    }

    /// Whether what row `said` states about a customer is erased; `at` is the time of an event.
    fn erases(&self, customer: u8, said: u64, at: Option<When>) -> bool {
        if self.suppressed.contains(&customer) {
            return true;
        }
        let Some(erased) = self.erased.get(&customer) else {
            return false;
        };
        said <= *erased
            || match at {
                Some(at) => at == When::Past,
                None => !(*erased + 1..said)
                    .any(|reinstated| self.reinstated.contains(&(customer, reinstated))),
            }
    }
}

/// Which rows about records and links are stored: those that are not erased and, if the order of the events is known, have not
/// been since their own event. A file that is newer than a reinstatement, but was imported before it, is kept out: the one
/// exception to the rule that the order of events does not matter.
struct Stored<'a> {
    drops: &'a [Drop],
    imported: &'a BTreeSet<usize>,
    order: Option<&'a [usize]>,
}

impl Stored<'_> {
    fn holds(&self, place: usize, number: usize, customers: &[u8]) -> bool {
        let is_kept = |forgotten: &Forgotten| {
            let said = said(place, number);
            !customers
                .iter()
                .any(|customer| forgotten.erases(*customer, said, None))
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

/// The profiles of all customers after the drops of these places, and no others, were imported; `None` for a customer without
/// one. `order` lists the drops in the order of their events, if these were delivered one after another.
#[must_use]
pub fn profiles(
    drops: &[Drop],
    imported: &BTreeSet<usize>,
    order: Option<&[usize]>,
) -> Vec<Option<Profile>> {
    // A later row replaces an earlier one: drops and rows are in the order of their creation.
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
                Row::Record { customer, .. } if stored.holds(place, number, &[customer]) => {
                    records.insert(customer, said);
                }
                Row::Link { a, b, live } if stored.holds(place, number, &[a, b]) => {
                    links.insert((a.min(b), a.max(b)), live);
                }
                Row::Record { .. } | Row::Link { .. } | Row::Forget { .. } | Row::Broken => {}
            }
        }
    }
    let forgotten = Forgotten::of(drops, imported.iter().copied());
    events.retain(|(customer, at, _), (said, _)| !forgotten.erases(*customer, *said, Some(*at)));

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
                    .map(|(customer, said)| (*customer, *said))
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
