//! Imports the sample data as a user would, and prints commands to try.

use std::path::Path;

use local::{Error, Stack};
use serde_json::Value;

use crate::cli::progress::Progress;

/// The totals of all reports, in records. A row of an export can make several records, and several rows one.
#[derive(Debug, Default)]
struct Records {
    read: u64,
    written: u64,
    rejected: u64,
}

/// Drops all sample files into the stack whose HTTP API is at `api`. Waits until each import has ended.
pub(crate) async fn drop_all(progress: &mut Progress<'_>, api: &str) -> Result<(), Error> {
    if !samples::folder().exists() {
        return Ok(());
    }
    let files = samples::files().map_err(|source| Error::Io {
        what: samples::folder().display().to_string(),
        source,
    })?;
    if files.is_empty() {
        return Ok(());
    }
    for (key, path) in &files {
        if ["drop/product/", "drop/event/", "drop/message/"]
            .iter()
            .any(|folder| key.starts_with(folder))
        {
            let rows = pictured(path, api)?;
            progress.imports.put(key, rows).await?;
        } else {
            progress.imports.put_file(key, path).await?;
        }
    }
    let (mut records, mut imported) = (Records::default(), 0);
    while !progress.imports.all_complete() {
        match progress.next().await {
            Some(Ok((key, Some(report)))) if files.iter().any(|(own, _)| *own == key) => {
                records.add(&report);
                imported += 1;
            }
            // A file of another client, or one whose failure was already printed.
            Some(Ok(_)) => {}
            Some(Err(error)) => progress.suspend_bars(|| eprintln!("{error}")),
            None => return Ok(()),
        }
    }
    let count = files.len();
    progress.suspend_bars(|| eprintln!("{imported} of {count} sample files imported: {records}"));
    Ok(())
}

/// Returns commands for one of the sample customers that work as printed.
pub(crate) async fn usage(stack: &Stack) -> String {
    let api = stack.api_url();
    let Some(email) = sample_email(&samples::folder()) else {
        return usage_empty(stack);
    };
    let body = serde_json::json!({ "email": email });
    let Some(id) = lookup(api, &body).await else {
        return usage_empty(stack);
    };
    let json = "-H 'Content-Type: application/json'";
    format!(
        "# look up a customer\n\
         curl -s {api}/profiles/lookup {json} -d {}\n\
         # read a page of the customer's history\n\
         curl -s '{api}/profiles/{id}/history?limit=5'\n\
         # add a note\n\
         curl -s {api}/profiles/{id}/notes {json} -H 'Idempotency-Key: my-first-note' -d {}\n",
        quoted(&body.to_string()),
        quoted(r#"{"text":"Prefers to be called in the afternoon."}"#),
    )
}

/// Returns the first steps for an empty stack.
pub(crate) fn usage_empty(stack: &Stack) -> String {
    let (api, s3, bucket) = (stack.api_url(), stack.s3_url(), stack.bucket());
    format!(
        "# drop a file\n\
         AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1 \
         aws s3 cp customers.ndjson s3://{bucket}/drop/customer_record/crm/ --endpoint-url {s3}\n\
         # look up a customer\n\
         curl -s {api}/profiles/lookup -H 'Content-Type: application/json' -d '{{\"email\":\"someone@example.com\"}}'\n"
    )
}

impl Records {
    fn add(&mut self, report: &Value) {
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        self.read += count("read");
        self.written += count("written");
        self.rejected += count("rejected");
    }
}

impl std::fmt::Display for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} records read, {} written, {} rejected",
            self.read, self.written, self.rejected
        )
    }
}

/// Returns the rows of a file, with image URLs of this stack. The files contain URLs with the default port.
fn pictured(path: &Path, api: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
        what: path.display().to_string(),
        source,
    })?;
    Ok(text.replace("http://localhost:3000/images/", &format!("{api}/images/")))
}

/// Returns the email address of the first customer in the CRM's sample files.
fn sample_email(folder: &Path) -> Option<String> {
    let crm = folder.join("customer_record/crm");
    let mut files: Vec<_> = std::fs::read_dir(crm)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let file = files.iter().find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "ndjson")
    })?;
    let text = std::fs::read_to_string(file).ok()?;
    let record: Value = serde_json::from_str(text.lines().next()?).ok()?;
    let email = record["email"]
        .as_str()
        .or_else(|| record["link"]["email"].as_str())?;
    Some(email.to_owned())
}

async fn lookup(api: &str, body: &Value) -> Option<String> {
    let response = reqwest::Client::new()
        .post(format!("{api}/profiles/lookup"))
        .json(body)
        .send()
        .await
        .ok()?;
    let profile: Value = response.json().await.ok()?;
    Some(profile["id"].as_str()?.to_owned())
}

/// Quotes a string as one word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_where_the_stack_serves_them() {
        for file in [
            "product/catalogue/product.ndjson",
            "event/reviews/event.ndjson",
        ] {
            let text = pictured(&samples::folder().join(file), "http://127.0.0.1:4321").unwrap();
            assert!(text.contains(r#""http://127.0.0.1:4321/images/"#) && !text.contains(":3000"));
        }
    }

    #[test]
    fn the_sample_customer_is_the_first_record_of_the_crm() {
        let folder = tempfile::tempdir().unwrap();
        let crm = folder.path().join("customer_record/crm");
        std::fs::create_dir_all(&crm).unwrap();
        assert_eq!(sample_email(folder.path()), None);
        std::fs::write(
            crm.join("x.ndjson"),
            "{\"link\":{\"email\":\"a@b.c\"}}\n{}\n",
        )
        .unwrap();
        assert_eq!(sample_email(folder.path()).as_deref(), Some("a@b.c"));
        std::fs::write(
            crm.join("x.ndjson"),
            "{\"link\":{\"customer_id\":\"1\"},\"email\":\"d@e.f\"}\n",
        )
        .unwrap();
        assert_eq!(sample_email(folder.path()).as_deref(), Some("d@e.f"));
    }

    #[test]
    fn quotes_survive_a_shell() {
        assert_eq!(quoted("o'neill"), r"'o'\''neill'");
    }
}
