//! Tests that JSON has the same result, wherever byte ranges are cut and invocations end or die: several values on a line, several
//! arrays, sequences, and UTF-16.

use super::*;

const VALUES: Dropped = Dropped {
    key: "drop/email_open/mail/values.ndjson",
    bytes: || values().into_bytes(),
};

/// Files that are not divided into byte ranges. Each invocation reads them from the start, so they must be short.
const WHOLE: [Dropped; 3] = [
    Dropped {
        key: "drop/email_open/mail/sequence.json",
        bytes: sequence,
    },
    Dropped {
        key: "drop/email_open/mail/arrays.json",
        bytes: arrays,
    },
    Dropped {
        key: "drop/email_open/mail/utf16.ndjson",
        bytes: utf16,
    },
];
/// The number of valid values in each of them.
const WHOLE_VALUES: usize = 28;

fn value(number: usize) -> String {
    format!(
        r#"{{"link":{{"mobile":"555000{}"}},"action_at":"2026-01-01T00:{:02}:{:02}Z","email_id":"{number}","note":"{}"}}"#,
        number % 3,
        number / 60,
        number % 60,
        "}{ ".repeat(number % 5 * 9),
    )
}

/// Returns values over several lines, with record separators and byte order marks. A quote is missing in one.
fn sequence() -> Vec<u8> {
    let mut text = String::new();
    for number in 0..WHOLE_VALUES {
        text += ["\u{feff}\u{1e}", "\n", ""][number % 3];
        text += &value(number).replace(",\"", ",\n\"");
        if number == 11 {
            text += "{\"link\":\n\"x}";
        }
    }
    text.into_bytes()
}

/// Returns an envelope and two arrays, one after another. A value is broken.
fn arrays() -> Vec<u8> {
    let list = |range: std::ops::Range<usize>| range.map(value).collect::<Vec<_>>().join(",\n");
    let (first, second, third) = (list(0..10), list(10..20), list(20..WHOLE_VALUES));
    format!("{{\"records\":[{first}],\"more\":\"]}}\"}} [{second}]\n[{{\"link\":}},{third}]")
        .into_bytes()
}

/// Returns lines in UTF-16 with a character of two units. A value contains half of one.
fn utf16() -> Vec<u8> {
    let mut units: Vec<_> = "\u{feff}".encode_utf16().collect();
    for number in 0..WHOLE_VALUES {
        let value = value(number).replace("}{ ", "");
        let value = value.replace(r#""action_at":"#, "\"\u{1f600}\":1,\"action_at\":");
        let value = value.replace(r#","note":"""#, "");
        units.extend(format!("{value}\r\n").encode_utf16());
        if number == 11 {
            units.extend("{\"link\":{\"customer_id\":\"".encode_utf16());
            units.push(0xd83d);
            units.extend("\"}}\n".encode_utf16());
        }
    }
    units.into_iter().flat_map(u16::to_be_bytes).collect()
}

/// Returns lines with one or more values, side by side or with record separators between them. Some are broken or damaged.
fn values() -> String {
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

/// Returns the result that every schedule of a file must have.
fn expected_of(file: Dropped) -> Outcome {
    let (outcome, effort) = clock().block_on(play(file, 0, ONE_RANGE, 1, Deaths::default()));
    let report = &outcome.report;
    assert_eq!(report["status"], "completed", "{file:?}: {report}");
    assert_eq!(report["written"], WHOLE_VALUES, "{file:?}: {report}");
    assert_eq!(report["rejected"], 1, "{file:?}: {report}");
    assert!(
        effort.runs > 1,
        "{file:?}: the deadline comes before the end: {effort:?}"
    );
    outcome
}

#[test]
fn other_files_survive_death_at_any_request() {
    for file in WHOLE {
        let expected = expected_of(file);
        let play = |deaths| clock().block_on(play(file, 1, ONE_RANGE, 1, deaths));
        let (outcome, whole) = play(Deaths::default());
        assert_eq!(outcome, expected, "{file:?}");
        for number in (0..whole.requests).step_by(number("SIMULATION_STRIDE", 31) as usize) {
            let deaths = Deaths {
                after: [number].into(),
                ..Deaths::default()
            };
            let (outcome, effort) = play(deaths);
            assert_eq!(outcome, expected, "{file:?} {number}");
            assert!(effort.deaths > 0, "{file:?} {number}");
        }
    }
}

#[test]
fn other_files_survive_many_deaths_in_any_order() {
    for file in WHOLE {
        let expected = expected_of(file);
        let first = number("SIMULATION_SEED", 0);
        for seed in first..first + number("SIMULATIONS", 2) {
            let mut random = ChaCha8Rng::seed_from_u64(!seed);
            let copies = random.random_range(1..4);
            let share = [0.0, 0.01, 0.05][random.random_range(0..3)];
            let mut some = || (0..400).filter(|_| random.random_bool(share)).collect();
            let deaths = Deaths {
                before: some(),
                after: some(),
            };
            let (outcome, effort) = clock().block_on(play(file, seed, ONE_RANGE, copies, deaths));
            assert_eq!(outcome, expected, "{file:?}, seed {seed}: {effort:?}");
        }
    }
}
