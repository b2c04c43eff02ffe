//! Reads mappings, and maps files with them as an import does.

use std::sync::LazyLock;

use shared::model::{identifier::IdentifierRules, identity::IdentityKey};

use super::{check_places, context, cut, is_accepted, reject_of};
use crate::{
    import::{
        drop_key::DropKey,
        inspect::{Contents, Expected, Inspected, decide},
        mappings::Candidates,
        reading::{MappedReading, Reading, Records},
    },
    mapping::{BUILT_IN, FileName, Mapping, Severity, built_in_candidates},
    record::{Context, RecordType},
    rows::{Fields, Format, Layout, MappedInput, Row, RowError, Rows, Start},
    source::inflate::{Extent, Peeked},
};

/// The built-in mappings, with which a file in `drop/auto/` is compared.
static CANDIDATES: LazyLock<Candidates> = LazyLock::new(|| {
    let mut candidates = Candidates::default();
    candidates.all = built_in_candidates(&[]);
    candidates
});

/// Returns the document of one of the built-in mappings.
#[must_use]
pub fn built_in(number: u8) -> &'static str {
    BUILT_IN[usize::from(number) % BUILT_IN.len()].1
}

/// Reads a mapping and maps a file with it, as a whole and `piece` bytes at a time. Both must have the same result. Returns how many
/// valid records were made; `None` if the mapping is invalid, or if the file is rejected as a whole.
pub fn mapping(document: &[u8], key: &str, text: &[u8], piece: usize) -> Option<usize> {
    let mapping = read(document)?;
    let drop = DropKey::parse(key).expect("a key");
    let (layout, contents) = inspected(&drop, Expected::Mapping(&mapping), text, piece)?;
    inspected(&drop, Expected::Recognizable(&CANDIDATES), text, piece);
    let new = || {
        let mapping = read(document).expect("a valid mapping");
        let name = FileName::new(key);
        let mut mapped = MappedReading::new(mapping, name, IdentifierRules::default());
        mapped.is_of_rejects = matches!(contents, Contents::Rejects(_));
        Reading::Mapped(Box::new(mapped))
    };
    let (whole, parts) = (new(), new());
    let (rows, found, broken) = cut(whole.rows(layout), text, text.len());
    let (rows_of_parts, found_of_parts, broken_of_parts) = cut(parts.rows(layout), text, piece);
    assert_eq!(
        (&found, &broken, rows.header()),
        (&found_of_parts, &broken_of_parts, rows_of_parts.header())
    );
    check_places(&found, layout.encoding, text);
    if broken.is_none() && layout.format == Format::Csv {
        check_groups(&mapping, layout, text, all_rows(&rows, &found));
    }
    let identity_key = IdentityKey::new("key").expect("a key");
    let context = context(&identity_key, &drop);
    let accepted = found.iter().map(|row| {
        let records = whole.records(&rows, row);
        assert_eq!(records, parts.records(&rows_of_parts, row));
        let expected = Expected::Mapping(&mapping);
        let check = |given: &Fields| check_again(&drop, expected, &whole, given);
        accepted_of_row(&context, (&whole, &rows), row, (records, &check))
    });
    Some(accepted.sum())
}

/// Reads a mapping; `None` if it is invalid, for which there must be a reason.
fn read(document: &[u8]) -> Option<Mapping> {
    match Mapping::read(document) {
        Ok((mapping, warnings)) => {
            assert!(warnings.iter().all(|it| it.severity == Severity::Warning));
            Some(mapping)
        }
        Err(faults) => {
            assert!(faults.iter().any(|it| it.severity == Severity::Error));
            assert!(faults.iter().all(|it| !it.problem.is_empty()));
            None
        }
    }
}

/// Returns how a file is written, and what it contains; `None` if it is empty or rejected as a whole. What its beginning shows must be
/// what the file shows.
fn inspected(
    drop: &DropKey,
    expected: Expected<'_>,
    text: &[u8],
    piece: usize,
) -> Option<(Layout, Contents)> {
    let peek = |start, extent| {
        let peeked = Peeked {
            start,
            extent,
            is_broken: false,
        };
        decide(drop, expected, peeked)
    };
    let decided = peek(text, Extent::Whole);
    match peek(&text[..text.len().min(piece * 16)], Extent::Beginning) {
        Ok(None) => {}
        of_part => assert_eq!(of_part, decided, "the result depends on the size of chunks"),
    }
    match decided {
        Ok(Some(Inspected::Content(layout, contents))) => Some((layout, contents)),
        Ok(Some(Inspected::Empty) | None) | Err(_) => None,
    }
}

/// Checks that the groups of a file contain all its rows: as many as there are without groups.
fn check_groups(mapping: &Mapping, layout: Layout, text: &[u8], grouped: u64) {
    let input = MappedInput {
        group: Vec::new(),
        ..mapping.input_of(layout.format)
    };
    let (rows, found, broken) = cut(Rows::mapped(layout, &input), text, text.len());
    assert_eq!(broken, None);
    assert_eq!(all_rows(&rows, &found), grouped, "rows of groups are lost");
}

/// Returns the number of rows, blank ones included.
fn all_rows(rows: &Rows, found: &[Row]) -> u64 {
    let counts = found.iter().map(|row| row.rows + row.skipped);
    counts.sum::<u64>() + rows.skipped_at_end()
}

/// Returns how many records of a row are valid. A row without records is skipped, and an error must have a reason.
fn accepted_of_row(
    context: &Context<'_>,
    (reading, rows): (&Reading, &Rows),
    row: &Row,
    (records, check): (Result<Records, RowError>, &dyn Fn(&Fields)),
) -> usize {
    let records = records.unwrap_or_else(|error| vec![Err(error)]);
    let accepted = records
        .into_iter()
        .enumerate()
        .filter_map(|(number, record)| {
            let row = Row {
                record: Some(number),
                ..row.clone()
            };
            match record {
                Ok(fields) => {
                    let (_, given) = reading.rejected(rows, &row);
                    let given = given.expect("the record");
                    assert_eq!((&given.map, given.notation), (&fields.map, fields.notation));
                    check(&given);
                    is_accepted(context, &row, fields).then_some(())
                }
                Err(error) => {
                    assert!(!error.problem.is_empty());
                    None
                }
            }
        });
    accepted.count()
}

/// Checks that the reject of a record, dropped again into the same folder, is the same record. It must not erase a customer.
fn check_again(drop: &DropKey, expected: Expected<'_>, reading: &Reading, given: &Fields) {
    let record_type = given.map.text("record_type").map(str::parse);
    assert_ne!(record_type, Some(Ok(RecordType::Forget)));
    let reject = reject_of(given);
    let mut lines = Rows::lines(Start::Cut(0), None, None);
    lines.push(reject.as_bytes());
    let row = lines.finish().expect("a row");
    let Ok(again) = reading.records(&lines, &row) else {
        // The reject nests deeper than its record, or it is larger than a row may be.
        return;
    };
    let contents = inspected(drop, expected, reject.as_bytes(), reject.len());
    let contents = contents.map(|(_, contents)| contents);
    assert_eq!(contents, Some(Contents::Rejects(None)), "{reject}");
    let [Ok(again)] = &again[..] else {
        panic!("{again:?} instead of {given:?}");
    };
    assert_eq!((&again.map, again.notation), (&given.map, given.notation));
}
