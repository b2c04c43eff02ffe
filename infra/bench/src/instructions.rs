//! Compares instruction counts with the recorded ones, so that CI shows the cost of a change.

use std::{collections::BTreeMap, path::Path};

use crate::{
    Failure, build,
    function::{Function, Program},
    mapped, read, rows,
    services::Services,
};

/// The maximum difference from the recorded count, as a fraction.
const TOLERANCE: f64 = 0.05;
/// The rows of the smaller file. The larger file has twice as many, and the difference is counted.
const ROWS: u64 = 2_000;
/// The copies of a sample in the smaller export. Each copy has 4 to 8 records.
const COPIES: usize = 250;

/// Counts the instructions of the functions in a folder. Compares the counts with the recorded ones, or records them.
pub(crate) async fn check(folder: &Path, record: bool) -> Result<(), Failure> {
    let path = build::workspace().join("infra/bench/instructions.json");
    let counted = count(folder).await?;
    if record {
        std::fs::write(&path, serde_json::to_string_pretty(&counted)? + "\n")?;
        return Ok(());
    }
    let recorded: BTreeMap<String, u64> = serde_json::from_slice(&std::fs::read(&path)?)?;
    let mut different = 0;
    for (name, count) in &counted {
        let expected = recorded.get(name).copied().unwrap_or_default();
        let change = *count as f64 / expected.max(1) as f64 - 1.0;
        println!(
            "{name}: {count}, recorded {expected} ({:+.2} %)",
            100.0 * change
        );
        different += usize::from(change.abs() > TOLERANCE);
    }
    if different > 0 {
        return Err(format!(
            "{different} counts differ from the recorded ones by more than {:.0} %. Find the cause. If the change is intended, record the \
             new counts with `--record`",
            100.0 * TOLERANCE
        )
        .into());
    }
    Ok(())
}

/// Returns the counts, by name.
async fn count(folder: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    let services = Services::start().await?;
    let folder = folder.canonicalize()?;
    let ingest = services.program(&folder.join("ingest"));
    let id = read::import_customer(&services, &ingest).await?;
    let profile_read = services.program(&folder.join("profile-read"));
    let first = read::instructions(&services, &profile_read, &id, 1).await?;
    let warm = read::warm(&services, &profile_read, &id).await?;

    services.table.swallow_statements(true);
    let emails = [ROWS, 2 * ROWS].map(|count| {
        let key = format!("drop/email_send/mail/{count}.ndjson");
        (key, rows::emails(count))
    });
    let mut counted = BTreeMap::from([
        ("exec to the first profile".to_owned(), first),
        ("warm profile".to_owned(), warm),
        (
            "imported row".to_owned(),
            additional(&services, &ingest, emails).await? / ROWS,
        ),
    ]);
    for sample in mapped::samples() {
        let exports = [COPIES, 2 * COPIES].map(|copies| sample.export(copies));
        let records = (COPIES * sample.records_of_copy()) as u64;
        counted.insert(
            format!("mapped record, {}", sample.name),
            additional(&services, &ingest, exports).await? / records,
        );
    }
    Ok(counted)
}

/// Returns the difference between the instructions of two imports, the second minus the first.
async fn additional(
    services: &Services,
    ingest: &Program,
    files: [(String, String); 2],
) -> Result<u64, Failure> {
    let mut counts = Vec::new();
    for (key, file) in files {
        let event = services.drop_file(&key, file).await?;
        let file = services.folder.path().join("counts");
        let mut function = Function::start(ingest, Some(&file)).await?;
        function.invoke(&event).await?;
        counts.push(function.terminate().await?);
        let report = services.report(&key).await?;
        if report["rejected"] != 0 || report["status"] != "completed" {
            return Err(format!("{key}: {report}").into());
        }
    }
    Ok(counts[1] - counts[0])
}
