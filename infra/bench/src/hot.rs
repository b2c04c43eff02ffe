//! What a hot key costs: imports into a table that grants write units to each partition key, as DynamoDB does.

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use shared::model::{identifier::Identifier, identity::IdentityKey};
use tests::faults::Faults;

use crate::{
    Failure, build,
    function::Program,
    ingest::import,
    report::{Report, short},
    rows,
    services::Services,
};

const ROWS: u64 = 20_000;
/// Write units a second that the table grants, and each partition key of the table or of an index. DynamoDB grants a key 1,000.
const UNITS: u32 = 2_000;
const UNITS_OF_KEY: u32 = 200;
/// The share of the free rate that rows of other keys keep.
const FREE_SHARE: f64 = 0.9;

/// The order of rows in a file.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Shuffled,
    /// The hot rows follow one another, in the middle of the file.
    Sorted,
    /// The same, at the start of the file.
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

/// What the hot rows have in common.
#[derive(Clone, Copy, PartialEq)]
enum Shared {
    /// Their customer: they are emails to one address.
    Customer,
    /// A name of different customers, whose index entries are in the shards of the name.
    Name,
    /// The same, and all entries are in one shard.
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

#[derive(Clone, Copy)]
enum Target {
    /// The time of the import is at most this many times the ideal.
    Time(f64),
    /// Rows of other keys are written at a share of the free rate.
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

pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let program = services.program(&build::quickly("ingest").await?);
    services.table.swallow_statements(true);
    let free = run(&services, &program, "email_send", &free_rows()).await?;
    let ideal = seconds(ROWS, UNITS);
    report.say(
        "no hot key: time, over the ideal",
        format!(
            "{:.1} s to {ideal:.1} s: {:.3}×; {:.1} % of the statements throttled",
            free.seconds,
            free.seconds / ideal,
            100.0 * free.throttled
        ),
    );
    for file in FILES {
        measure_file(&services, &program, file, free.seconds, &mut report).await?;
    }
    report.note(format!(
        "Every file has {ROWS} rows of one write unit. The fault proxy grants {UNITS} units a second, and {UNITS_OF_KEY} to each partition key of the \
         table and of its indexes. It saves at most the units of one second. The ideal is max((rows - {UNITS}) ÷ {UNITS}, (rows of the hottest key - \
         {UNITS_OF_KEY}) ÷ {UNITS_OF_KEY}), whatever the order of the rows is. The free rate is that of the file without a hot key."
    ));
    Ok(report)
}

/// The time that so many units take at a granted rate, of which one second's units are saved.
fn seconds(units: u64, rate: u32) -> f64 {
    units as f64 / f64::from(rate) - 1.0
}

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
    let (folder, what) = match file.shared {
        Shared::Customer => ("email_send", "of one customer"),
        Shared::Name => ("customer_record", "with one name"),
        Shared::Shard => (
            "customer_record",
            "with one name, all in one shard of its index key",
        ),
    };
    let run = run(services, program, folder, &rows).await?;
    let what = format!(
        "{} % of the rows {what}, {}",
        100 * file.hot / ROWS,
        file.order.name()
    );
    let throttled = 100.0 * run.throttled;
    match file.target {
        Target::Time(most) => {
            let ideal = seconds(ROWS, UNITS).max(seconds(of_hottest, UNITS_OF_KEY));
            let ratio = run.seconds / ideal;
            report.at_most(
                format!("{what}: time, over the ideal"),
                format!(
                    "{:.1} s to {ideal:.1} s: {ratio:.3}×; {throttled:.1} % throttled",
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
                format!("{what}: rows of other keys a second, over the free rate"),
                format!(
                    "{others:.0} to {free:.0}: {}×; {throttled:.1} % throttled",
                    short(share)
                ),
                share,
                FREE_SHARE,
            );
        }
    }
    Ok(())
}

/// One import.
struct Run {
    seconds: f64,
    /// The share of statements that the table throttled.
    throttled: f64,
}

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

fn free_rows() -> Vec<String> {
    (0..ROWS).map(|number| rows::email(number, None)).collect()
}

/// The rows of a file, in their order.
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
    // Customers with other numbers than the hot ones.
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

/// Returns whether the index entries of a customer are in a certain shard. The first character of the identity's ID decides.
fn in_one_shard(services: &Services) -> Result<impl Fn(u64) -> bool, Failure> {
    let key = IdentityKey::new(services.stack.identity_key()).ok_or("no identity key")?;
    Ok(move |number| {
        let address = rows::address(number, None);
        let email = serde_json::Map::from_iter([("email".to_owned(), address.into())]);
        Identifier::from_json(&email)
            .is_ok_and(|email| key.identity(&email).to_string().starts_with('a'))
    })
}
