//! Tests that NDJSON with several values on a line has the same result, wherever byte ranges are cut and invocations end or die.

use super::*;

const VALUES: Dropped = Dropped {
    key: "drop/email_open/mail/values.ndjson",
    text: values,
};

/// Returns lines with one or more values, side by side or with record separators between them. Some are broken or damaged.
fn values() -> String {
    let value = |number: usize| {
        format!(
            r#"{{"link":{{"mobile":"555000{}"}},"action_at":"2026-01-01T00:{:02}:{:02}Z","email_id":"{number}","note":"{}"}}"#,
            number % 3,
            number / 60,
            number % 60,
            "}{ ".repeat(number % 5 * 9),
        )
    };
    let mut text = String::new();
    for number in 0..120 {
        let separator = match number % 6 {
            0 => "\n",
            1 => "",
            2 => "\u{1e}",
            3 => " ",
            4 => "\n\u{feff}\u{1e}",
            _ => "\r\n\r\n",
        };
        text += &value(number);
        match number {
            // A broken value between two others on a line.
            7 => text += r#"{"link":}"#,
            // Half a surrogate pair, and a value that is not a number.
            13 => {
                text += r#"{"link":{"mobile":"5550001"},"action_at":"2026-01-02","email_id":"s","note":"\ud83d","n":NaN}"#
            }
            19 => text += "\n[1]\n",
            _ => {}
        }
        text += separator;
    }
    text
}

/// Returns the result that every schedule must have.
fn expected() -> Outcome {
    let (outcome, effort) = clock().block_on(play(VALUES, 0, ONE_RANGE, 1, Deaths::default()));
    let report = &outcome.report;
    assert_eq!(report["read"], 123, "{report}");
    assert_eq!(report["rejected"], 2, "{report}");
    let codes: Vec<_> = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["code"])
        .collect();
    assert_eq!(codes, ["replaced_characters", "not_a_number"], "{report}");
    assert!(
        effort.runs > 1,
        "the deadline comes before the end: {effort:?}"
    );
    outcome
}

/// The sizes of ranges: cuts are between values, inside them and inside strings.
const RANGES: [u64; 3] = [ONE_RANGE, 3_000, 1_009];

#[test]
fn values_survive_death_at_any_request() {
    let expected = expected();
    for chunk_bytes in RANGES {
        let play = |deaths| clock().block_on(play(VALUES, 1, chunk_bytes, 1, deaths));
        let (outcome, whole) = play(Deaths::default());
        assert_eq!(outcome, expected, "{chunk_bytes}");
        for number in (0..whole.requests).step_by(number("SIMULATION_STRIDE", 97) as usize) {
            let deaths = Deaths {
                after: [number].into(),
                ..Deaths::default()
            };
            let (outcome, effort) = play(deaths);
            assert_eq!(outcome, expected, "{chunk_bytes} {number}");
            assert!(effort.deaths > 0, "{chunk_bytes} {number}");
        }
    }
}

#[test]
fn values_survive_many_deaths_in_any_order() {
    let expected = expected();
    let first = number("SIMULATION_SEED", 0);
    for seed in first..first + number("SIMULATIONS", 4) {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let chunk_bytes = RANGES[random.random_range(0..RANGES.len())];
        let copies = random.random_range(1..4);
        let share = [0.0, 0.01, 0.05][random.random_range(0..3)];
        let mut some = || (0..400).filter(|_| random.random_bool(share)).collect();
        let deaths = Deaths {
            before: some(),
            after: some(),
        };
        let (outcome, effort) = clock().block_on(play(VALUES, seed, chunk_bytes, copies, deaths));
        assert_eq!(outcome, expected, "seed {seed}: {effort:?}");
    }
}
