//! The first records of a file that is tried, and the profiles that the file alone would give them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use shared::{
    model::{
        closure::{Closure, MAX_IDENTITIES},
        erasure::Markers,
        identity::IdentityId,
        item::Item,
        time::Instant,
        value::Map,
    },
    profile::{Document, Profile, Sections, State, View},
    table::Write,
};

use crate::{
    App, IngestError,
    record::{MappedRecord, Rejection},
    report::{Report, tally::Place},
    rows::{Fields, RowError},
    source::notification::ObjectVersion,
};

/// The maximum number of records that a report contains.
const MAX_RECORDS: usize = 20;
/// The maximum number of identities that are collected for a profile, because some links may not count.
const MAX_COLLECTED: usize = 4 * MAX_IDENTITIES;

/// The first records of a file, and the items of their profiles.
#[derive(Default)]
pub(super) struct Sample {
    records: Vec<TriedRecord>,
    /// The identities of the records, each once.
    pub(super) identities: Vec<IdentityId>,
    /// The identities whose items are collected.
    pub(super) members: BTreeSet<IdentityId>,
    items: Vec<Item>,
}

/// A record as it would be imported.
#[derive(Serialize)]
struct TriedRecord {
    #[serde(flatten)]
    place: Place,
    /// `written`, `suppressed` or `rejected`.
    result: &'static str,
    /// The record, with its type if the folder does not specify it; `None` if the row cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Map>,
    /// Why it would be rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

/// An error of a record.
#[derive(Serialize)]
struct Fault {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
}

impl From<&RowError> for Fault {
    fn from(error: &RowError) -> Self {
        Self {
            code: error.code.as_str(),
            field: error.field.clone(),
            message: error.to_string(),
        }
    }
}

/// The report of a file that was tried.
#[derive(Serialize)]
struct TrialReport {
    #[serde(flatten)]
    report: Report,
    /// The first records.
    records: Vec<TriedRecord>,
    /// The profiles of these records, as the API would return them if the table contained this file alone.
    profiles: Vec<Document>,
}

impl Sample {
    /// Adds a record, unless there are enough.
    pub(super) fn add(
        &mut self,
        place: Place,
        fields: Option<Fields>,
        mapped: &Result<MappedRecord, Rejection>,
    ) {
        if self.records.len() == MAX_RECORDS {
            return;
        }
        let (result, errors) = match mapped {
            Ok(record)
                if record.writes.is_empty()
                    && record.links.is_empty()
                    && record.forget.is_none() =>
            {
                ("suppressed", Vec::new())
            }
            Ok(record) => {
                for identity in identities_of(record) {
                    if !self.identities.contains(&identity) {
                        self.identities.push(identity);
                    }
                }
                ("written", Vec::new())
            }
            Err(rejection) => (
                "rejected",
                rejection.errors.iter().map(Fault::from).collect(),
            ),
        };
        self.records.push(TriedRecord {
            place,
            result,
            record: fields.map(|fields| fields.map),
            errors,
        });
    }

    /// Collects the items of a record that belong to the profiles.
    pub(super) fn collect(&mut self, record: &MappedRecord) {
        let is_member = |write: &&Write| {
            let identity = write.key().0.parse();
            identity.is_ok_and(|identity| self.members.contains(&identity))
        };
        let writes = record.body.iter().chain(&record.writes);
        let items = writes.filter(is_member).filter_map(Write::to_item);
        let sides = record.links.iter().flatten().cloned();
        let sides = sides.filter(|side| self.members.contains(&side.identity));
        let items: Vec<_> = items.chain(sides).collect();
        self.items.extend(items);
    }

