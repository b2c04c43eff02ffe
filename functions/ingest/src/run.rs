//! One import from start to end.

use shared::{
    time::Instant,
    version::{ImportId, Version},
};

use crate::{
    App, IngestError,
    drop_key::{DropKey, DropKeyError},
    lines::{Line, Lines},
    notification::ObjectVersion,
    object::{Body, Opened},
    record::{self, Context, Fault},
    report::{Counts, Desk, FileProblem, Report, Status},
    write::{RowVerdict, Writer},
};

/// Imports one version of one object, and puts its report.
pub(crate) async fn import(app: &App, object: &ObjectVersion) -> Result<(), IngestError> {
    let import = ImportId::new(&object.bucket, &object.key, &object.id());
    let mut report = Report {
        import: import.to_string(),
        key: object.key.clone(),
        version_id: object.version_id.clone(),
        status: Status::Completed,
        record_type: None,
        source: None,
        counts: Counts::default(),
        requests: 0,
        capacity_units: 0.0,
        started_at: Instant::now(),
        finished_at: Instant::now(),
        rejects: Vec::new(),
        problem: None,
    };
    let mut desk = Desk::new(&app.s3, object, &report.import);
    match DropKey::parse(&object.key) {
        Ok(drop) => {
            report.record_type = Some(drop.folder.clone());
            report.source = Some(drop.source.clone());
            match Body::open(&app.s3, object).await? {
                Opened::Body(body) => {
                    rows(app, object, import, &drop, body, &mut desk, &mut report).await?
                }
                Opened::Gone => fail(
                    &mut report,
                    Status::Failed,
                    "object-gone",
                    "The version was deleted before it was read.",
                ),
                Opened::Superseded => {
                    fail(
                        &mut report,
                        Status::Superseded,
                        "object-superseded",
                        "Another object took this one's place before it was read.",
                    );
                }
            }
        }
        Err(error) => fail(
            &mut report,
            Status::Rejected,
            DropKeyError::slug(error),
            &error.to_string(),
        ),
    }
    desk.put_rejects().await?;
    report.rejects = desk.rejects();
    report.finished_at = Instant::now();
    desk.put_report(&report).await?;
    let Counts {
        read,
        written,
        stale,
        rejected,
        ..
    } = report.counts;
    tracing::info!(
        import = report.import,
        status = ?report.status,
        record_type = report.record_type,
        source = report.source,
        read, written, stale, rejected,
        requests = report.requests,
        capacity_units = report.capacity_units,
        "import finished"
    );
    Ok(())
}

fn fail(report: &mut Report, status: Status, slug: &str, detail: &str) {
    report.status = status;
    report.problem = Some(FileProblem {
        r#type: format!("/problems/{slug}"),
        detail: detail.to_owned(),
    });
}

async fn rows(
    app: &App,
    object: &ObjectVersion,
    import: ImportId,
    drop: &DropKey,
    mut body: Body<'_>,
    desk: &mut Desk<'_>,
    report: &mut Report,
) -> Result<(), IngestError> {
    let version = Version::new(body.last_modified, &object.sequencer, import, 0);
    let context = Context {
        key: &app.key,
        source: &drop.source,
        record_type: drop.record_type,
        last_modified: body.last_modified,
    };
    let mut lines = Lines::new();
    let mut writer = Writer::new(&app.table, import);
    loop {
        let chunk = body.next().await?;
        if let Some(chunk) = &chunk {
            lines.push(chunk);
        }
        while let Some(line) = lines.next().or_else(|| {
            if chunk.is_none() {
                lines.finish()
            } else {
                None
            }
        }) {
            report.counts.read += 1;
            match place(&context, version, &line) {
                Ok(writes) => writer.add(line, writes).await?,
                Err(fault) => {
                    report.counts.rejected += 1;
                    desk.reject(&line, &fault).await?;
                }
            }
            account(&mut writer, desk, &mut report.counts).await?;
        }
        if chunk.is_none() {
            break;
        }
    }
    writer.finish().await?;
    account(&mut writer, desk, &mut report.counts).await?;
    report.requests = writer.requests;
    report.capacity_units = writer.capacity_units;
    Ok(())
}

fn place(
    context: &Context<'_>,
    version: Version,
    line: &Line,
) -> Result<Vec<shared::table::Write>, Fault> {
    if line.too_large {
        return Err(Fault::whole(
            "record_too_large",
            "a record of at most 1 MiB",
        ));
    }
    let text =
        std::str::from_utf8(&line.bytes).map_err(|_| Fault::whole("invalid_utf8", "UTF-8"))?;
    record::place(
        context,
        version.at(line.offset),
        record::json::object(text)?,
    )
}

async fn account(
    writer: &mut Writer<'_>,
    desk: &mut Desk<'_>,
    counts: &mut Counts,
) -> Result<(), IngestError> {
    for verdict in writer.verdicts() {
        match verdict {
            RowVerdict::Written => counts.written += 1,
            RowVerdict::Stale => counts.stale += 1,
            RowVerdict::Rejected(line, fault) => {
                counts.rejected += 1;
                desk.reject(&line, &fault).await?;
            }
        }
    }
    Ok(())
}
