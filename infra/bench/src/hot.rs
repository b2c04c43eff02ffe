//! Measures imports with a hot key: the table grants write units to each partition key, as DynamoDB does.

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use shared::model::{identifier::Identifier, identity::IdentityKey};
use tests::faults::Faults;

use crate::{
    Failure, build,
    function::Program,
    ingest::import,
    report::{Report, rounded},
    rows,
    services::Services,
};

/// The rows of each file.
const ROWS: u64 = 20_000;
/// Write units per second that the table grants in all.
const UNITS: u32 = 2_000;
/// Write units per second that it grants to each partition key of the table and of its indexes. DynamoDB grants 1,000.
const UNITS_OF_KEY: u32 = 200;
/// The target for rows of other keys: their rate, as a share of the rate without a hot key.
const FREE_SHARE: f64 = 0.9;

/// The order of rows in a file.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Shuffled,
    /// The hot rows are consecutive, in the middle of the file.
    Sorted,
    /// The hot rows are consecutive, at the start of the file.
    HotFirst,
}

impl Order {
    const fn name(self) -> &'static str {
        match self {
            Self::Shuffled => "shuffled",
            Self::Sorted => "sorted by customer",
            Self::HotFirst => "the hot rows first",
        }
    }
}

/// The property that the hot rows share.
#[derive(Clone, Copy, PartialEq)]
enum Shared {
    /// The customer: the rows are emails to one address.
    Customer,
    /// The name of different customers. Their index entries are in all shards of the name.
    Name,
    /// The name of different customers. Their index entries are in one shard of the name.
    Shard,
}

/// A file to import.
#[derive(Clone, Copy)]
struct File {
    shared: Shared,
    /// The number of hot rows.
    hot: u64,
    order: Order,
    target: Target,
}

/// The target of a file.
#[derive(Clone, Copy)]
enum Target {
    /// The import takes at most this many times the ideal time.
    Time(f64),
    /// The rate of the other rows is at least [`FREE_SHARE`] of the rate without a hot key.
    Others,
}

const FILES: [File; 8] = [
    file(Shared::Customer, 30, Order::Shuffled, Target::Time(1.05)),
    file(Shared::Customer, 30, Order::Sorted, Target::Time(1.20)),
    file(Shared::Customer, 5, Order::Shuffled, Target::Others),
    file(Shared::Customer, 5, Order::Sorted, Target::Others),
    file(Shared::Customer, 5, Order::HotFirst, Target::Others),
    file(Shared::Name, 30, Order::Shuffled, Target::Time(1.05)),
    file(Shared::Shard, 30, Order::Shuffled, Target::Time(1.05)),
    file(Shared::Shard, 5, Order::Sorted, Target::Others),
];

const fn file(shared: Shared, percent: u64, order: Order, target: Target) -> File {
    File {
        shared,
        hot: ROWS * percent / 100,
        order,
        target,
    }
}

/// Measures imports with a hot key and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let program = services.program(&build::ci_function("ingest").await?);
    services.table.swallow_statements(true);
    let free = run(&services, &program, "email_send", &free_rows()).await?;
    let ideal = seconds(ROWS, UNITS);
    report.add(
        "no hot key: time, compared with the ideal",
        format!(
            "{:.1} s, ideal {ideal:.1} s: {:.3}×; {:.1} % of statements throttled",
            free.seconds,
            free.seconds / ideal,
            100.0 * free.throttled
        ),
    );
    for file in FILES {
        measure_file(&services, &program, file, free.seconds, &mut report).await?;
    }
    report.note(format!(
        "Each file has {ROWS} rows of one write unit. The fault proxy grants {UNITS} units per second, and {UNITS_OF_KEY} to each partition key of the \
         table and of its indexes. It saves the unused units of at most one second. The ideal time is max((rows - {UNITS}) ÷ {UNITS}, (rows of the \
         hottest key - {UNITS_OF_KEY}) ÷ {UNITS_OF_KEY}) seconds. It does not depend on the order of the rows."
    ));
    Ok(report)
}

/// Returns the seconds that `units` take at a rate of `rate` units per second, if the units of one second are saved at the start.
fn seconds(units: u64, rate: u32) -> f64 {
    units as f64 / f64::from(rate) - 1.0
}

