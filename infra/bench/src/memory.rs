//! Compares imports of large files in each format with imports of small ones: time and memory.

use std::{io::Write as _, time::Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use serde_json::Value;
use shared::model::{keys, version::ImportId};

use crate::{
    Failure, build,
    function::{Function, Program},
    report::{MEBIBYTE, MEGABYTE, Report},
    rows,
    services::{Services, dropped_object, manifest_event},
};

/// The sizes of the files before compression, in bytes.
const SMALL: usize = 10_000_000;
const LARGE: usize = 2_000_000_000;

/// A format: its name, its first line, and a row.
type Format = (&'static str, &'static str, fn(u64) -> String);
const FORMATS: [Format; 2] = [
    ("ndjson", "", ndjson),
    ("csv", rows::CSV_HEADER, rows::csv_email),
];

fn ndjson(number: u64) -> String {
    rows::email(number, None)
}

/// Measures large files and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    services.table.swallow_statements(true);
    let program = services.program(&build::function("ingest").await?);
    let mut report = Report::default();
    for (name, header, row) in FORMATS {
        for zipped in [false, true] {
            let name = format!("{name}{}", if zipped { ".gz" } else { "" });
            let content = Content {
                name: &name,
                header,
                row,
                zipped,
            };
            let mut peaks = Vec::new();
            for bytes in [SMALL, LARGE] {
                let peak = measure_file(&services, &program, &content, bytes, &mut report).await?;
                peaks.push(peak);
            }
            report.at_most(
                format!("peak memory for 2 GB minus that for 10 MB, in MiB: {name}"),
                format!("{:.1}", peaks[1] - peaks[0]),
                peaks[1] - peaks[0],
                4.0,
            );
            report.at_most(
                format!("peak memory for 2 GB, in MiB: {name}"),
                format!("{:.1}", peaks[1]),
                peaks[1],
                64.0,
            );
        }
    }
    report.note(
        "Each file is one byte range, which one invocation imports into a sink. Memory is the peak resident set of the process (`VmHWM`). \
         Each row is an email to a different person. The sizes are those of the content before compression, and of the dropped file.",
    );
    Ok(report)
}

/// The content of the files of one format.
struct Content<'a> {
    /// The extension of the files.
    name: &'a str,
    header: &'a str,
    row: fn(u64) -> String,
    zipped: bool,
}

/// Imports a file of `bytes` decompressed bytes. Reports its time, and returns the peak memory of the process, in MiB.
async fn measure_file(
    services: &Services,
    program: &Program,
    content: &Content<'_>,
    bytes: usize,
    report: &mut Report,
) -> Result<f64, Failure> {
    let name = content.name;
    let (file, count) = file(content, bytes)?;
    let length = file.len();
    let key = format!("drop/email_send/mail/{bytes}.{name}");
    let event = services.drop_file(&key, file).await?;
    let mut function = Function::start(program, None).await?;
    let began = Instant::now();
    function.invoke(&event).await?;
    let seconds = began.elapsed().as_secs_f64();
    let (peak, cpu) = (function.peak_memory().await?, function.cpu().await?);
    let peak = peak as f64 / MEBIBYTE;
    let written = services.report(&key).await?["written"]
        .as_u64()
        .unwrap_or_default();
    if written != count {
        return Err(format!("{written} of {count} rows were written").into());
    }
    report.add(
        format!(
            "{name}, {} MB (file of {} MB), {count} rows",
            bytes / 1_000_000,
            length / 1_000_000
        ),
        format!("{seconds:.1} s, {cpu:.1} s of CPU, peak memory {peak:.1} MiB"),
    );
    if bytes == LARGE && name != "ndjson" {
        let seconds = resume_at_end(services, program, &event).await?;
        report.add(
            format!(
                "{name}: time to resume at the end of {} MB",
                bytes / 1_000_000
            ),
            format!(
                "{seconds:.1} s, {:.0} MB/s",
                bytes as f64 / MEGABYTE / seconds
            ),
        );
    }
    services.remove(&event).await?;
    Ok(peak)
}

/// Returns the time that an invocation takes to reach the end of a file that cannot be read from the middle, in seconds.
async fn resume_at_end(
    services: &Services,
    program: &Program,
    event: &Value,
) -> Result<f64, Failure> {
    let (key, version) = dropped_object(event)?;
    let import = ImportId::new(services.stack.bucket(), key, version);
    let end = LARGE - 1;
    let range = services.stack.dynamodb_client().update_item();
    range
        .table_name(services.stack.table())
        .key("PK", AttributeValue::S(keys::import(import)))
        .key("SK", AttributeValue::S(keys::range(0)))
        .update_expression("SET #data.#done = :no, #data.#offset = :end")
        .expression_attribute_names("#data", "data")
        .expression_attribute_names("#done", "done")
        .expression_attribute_names("#offset", "offset")
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":end", AttributeValue::N(end.to_string()))
        .send()
        .await?;
    let manifest = manifest_event(event, &format!("work/{import}/0-{end}.json"));
    let mut function = Function::start(program, None).await?;
    function.wait_ready().await?;
    let began = Instant::now();
    function.invoke(&manifest).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// Creates an NDJSON file of about `bytes` bytes. Returns it and its number of rows.
pub(crate) fn ndjson_file(bytes: usize) -> Result<(Bytes, u64), Failure> {
    let content = Content {
        name: "ndjson",
        header: "",
        row: ndjson,
        zipped: false,
    };
    file(&content, bytes)
}

/// Creates a file of about `bytes` bytes before compression. Returns it and its number of rows.
fn file(content: &Content<'_>, bytes: usize) -> Result<(Bytes, u64), Failure> {
    let Content {
        header,
        row,
        zipped,
        ..
    } = *content;
    let mut plain = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let (mut written, mut count) = (0, 0);
    let mut line = header.to_owned();
    loop {
        written += line.len();
        if zipped {
            encoder.write_all(line.as_bytes())?;
        } else {
            plain.extend_from_slice(line.as_bytes());
        }
        if written >= bytes {
            break;
        }
        line = row(count);
        count += 1;
    }
    Ok((
        if zipped {
            encoder.finish()?.into()
        } else {
            plain.into()
        },
        count,
    ))
}
