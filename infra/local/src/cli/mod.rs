//! The command line. In: arguments and the events of imports. Out: the ready line and usage examples on standard output, and
//! progress bars and one line per import on standard error.

pub(crate) mod arguments;
mod progress;
mod report_line;
mod sample_import;

use std::io::{IsTerminal, Write};

use arguments::Arguments;
use local::{Error, Stack};
use progress::Progress;

/// Imports the sample data, prints usage examples, and then shows imports.
pub(crate) async fn serve(stack: &Stack, arguments: &Arguments) -> Result<(), Error> {
    // Log lines and progress bars would overwrite each other.
    let with_bars = std::io::stderr().is_terminal() && !arguments.logs;
    let mut progress = Progress::new(stack.imports(), with_bars);
    let with_samples = !arguments.empty && !arguments.services_only;
    if with_samples && stack.is_empty() {
        sample_import::drop_all(&mut progress, stack.api_url()).await?;
    }
    let lines = ready(stack);
    let audit_log = format!(
        "# follow the audit log\ntail -f {}\n",
        stack.audit_file().display()
    );
    let usage = if arguments.services_only {
        String::new()
    } else if with_samples {
        sample_import::usage(stack).await + &audit_log
    } else {
        sample_import::usage_empty(stack) + &audit_log
    };
    progress.suspend_bars(|| {
        // Not an error: standard output may be closed.
        let mut out = std::io::stdout();
        let _ = write!(out, "{lines}{usage}").and_then(|()| out.flush());
        if std::io::stderr().is_terminal() {
            eprintln!("Press Ctrl-C to stop.");
        }
    });
    while progress.next().await.is_some() {}
    std::future::pending().await
}

/// Returns the line that other programs wait for.
fn ready(stack: &Stack) -> String {
    let api = if stack.api_url().is_empty() {
        String::new()
    } else {
        format!(" api={}", stack.api_url())
    };
    let (s3, bucket) = (stack.s3_url(), stack.bucket());
    format!(
        "ready{api} s3={s3} bucket={bucket} dynamodb={} table={}\n",
        stack.dynamodb_url(),
        stack.table()
    )
}
