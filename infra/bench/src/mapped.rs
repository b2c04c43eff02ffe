//! Measures imports of other systems' exports with mappings, against imports of the same records.

use crate::{
    Failure, build,
    ingest::import,
    report::{Report, median, rounded},
    services::Services,
};

/// The size of an export, in bytes.
const EXPORT_BYTES: usize = 100_000_000;
/// Imports of each file. The files alternate; the median is reported.
const ROUNDS: usize = 3;
/// The target for the CPU of a mapped record, over that of the same record read directly.
const TARGET: f64 = 1.6;

/// A sample of an export, and the records that its mapping makes of it. Copies have other orders, IDs and customers.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    mapping: &'static str,
    extension: &'static str,
    /// The text before the copies, between two of them, and after them.
    around: [&'static str; 3],
    rows: &'static str,
    /// The records, as rows that specify their types.
    records: &'static str,
    /// Replaces the identifiers of the orders and customers of a copy.
    renumber: fn(&str, usize) -> String,
}

/// The samples that are measured.
pub(crate) fn samples() -> [Sample; 2] {
    let (header, orders) =
        include_str!("../../../functions/ingest/src/mapping/samples/shopify/orders_export_1.csv")
            .split_once('\n')
            .unwrap_or_default();
    let events = include_str!("../../../functions/ingest/src/mapping/samples/sendgrid/events.json");
    [
        Sample {
            name: "Shopify orders",
            mapping: "shopify-orders",
            extension: "csv",
            around: [header, "", ""],
            rows: orders,
            records: include_str!(
                "../../../functions/ingest/src/mapping/samples/shopify/orders_export_1.csv.builtin.ndjson"
            ),
            renumber: orders_of_copy,
        },
        Sample {
            name: "SendGrid events",
            mapping: "sendgrid",
            extension: "json",
            around: ["[", ", ", "]"],
            rows: events.trim().trim_start_matches('[').trim_end_matches(']'),
            records: include_str!(
                "../../../functions/ingest/src/mapping/samples/sendgrid/events.json.builtin.ndjson"
            ),
            renumber: events_of_copy,
        },
    ]
}

fn orders_of_copy(text: &str, copy: usize) -> String {
    text.replace("#10", &format!("#{copy}10"))
        .replace("60975827190", &format!("6{copy:010}"))
        .replace("6149157000", &format!("614{copy:07}"))
        .replace("ines.v@", &format!("ines.v{copy}@"))
        .replace("lee@", &format!("lee{copy}@"))
}

fn events_of_copy(text: &str, copy: usize) -> String {
    text.replace("14c5d75ce93", &format!("{copy:011x}"))
        .replace("\"ev1785", &format!("\"ev{copy}-1785"))
        .replace("jane@", &format!("jane{copy}@"))
        .replace("bounce@", &format!("bounce{copy}@"))
}

impl Sample {
    /// Returns the number of records that the mapping makes of one copy.
    pub(crate) fn records_of_copy(&self) -> usize {
        self.records.lines().count()
    }

    /// Returns the key and the content of an export with `copies` copies.
    pub(crate) fn export(&self, copies: usize) -> (String, String) {
        let [before, between, after] = self.around;
        let mut file = before.to_owned();
        if self.extension == "csv" {
            file.push('\n');
        }
        for copy in 0..copies {
            if copy > 0 {
                file.push_str(between);
            }
            file.push_str(&(self.renumber)(self.rows, copy));
        }
        file.push_str(after);
        let key = format!("drop/{}/{copies}.{}", self.mapping, self.extension);
        (key, file)
    }

    /// Returns the key of a file with the records of `copies` copies, and its content as NDJSON.
    fn direct(&self, copies: usize) -> (String, String) {
        let copies_of_records = (0..copies).map(|copy| (self.renumber)(self.records, copy));
        let key = format!("drop/mixed/{}/{copies}.ndjson", self.mapping);
        (key, copies_of_records.collect())
    }
}

/// Measures mapped imports and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let mut report = Report::default();
    let services = Services::start().await?;
    let ingest = build::function("ingest").await?;
    let program = services.program(&ingest);
    services.table.swallow_statements(true);
    for sample in samples() {
        let copies = EXPORT_BYTES / sample.rows.len();
        let files = [sample.export(copies), sample.direct(copies)];
        let expected = (copies * sample.records_of_copy()) as u64;
        let mut micros = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for ((key, file), micros) in files.iter().zip(&mut micros) {
                let run = import(&services, &program, key, file.clone()).await?;
                if run.report["written"] != expected {
                    return Err(format!("{key}: {}", run.report).into());
                }
                micros.push(run.cpu / expected as f64 * 1e6);
            }
        }
        let [mapped, direct] = micros.map(median);
        report.at_most(
            format!(
                "CPU of a mapped record, compared with the same record as NDJSON: {}",
                sample.name
            ),
            format!(
                "{mapped:.1} µs against {direct:.1} µs: {}× ({} records)",
                rounded(mapped / direct),
                expected
            ),
            mapped / direct,
            TARGET,
        );
    }
    report.note(format!(
        "An export consists of copies of a mapping's sample, {} MB in all, with other orders, IDs and customers in each copy. The NDJSON file contains \
         the records that the mapping makes of the export, and is imported from `drop/mixed/`. Both are imported into a sink, which validates \
         statements and responds immediately. CPU is the user and system time of the process, without its start: the median of {ROUNDS} \
         alternating runs. Rows that the mapping skips are part of the CPU of its records.",
        EXPORT_BYTES / 1_000_000
    ));
    Ok(report)
}
