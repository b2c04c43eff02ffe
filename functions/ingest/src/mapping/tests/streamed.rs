//! The streaming reader gives the rows of whole files.

use ::tests::exports::SAMPLES;

use super::{support::*, *};
use crate::{
    rows::{Layout, MappedInput, Rows},
    source::inflate::Extent,
};

/// Maps a file that arrives in chunks of this size.
fn map_chunks(mapping: &Mapping, name: &str, bytes: &[u8], chunk: usize) -> Vec<Mapped> {
    let extension = name.rsplit('.').next();
    let formats = [Format::Csv, Format::Json, Format::Ndjson].into_iter();
    let format = formats
        .into_iter()
        .find(|it| Some(it.as_str()) == extension);
    let layout = Layout::detect(format, bytes, Extent::Whole)
        .unwrap()
        .unwrap();
    let group = mapping.group.iter();
    let group = group.map(|name| {
        mapping
            .names
            .text(mapping.cell_of(*name).unwrap())
            .to_owned()
    });
    let input = MappedInput {
        group: group.collect(),
        skip_lines: mapping.input.skip_lines,
        rows: mapping.input.rows.clone(),
    };
    let mut rows = Rows::mapped(layout, &input);
    let mut found = Vec::new();
    for chunk in bytes.chunks(chunk) {
        rows.push(chunk);
        found.extend(std::iter::from_fn(|| rows.next()));
    }
    found.extend(std::iter::from_fn(|| rows.finish()));
    assert_eq!(rows.error(), None, "{name}");
    let (binding, notation) = match rows.header() {
        Some(header) => (Binding::new(mapping, header), Notation::Csv),
        None => (Binding::default(), Notation::Json),
    };
    let context = Context {
        mapping,
        binding: &binding,
        file: &FileName::new(name),
        identifiers: Identifiers {
            rules: IdentifierRules::default(),
            notation,
        },
    };
    let mapped = found.iter().map(|row| match notation {
        Notation::Json => map(&context, &[Row::Json(&rows.fields(row).unwrap().map)]).unwrap(),
        Notation::Csv => {
            let records = rows.records(row).unwrap();
            let records: Vec<_> = records
                .cells
                .iter()
                .map(|cells| Row::Cells(cells))
                .collect();
            map(&context, &records).unwrap()
        }
    });
    mapped.collect()
}

#[test]
fn samples_are_the_same_in_chunks() {
    for (name, built_in_name) in SAMPLES {
        let mapping = mapping(built_in(built_in_name).unwrap());
        let whole = map_file(&mapping, name, &file(name, &read(name)));
        let bytes = fs::read(sample(name)).unwrap();
        for chunk in [7, 4096] {
            let mapped = map_chunks(&mapping, name, &bytes, chunk);
            assert_eq!(mapped, whole, "{name}");
        }
    }
}
