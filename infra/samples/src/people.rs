//! Generates invented customers. Their email domains and telephone ranges are reserved for examples and fiction.

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

const FIRST_NAMES: [&str; 60] = [
    "Amara",
    "Jonas",
    "Mei",
    "Tomás",
    "Priya",
    "Oluwaseun",
    "Freya",
    "Mateo",
    "Aisha",
    "Liam",
    "Noor",
    "Yuki",
    "Elena",
    "Kwame",
    "Sofia",
    "Arjun",
    "Hana",
    "Luca",
    "Zara",
    "Emil",
    "Ngozi",
    "Callum",
    "Leila",
    "Hugo",
    "Mina",
    "Oscar",
    "Thandi",
    "Rafael",
    "Ingrid",
    "Samir",
    "Chloe",
    "Dmitri",
    "Anya",
    "Kofi",
    "Maeve",
    "Ravi",
    "Lucía",
    "Anders",
    "Fatima",
    "Noah",
    "Keiko",
    "Pablo",
    "Greta",
    "Tariq",
    "Imogen",
    "Bilal",
    "Camille",
    "Tane",
    "Marisol",
    "Felix",
    "Adaeze",
    "Henrik",
    "Siobhan",
    "Minh",
    "Paloma",
    "Yusuf",
    "Clara",
    "Ewan",
    "Indira",
    "Matthias",
];
const LAST_NAMES: [&str; 60] = [
    "Okafor",
    "Lindqvist",
    "Tanaka",
    "Fernández",
    "Sharma",
    "Walsh",
    "Haddad",
    "Novak",
    "Mensah",
    "Rossi",
    "Nguyen",
    "Byrne",
    "Kowalski",
    "Silva",
    "Andersen",
    "Khan",
    "Dubois",
    "Moretti",
    "Adeyemi",
    "Fischer",
    "Patel",
    "Murphy",
    "Sato",
    "Costa",
    "Popov",
    "Ngata",
    "Herrera",
    "Larsen",
    "Rahman",
    "Thompson",
    "Iyer",
    "Baptiste",
    "Suzuki",
    "Keller",
    "Abara",
    "Doyle",
    "Marín",
    "Bergström",
    "Chaudhry",
    "Tremblay",
    "Osei",
    "Vargas",
    "Nakamura",
    "Petrov",
    "Hughes",
    "Amadi",
    "Ferreira",
    "Jansen",
    "Kaur",
    "O'Brien",
    "Weiss",
    "Mokoena",
    "Santos",
    "Yamamoto",
    "Bianchi",
    "Reid",
    "Farouk",
    "Olsen",
    "Gupta",
    "Quinn",
];

/// The place where a customer lives, with its currency.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) country: &'static str,
    pub(crate) state: &'static str,
    pub(crate) city: &'static str,
    pub(crate) postcode: &'static str,
    pub(crate) currency: &'static str,
    /// The country code and a number range that is reserved for fiction.
    mobile: &'static str,
    /// The latitude and longitude of the local shop, in degrees.
    pub(crate) coordinate: (f64, f64),
}

const PLACES: [Place; 6] = [
    Place {
        country: "Australia",
        state: "Victoria",
        city: "Melbourne",
        postcode: "3000",
        currency: "AUD",
        mobile: "61491570",
        coordinate: (-37.81, 144.96),
    },
    Place {
        country: "Australia",
        state: "New South Wales",
        city: "Sydney",
        postcode: "2000",
        currency: "AUD",
        mobile: "61491571",
        coordinate: (-33.87, 151.21),
    },
    Place {
        country: "Australia",
        state: "Queensland",
        city: "Brisbane",
        postcode: "4000",
        currency: "AUD",
        mobile: "61491572",
        coordinate: (-27.47, 153.03),
    },
    Place {
        country: "New Zealand",
        state: "Auckland",
        city: "Auckland",
        postcode: "1010",
        currency: "NZD",
        mobile: "64200555",
        coordinate: (-36.85, 174.76),
    },
    Place {
        country: "United Kingdom",
        state: "England",
        city: "Leeds",
        postcode: "LS1 1AA",
        currency: "GBP",
        mobile: "447700900",
        coordinate: (53.8, -1.55),
    },
    Place {
        country: "United States",
        state: "Oregon",
        city: "Portland",
        postcode: "97201",
        currency: "USD",
        mobile: "15035550",
        coordinate: (45.52, -122.68),
    },
];
const STREETS: [&str; 8] = [
    "Banksia Street",
    "Harbour Road",
    "Mill Lane",
    "Fern Grove",
    "Station Parade",
    "Wattle Avenue",
    "Orchard Close",
    "Tern Walk",
];

/// A customer.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) index: u32,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) email: String,
    pub(crate) mobile: String,
    pub(crate) customer_id: String,
    pub(crate) place: &'static Place,
    pub(crate) address: String,
    pub(crate) birth: String,
}

impl Person {
    pub(crate) fn new(index: u32, random: &mut impl Rng) -> Self {
        let first = FIRST_NAMES
            .choose(random)
            .copied()
            .unwrap_or(FIRST_NAMES[0]);
        let last = LAST_NAMES.choose(random).copied().unwrap_or(LAST_NAMES[0]);
        let place = PLACES.choose(random).unwrap_or(&PLACES[0]);
        let domain = ["example.com", "example.org", "example.net"][index as usize % 3];
        Self {
            index,
            first,
            last,
            // The index makes addresses and numbers unique.
            email: format!("{}.{}.{index}@{domain}", ascii(first), ascii(last)),
            mobile: format!("{}{index:03}", place.mobile),
            customer_id: format!("C{:06}", 100_000 + index),
            place,
            address: format!(
                "{} {}",
                random.random_range(1..140),
                STREETS.choose(random).unwrap_or(&STREETS[0])
            ),
            birth: format!(
                "{}-{:02}-{:02}",
                random.random_range(1948..2007),
                random.random_range(1..13),
                random.random_range(1..29)
            ),
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// Returns the customer's identifier in the POS.
    pub(crate) fn pos_link(&self) -> Value {
        json!({"customer_id": self.customer_id, "system_name": "pos"})
    }

    /// Returns the customer's identifier on the service desk's social channels.
    pub(crate) fn social_link(&self) -> Value {
        json!({"external_id": format!("u{:07}", 4_000_000 + self.index), "system_name": "desk"})
    }

    pub(crate) fn handle(&self) -> String {
        format!("{}{}", ascii(self.first), self.index)
    }
}

/// Converts a name to letters that are valid in an email address.
fn ascii(name: &str) -> String {
    let letter = |c: char| match c {
        'á' => 'a',
        'í' => 'i',
        'ö' => 'o',
        c => c.to_ascii_lowercase(),
    };
    name.chars()
        .map(letter)
        .filter(char::is_ascii_lowercase)
        .collect()
}