/// Imports a file and reports the result.
async fn measure_file(
    services: &Services,
    program: &Program,
    file: File,
    free_seconds: f64,
    report: &mut Report,
) -> Result<(), Failure> {
    let rows = hot_rows(services, file)?;
    let of_hottest = match file.shared {
        Shared::Customer | Shared::Shard => file.hot,
        Shared::Name => file.hot / u64::from(shared::model::find::SHARDS),
    };
    let (folder, property) = match file.shared {
        Shared::Customer => ("email_send", "of one customer"),
        Shared::Name => ("customer_record", "with one name"),
        Shared::Shard => (
            "customer_record",
            "with one name, all in one shard of its index key",
        ),
    };
    let run = run(services, program, folder, &rows).await?;
    let rows = format!(
        "{} % of the rows {property}, {}",
        100 * file.hot / ROWS,
        file.order.name()
    );
    let throttled = 100.0 * run.throttled;
    match file.target {
        Target::Time(most) => {
            let ideal = seconds(ROWS, UNITS).max(seconds(of_hottest, UNITS_OF_KEY));
            let ratio = run.seconds / ideal;
            report.at_most(
                format!("{rows}: time, compared with the ideal"),
                format!(
                    "{:.1} s, ideal {ideal:.1} s: {ratio:.3}×; {throttled:.1} % throttled",
                    run.seconds
                ),
                ratio,
                most,
            );
        }
        Target::Others => {
            let others = (ROWS - file.hot) as f64 / run.seconds;
            let free = ROWS as f64 / free_seconds;
            let share = others / free;
            report.at_least(
                format!("{rows}: rows per second of other keys, compared with no hot key"),
                format!(
                    "{others:.0} against {free:.0}: {}×; {throttled:.1} % throttled",
                    rounded(share)
                ),
                share,
                FREE_SHARE,
            );
        }
    }
    Ok(())
}

/// The result of an import.
struct Run {
    seconds: f64,
    /// The share of statements that the table throttled.
    throttled: f64,
}

/// Imports rows into a table with limits. Fails if a row was not written.
async fn run(
    services: &Services,
    program: &Program,
    folder: &str,
    rows: &[String],
) -> Result<Run, Failure> {
    let faults = Faults::default()
        .with_write_units(UNITS)
        .with_write_units_per_key(UNITS_OF_KEY);
    services.table.set_faults(faults);
    services.table.reset_counts();
    let key = format!("drop/{folder}/hot/hot.ndjson");
    let run = import(services, program, &key, rows.concat()).await?;
    let counts = services.table.counts();
    let statements = counts
        .get("BatchExecuteStatement")
        .copied()
        .unwrap_or_default();
    let stored = statements.statements - statements.failed_statements;
    if stored != ROWS {
        return Err(format!("{stored} of {ROWS} rows were written").into());
    }
    Ok(Run {
        seconds: run.seconds,
        throttled: statements.failed_statements as f64 / statements.statements as f64,
    })
}

/// Returns the rows of the file without a hot key.
fn free_rows() -> Vec<String> {
    (0..ROWS).map(|number| rows::email(number, None)).collect()
}

/// Returns the rows of a file, in their order.
fn hot_rows(services: &Services, file: File) -> Result<Vec<String>, Failure> {
    let mut hot: Vec<_> = match file.shared {
        Shared::Customer => (0..file.hot)
            .map(|number| rows::email(number, Some("hot@example.com")))
            .collect(),
        Shared::Name => (0..file.hot)
            .map(|number| rows::customer(number, "Ada Hot"))
            .collect(),
        Shared::Shard => {
            let in_shard = in_one_shard(services)?;
            let numbers = (0..).filter(|number| in_shard(*number));
            let rows = numbers.map(|number| rows::customer(number, "Ada Hot"));
            rows.take(usize::try_from(file.hot)?).collect()
        }
    };
    // The numbers differ from those of the hot rows.
    let mut others: Vec<_> = (0..ROWS - file.hot)
        .map(|number| 10_000_000 + number)
        .map(|number| match file.shared {
            Shared::Customer => rows::email(number, None),
            Shared::Name | Shared::Shard => rows::customer(number, &format!("Ada Cold{number}")),
        })
        .collect();
    match file.order {
        Order::Shuffled => {
            others.append(&mut hot);
            others.shuffle(&mut StdRng::seed_from_u64(1));
            Ok(others)
        }
        Order::Sorted => {
            let after = others.split_off(others.len() / 2);
            Ok([others, hot, after].concat())
        }
        Order::HotFirst => Ok([hot, others].concat()),
    }
}

/// Returns a predicate for the numbers of customers whose index entries are in one certain shard. The first character of the
/// identity's ID selects the shard.
fn in_one_shard(services: &Services) -> Result<impl Fn(u64) -> bool, Failure> {
    let key = IdentityKey::new(services.stack.identity_key()).ok_or("no identity key")?;
    Ok(move |number| {
        let address = rows::address(number, None);
        let email = serde_json::Map::from_iter([("email".to_owned(), address.into())]);
        Identifier::from_json(&email)
            .is_ok_and(|email| key.identity(&email).to_string().starts_with('a'))
    })
}
