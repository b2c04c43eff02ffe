//! Recognizes the mapping or the record type of a file from its columns or its rows.

use shared::model::{keys::EventType, value::Map};

use super::{
    builtin::BUILT_IN,
    document::{Recognize, RecognizeBy},
    name::find,
    options,
    target::{extra, needed},
};
use crate::{
    record::RecordType,
    rows::{flat_header, json},
};

/// What a file shows of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// The header of a CSV file.
    Columns(&'a [String]),
    /// The first rows of a JSON file.
    Rows(&'a [Map]),
}

/// A mapping that a file may fit.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) recognize: Recognize,
    pub(crate) owner: Owner,
}

/// Who made a mapping. A team's own mapping precedes a built-in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    BuiltIn,
    Team,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognized {
    /// The name of a mapping.
    Mapping(String),
    /// The name of a record type.
    RecordType(&'static str),
    /// The file fits these mappings and record types equally well.
    Ambiguous(Vec<String>),
    /// The file fits nothing.
    Nothing(Option<Nearest>),
}

/// The mapping of which a file has most columns or fields, and those that it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nearest {
    pub(crate) mapping: String,
    pub(crate) missing: Vec<String>,
}

/// How well a file fits: a team's mapping precedes others, then the number of names that identify the file decides.
type Fit = (Owner, usize);

/// Returns the built-in mappings as candidates, without those of which a team has its own of the same name.
pub(crate) fn built_in_candidates(teams: &[&str]) -> Vec<Candidate> {
    let others = BUILT_IN.iter().filter(|(name, _)| !teams.contains(name));
    let candidates = others.filter_map(|(name, document)| {
        let root = json::object(document).ok()?;
        let recognize = options::recognize(root.get("recognize")?, &mut Default::default())?;
        Some(Candidate {
            name: (*name).to_owned(),
            recognize,
            owner: Owner::BuiltIn,
        })
    });
    candidates.collect()
}

/// Recognizes a file. The most specific mapping or record type wins.
pub(crate) fn recognize(shown: Shown<'_>, candidates: &[Candidate]) -> Recognized {
    let mut fits: Vec<(Fit, Recognized)> = Vec::new();
    for candidate in candidates {
        let names = names(&candidate.recognize);
        if missing(shown, candidate).is_some_and(|missing| missing.is_empty()) {
            let found = Recognized::Mapping(candidate.name.clone());
            fits.push(((candidate.owner, names.len()), found));
        }
    }
    let types = record_types(shown).into_iter();
    fits.extend(types.map(|(name, count)| ((Owner::BuiltIn, count), Recognized::RecordType(name))));
    let Some(best) = fits.iter().map(|(fit, _)| *fit).max() else {
        return Recognized::Nothing(nearest(shown, candidates));
    };
    fits.retain(|(fit, _)| *fit == best);
    match fits.len() {
        1 => fits.remove(0).1,
        _ => Recognized::Ambiguous(
            fits.iter()
                .map(|(_, found)| found.name().to_owned())
                .collect(),
        ),
    }
}

impl Recognized {
    fn name(&self) -> &str {
        match self {
            Self::Mapping(name) => name,
            Self::RecordType(name) => name,
            Self::Ambiguous(_) | Self::Nothing(_) => "",
        }
    }
}

fn names(recognize: &Recognize) -> &[String] {
    match &recognize.by {
        RecognizeBy::Columns(names) | RecognizeBy::Fields(names) => names,
    }
}

/// Returns the names that a file lacks of those that identify a mapping. Returns `None` if the file has another form, or columns
/// that it must not have.
fn missing<'a>(shown: Shown<'_>, candidate: &'a Candidate) -> Option<Vec<&'a str>> {
    let names = names(&candidate.recognize).iter().map(String::as_str);
    match (shown, &candidate.recognize.by) {
        (Shown::Columns(columns), RecognizeBy::Columns(known)) => {
            let columns = flat_header(columns);
            if candidate.recognize.exact && columns.len() > known.len() {
                return None;
            }
            Some(
                names
                    .filter(|name| !columns.contains_key(name.trim()))
                    .collect(),
            )
        }
        (Shown::Rows(rows), RecognizeBy::Fields(_)) => {
            let is_missing = |name: &&str| rows.iter().all(|row| find(row, name).is_none());
            Some(names.filter(is_missing).collect())
        }
        _ => None,
    }
}

fn nearest(shown: Shown<'_>, candidates: &[Candidate]) -> Option<Nearest> {
    let shares = candidates.iter().filter_map(|candidate| {
        let all = names(&candidate.recognize).len();
        let missing = missing(shown, candidate)?;
        let present = all - missing.len();
        // In thousandths, to compare integers.
        (present > 0).then_some(((present * 1_000 / all, present), candidate, missing))
    });
    let (_, candidate, missing) = shares.max_by_key(|(share, ..)| *share)?;
    Some(Nearest {
        mapping: candidate.name.clone(),
        missing: missing.into_iter().map(str::to_owned).collect(),
    })
}

/// Returns the record types that a file in our own format may have, with the number of their fields that it has. Types that erase
/// or link customers are never recognized, nor are rows that name their types.
fn record_types(shown: Shown<'_>) -> Vec<(&'static str, usize)> {
    let fields: Vec<&str> = match shown {
        Shown::Columns(columns) => columns
            .iter()
            .map(|name| name.trim().split(['.', '[']).next().unwrap_or_default())
            .collect(),
        Shown::Rows(rows) => rows
            .iter()
            .flat_map(|row| row.iter().map(|(name, _)| name))
            .collect(),
    };
    let has = |name: &str| fields.contains(&name);
    // Rows that contain nothing but identifiers may be meant to link or to erase customers.
    let is_link =
        |name: &&str| ["link", "records", "reinstate", "scope", "suppress"].contains(name);
    if has("record_type") || fields.iter().all(is_link) {
        return Vec::new();
    }
    let events = EventType::ALL.map(|kind| (kind.as_str(), RecordType::Event(kind)));
    let others = [
        ("customer_record", RecordType::CustomerRecord),
        ("attributes", RecordType::Attributes),
        ("product", RecordType::Product),
    ];
    let fitting = events.into_iter().chain(others).filter(|(_, kind)| {
        let required = kind.fields().iter().filter(|field| field.required);
        let mut required = required
            .map(|field| field.name)
            .chain(needed(*kind).iter().copied());
        let is_product = *kind != RecordType::Product
            || ["product_id", "sku", "upc"].iter().any(|id| has(id)) && !has("link");
        required.all(has) && is_product
    });
    let counted = fitting.map(|(name, kind)| {
        let known = kind.fields().iter().map(|field| field.name);
        let count = known
            .chain(extra(kind).iter().copied())
            .filter(|name| has(name))
            .count();
        (name, count)
    });
    counted.collect()
}
