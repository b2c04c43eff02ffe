//! The habits of a customer: how often they buy, open emails and write messages.

use rand::{Rng, RngExt as _};

use crate::clock::DAYS;

/// The habits of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habits {
    /// The day of the customer's first event, counted from 0.
    pub(crate) joined: i64,
    /// The day of the last possible order.
    pub(crate) last_active: i64,
    /// The number of orders.
    pub(crate) orders: u32,
    /// The percentage of emails that the customer opens.
    pub(crate) opens: u32,
    /// Whether the sources know a mobile number.
    pub(crate) has_mobile: bool,
    /// Whether the customer writes messages.
    pub(crate) writes: bool,
}

impl Habits {
    /// Generates habits. They depend on the last digit of the index, so that ten customers cover all kinds.
    pub(crate) fn new(index: u32, random: &mut impl Rng) -> Self {
        let orders = match index % 10 {
            0 => random.random_range(12..26),
            1 | 3 | 5 | 8 => random.random_range(2..8),
            2 | 6 | 9 => 1,
            4 => random.random_range(3..6),
            _ => 0,
        };
        let joined = match index % 10 {
            0 => random.random_range(0..60),
            _ => random.random_range(0..DAYS - 120),
        };
        let last_active = match index % 10 {
            // These customers stop ordering early.
            4 | 6 => joined + 60,
            _ => DAYS - random.random_range(1..90),
        };
        Self {
            joined,
            last_active,
            orders,
            opens: random.random_range(5..80),
            has_mobile: index.is_multiple_of(2),
            writes: index.is_multiple_of(3) || index.is_multiple_of(10),
        }
    }
}