    /// Puts the report with the records and their profiles.
    pub(super) async fn put(
        self,
        app: &App,
        object: &ObjectVersion,
        report: Report,
    ) -> Result<(), IngestError> {
        let profiles = profiles(
            &self.identities,
            self.items.into_iter().collect(),
            &app.currency,
        );
        tracing::info!(
            import = report.import,
            status = report.status.as_str(),
            read = report.counts.read,
            written = report.counts.written,
            rejected = report.counts.rejected,
            profiles = profiles.len(),
            "file tried"
        );
        let report = TrialReport {
            report,
            records: self.records,
            profiles,
        };
        let body = serde_json::to_vec_pretty(&report);
        let body = body.map_err(|error| IngestError::S3(error.into()))?;
        let request = app.s3.put_object().bucket(&object.bucket);
        let request = request.key(super::report_key(object));
        let request = request.content_type("application/json");
        let put = request.body(ByteStream::from(body)).send().await;
        put.map_err(|error| IngestError::S3(error.into()))?;
        Ok(())
    }
}

/// Returns the identities that a record is about.
fn identities_of(record: &MappedRecord) -> impl Iterator<Item = IdentityId> {
    let written = record
        .writes
        .iter()
        .filter_map(|write| write.key().0.parse().ok());
    let sides = record
        .links
        .iter()
        .flatten()
        .map(|side| side.identity.clone());
    written.chain(sides)
}

/// Computes the profiles of identities, each profile once.
fn profiles(identities: &[IdentityId], state: State, currency: &str) -> Vec<Document> {
    let view = View {
        now: Instant::now(),
        currency,
        zone: &shared::model::zone::UTC,
        personal: true,
        open_namespaces: &[],
    };
    let mut shown = BTreeSet::new();
    let mut documents = Vec::new();
    for identity in identities {
        if shown.contains(identity) {
            continue;
        }
        let closure = closure(identity, &state);
        let members = closure.members();
        let items = members.iter().flat_map(|member| state.of(member)).cloned();
        let profile = Profile {
            state: items.collect(),
            closure,
            partial: false,
        };
        shown.insert(identity.clone());
        shown.extend(members);
        if profile.exists() {
            documents.push(profile.document(&view, Sections::ALL));
        }
    }
    documents
}

/// Returns the identities that links of the file connect with this one.
fn closure(identity: &IdentityId, state: &State) -> Closure {
    let mut closure = Closure::new(identity.clone());
    let markers = Markers::default();
    loop {
        let pending = closure.pending();
        if pending.is_empty() {
            return closure;
        }
        let read = pending.into_iter().map(|id| {
            let items: Vec<_> = state.of(&id).cloned().collect();
            (id, items)
        });
        let read: Vec<_> = read.collect();
        closure.add(
            read.iter()
                .map(|(id, items)| (id, items.as_slice(), &markers)),
        );
    }
}

/// Which identities the links of a file connect.
#[derive(Default)]
pub(super) struct Linked(BTreeMap<IdentityId, Vec<IdentityId>>);

impl Linked {
    /// Adds the links of a record.
    pub(super) fn add(&mut self, record: &MappedRecord) {
        for [one, other] in &record.links {
            for (from, to) in [(one, other), (other, one)] {
                let neighbors = self.0.entry(from.identity.clone()).or_default();
                neighbors.push(to.identity.clone());
            }
        }
    }

    /// Returns the identities that may belong to the profiles of these.
    pub(super) fn members_of(&self, identities: &[IdentityId]) -> BTreeSet<IdentityId> {
        let mut all = BTreeSet::new();
        for identity in identities {
            let mut found = BTreeSet::from([identity.clone()]);
            let mut queue = VecDeque::from([identity]);
            while let Some(next) = queue.pop_front() {
                for neighbor in self.0.get(next).into_iter().flatten() {
                    if found.len() < MAX_COLLECTED && found.insert(neighbor.clone()) {
                        queue.push_back(neighbor);
                    }
                }
            }
            all.extend(found);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::RowErrorCode;

    const FILES: &str = include_str!("../../../../infra/docs/reference/files.md");

    /// The section of the page about tries lists what their reports have in addition to others.
    #[test]
    fn fields_are_those_of_the_page() {
        let error = RowError::at(&"link", RowErrorCode::MissingField, "is missing.");
        let record = TriedRecord {
            place: Place {
                line: Some(2),
                offset: 85,
            },
            result: "rejected",
            record: Some(Map::default()),
            errors: vec![Fault::from(&error)],
        };
        let record = serde_json::to_value(record).unwrap();
        let fields = record.as_object().unwrap().keys();
        let fields = fields.map(|name| format!("records[].{name}"));
        let mut fields: Vec<_> = fields
            .chain(["profiles", "records"].map(str::to_owned))
            .collect();
        fields.sort();
        let (_, section) = FILES.split_once("\n## Reports of tries\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut listed: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
        listed.sort_unstable();
        assert_eq!(listed, fields);
    }
}
