//! Tests that a CSV file with orders over several rows has the same result, wherever invocations end or die.

use rust_decimal::Decimal;

use super::*;

const ORDERS: Dropped = Dropped {
    key: "drop/purchase/pos/orders.csv",
    bytes: || orders().into_bytes(),
};
const HEADER: &str = "link.mobile,action_at,type,purchase_id,products[0].product_reference.id,products[0].quantity,products[0].price_paid,\
    custom_fields.gift_message";
const BLANK: &str = ",,,,,,,";
const PRICE: u32 = 7;

/// Returns the row of an order's line.
fn line(order: usize, line: usize) -> String {
    let mobile = order % 3;
    format!(
        "555000{mobile},2026-01-01T00:00:{order:02}Z,physical,{order},P-{line},1,{PRICE},\"For you,\n{}\"",
        "Happy birthday! ".repeat(3)
    )
}

/// Returns a file of orders with one to four lines. Among the rows are blank rows, repeated headers, rows that cannot be read, and
/// identical rows.
fn orders() -> String {
    let mut rows = vec![String::new(), HEADER.to_owned()];
    for order in 0..16 {
        for number in 0..=order % 4 {
            rows.push(line(order, number));
            match (order, number) {
                (2, 0) | (7, 2) => rows.push(BLANK.to_owned()),
                (3, 1) => rows.push(format!("\u{feff}{HEADER}")),
                // Twice the same row.
                (5, 1) => rows.push(line(order, number)),
                // Within an order.
                (6, 1) => rows.push("5550000,\"2026".to_owned()),
                // Behind an order.
                (9, 1) | (12, 0) => rows.push("\"stray".to_owned()),
                _ => {}
            }
        }
    }
    rows.extend([BLANK.to_owned(), BLANK.to_owned()]);
    rows.join("\r\n")
}

/// Returns what was spent and the number of lines, of all orders in the table.
fn spent(outcome: &Outcome) -> (Decimal, usize) {
    let mut sum = (Decimal::ZERO, 0);
    for item in outcome.items.values() {
        let lines = item["data"]["M"]["products"]["L"].as_array();
        for line in lines.into_iter().flatten() {
            let price = line["M"]["price_paid"]["N"].as_str().unwrap();
            sum = (sum.0 + price.parse::<Decimal>().unwrap(), sum.1 + 1);
        }
    }
    sum
}

/// Returns the result that every schedule must have.
fn expected() -> Outcome {
    let (outcome, effort) = clock().block_on(play(ORDERS, 0, ONE_RANGE, 1, Deaths::default()));
    // Order 6 has three lines and a row that cannot be read between them.
    let lines = 16 / 4 * (1 + 2 + 3 + 4) - 3;
    assert_eq!(
        spent(&outcome),
        (Decimal::from(PRICE) * Decimal::from(lines), lines)
    );
    let report = &outcome.report;
    assert_eq!(report["read"], lines + 1 + 4 + 2, "{report}");
    assert_eq!(report["rejected"], 4 + 2, "{report}");
    assert_eq!(report["rows"]["skipped"], 5, "{report}");
    assert!(
        effort.runs > 1,
        "the deadline comes before the end: {effort:?}"
    );
    outcome
}

#[test]
fn orders_survive_death_at_any_request() {
    let expected = expected();
    for copies in [1, 2] {
        let play = |deaths| clock().block_on(play(ORDERS, 1, ONE_RANGE, copies, deaths));
        let (outcome, whole) = play(Deaths::default());
        assert_eq!(outcome, expected, "{copies}");
        for number in (0..whole.requests).step_by(number("SIMULATION_STRIDE", 23) as usize) {
            for is_before in [true, false] {
                let mut deaths = Deaths::default();
                let requests = if is_before {
                    &mut deaths.before
                } else {
                    &mut deaths.after
                };
                requests.insert(number);
                let (outcome, effort) = play(deaths.clone());
                assert_eq!(outcome, expected, "{copies} {deaths:?}");
                assert!(effort.deaths > 0, "{copies} {deaths:?}");
            }
        }
    }
}

#[test]
fn orders_survive_many_deaths_in_any_order() {
    let expected = expected();
    let first = number("SIMULATION_SEED", 0);
    for seed in first..first + number("SIMULATIONS", 8) {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let copies = random.random_range(1..4);
        let share = [0.0, 0.01, 0.05, 0.2][random.random_range(0..4)];
        let mut some = || (0..400).filter(|_| random.random_bool(share)).collect();
        let deaths = Deaths {
            before: some(),
            after: some(),
        };
        let (outcome, effort) = clock().block_on(play(ORDERS, seed, ONE_RANGE, copies, deaths));
        assert_eq!(outcome, expected, "seed {seed}: {effort:?}");
    }
}

/// Returns a file with two short orders around one with many lines, of which one cannot be read.
fn broken_order() -> String {
    let row =
        |order: u32, line: u32| format!("5550001,2026-01-01,physical,{order},P-{line},1,{PRICE},");
    let mut rows = vec![HEADER.to_owned(), row(1, 0)];
    rows.extend((0..30).map(|line| row(2, line)));
    rows.extend(["\"stray".to_owned(), row(2, 30), row(3, 0)]);
    rows.join("\n")
}

#[test]
fn rows_of_rejected_order_are_read() {
    let file = Dropped {
        key: ORDERS.key,
        bytes: || broken_order().into_bytes(),
    };
    let (outcome, _) = clock().block_on(play(file, 0, ONE_RANGE, 1, Deaths::default()));
    let report = &outcome.report;
    let counts = ["read", "written", "rejected", "unread"].map(|name| report[name].as_u64());
    assert_eq!(counts, [34, 2, 32, 0].map(Some), "{report}");
    assert_eq!(outcome.rejects.len(), 1);
    let reject: Value = serde_json::from_str(outcome.rejects.first().unwrap()).unwrap();
    let given_back = reject["record"].as_str().unwrap();
    assert_eq!(given_back.lines().count(), 32);
    assert!(broken_order().contains(given_back));
}
