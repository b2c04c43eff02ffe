//! The pages about mappings: tables, examples and messages are those of the code.

use std::collections::BTreeSet;

use ::tests::exports::SAMPLES;

use super::{support::*, *};

const OVERVIEW: &str = include_str!("../../../../../infra/docs/guides/exports/README.md");
const REFERENCE: &str = include_str!("../../../../../infra/docs/reference/mappings.md");
const OWN: &str = include_str!("../../../../../infra/docs/guides/own-mappings.md");

macro_rules! page {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!(
                "../../../../../infra/docs/guides/exports/",
                $name,
                ".md"
            )),
        )
    };
}

/// The page of each system, by the source of its mappings.
const SYSTEMS: [(&str, &str); 9] = [
    page!("brevo"),
    page!("hubspot"),
    page!("klaviyo"),
    page!("mailchimp"),
    page!("segment"),
    page!("sendgrid"),
    page!("shopify"),
    page!("square"),
    page!("zendesk"),
];

/// Returns the cells of the first table with this header, a row each.
fn table<'a>(page: &'a str, header: &str) -> Vec<Vec<&'a str>> {
    let rows = page.lines().skip_while(|line| *line != header).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect())
        .collect();
    assert_ne!(rows.len(), 0, "{header}");
    rows
}

/// Returns the code spans of a text.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(opened) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let block: String = lines
            .by_ref()
            .take_while(|line| line.trim_start() != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        if opened == language {
            blocks.push(block);
        }
    }
    blocks
}

/// Returns the record types that a document may produce.
fn types(document: &Map) -> BTreeSet<&str> {
    let entries = document.list("records").iter().filter_map(Value::as_map);
    let mut types = BTreeSet::new();
    for entry in entries {
        match entry.get("type").unwrap() {
            Value::Text(name) => types.extend([name.as_str()]),
            chosen => {
                let values = chosen.as_map().and_then(|it| it.get("values")?.as_map());
                types.extend(values.unwrap().iter().filter_map(|(_, it)| it.as_text()));
            }
        }
    }
    types
}

#[test]
fn overview_lists_each_built_in_mapping() {
    let header = "| Mapping | Export | Record types | Source | Recognized |";
    let rows = table(OVERVIEW, header);
    let names: Vec<_> = rows.iter().map(|row| code(row[0])[0]).collect();
    let built_in_names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, built_in_names);
    for (row, (name, document)) in rows.iter().zip(BUILT_IN) {
        let mapping = mapping(document);
        let document = json::object(document).unwrap();
        let listed: BTreeSet<_> = code(row[2]).into_iter().collect();
        assert_eq!(listed, types(&document), "{name}");
        assert_eq!(code(row[3]), [mapping.source.as_deref().unwrap()], "{name}");
        let is_exact = mapping.recognize.unwrap().exact;
        assert!(row[4].starts_with("yes"), "{name}");
        assert_eq!(
            row[4].ends_with("with no other columns"),
            is_exact,
            "{name}"
        );
    }
}

/// Returns the section about a mapping, or the whole page if it has none.
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let mut sections = page.split("\n## ").skip(1);
    let found = sections.find(|section| {
        let title = section.lines().next().unwrap_or_default();
        title.split(' ').any(|word| word == name)
    });
    found.unwrap_or(page)
}

/// Returns whether a text contains a name as code, by itself or at the end of a path.
fn is_named(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        matches!(before, Some('`' | '.')) && matches!(after, Some('`' | '['))
    })
}

/// Returns a path with `[]` for each index.
fn without_indexes(path: &str) -> String {
    let digits = |c: char| c.is_ascii_digit();
    let parts = path.split('[').map(|part| match part.split_once(']') {
        Some((index, rest)) if index.chars().all(digits) => format!("]{rest}"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("[")
}

#[test]
fn each_system_has_a_page_about_its_mappings() {
    for (name, document) in BUILT_IN {
        let mapping = mapping(document);
        let source = mapping.source.as_deref().unwrap();
        let page = SYSTEMS.iter().find(|(system, _)| *system == source);
        let page = page.unwrap_or_else(|| panic!("{source}")).1;
        assert!(code(page).contains(name), "{name}");
        assert!(page.contains(&format!("drop/{name}/")), "{name}");
        let section = section(page, name);
        for column in mapping.names.iter() {
            let column = without_indexes(column);
            assert!(is_named(section, &column), "{name}: {column}");
        }
    }
}

#[test]
fn samples_give_the_counts_of_the_pages() {
    for (system, page) in SYSTEMS {
        let rows = table(page, "| Sample | Rows | Skipped | Records |");
        let of_system = |(sample, _): &&(&str, &str)| sample.starts_with(&format!("{system}/"));
        assert_eq!(rows.len(), SAMPLES.iter().filter(of_system).count());
        for row in rows {
            let sample = format!("{system}/{}", code(row[0])[0]);
            let built_in_name = SAMPLES.iter().find(|(name, _)| *name == sample).unwrap().1;
            let file = file(&sample, &read(&sample));
            let lines = match &file {
                File::Csv { rows, .. } => rows.len(),
                File::Json(rows) => rows.len(),
            };
            let mapped = map_file(&mapping(built_in(built_in_name).unwrap()), &sample, &file);
            let skipped = mapped.iter().filter(|it| it.skipped).count();
            let records: usize = mapped.iter().map(|it| it.records.len()).sum();
            let counts = [lines, skipped, records].map(|count| count.to_string());
            assert_eq!(row[1..], counts, "{sample}");
        }
    }
}

#[test]
fn documents_of_the_pages_are_valid() {
    let pages = SYSTEMS.iter().map(|(_, page)| *page);
    let documents = pages
        .chain([OVERVIEW, REFERENCE, OWN])
        .flat_map(|page| blocks(page, "json"))
        .filter(|block| block.contains("\"mapping\": 1"));
    let mut count = 0;
    for document in documents {
        let (_, warnings) = Mapping::read(document.as_bytes())
            .unwrap_or_else(|faults| panic!("{document}\n{faults:#?}"));
        assert_eq!(warnings, []);
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn steps_give_the_results_of_the_reference() {
    for row in table(REFERENCE, "| Cell | Value | Result |") {
        let [cell, value, result] = row[..] else {
            panic!("{row:?}")
        };
        let text = format!(
            r#"{{"mapping": 1, "records": [{{"type": "attributes", "record": {{"link": {{"email": "E"}}, "attributes": {{"a": {{"x": {}}}}}}}}}]}}"#,
            code(value)[0]
        );
        let mut input = Map::new();
        input.insert("E", "a@b.co");
        input.insert("C", code(cell)[0]);
        let mapped = map_file(&mapping(&text), "", &File::Json(vec![input])).remove(0);
        let made = super::name::find(&mapped.records[0].record, "attributes.a.x");
        assert_eq!(made, json::value(code(result)[0]).as_ref(), "{value}");
    }
}

#[test]
fn conditions_of_the_reference_are_valid() {
    for row in table(REFERENCE, "| Condition | Holds if |") {
        for condition in code(row[0]) {
            let text = format!(
                r#"{{"mapping": 1, "records": [{{"type": "attributes", "each": "list", "when": {condition},
                    "record": {{"link": {{"email": "E"}}, "attributes": {{"a": {{"x": "X"}}}}}}}}]}}"#
            );
            assert!(Mapping::read(text.as_bytes()).is_ok(), "{condition}");
        }
    }
}

#[test]
fn messages_of_the_reference_are_those_of_the_code() {
    let sources = [
        include_str!("../options.rs"),
        include_str!("../parse.rs"),
        include_str!("../fault.rs"),
        include_str!("../validate.rs"),
    ]
    .concat();
    for row in table(REFERENCE, "| Message | Cause and fix |") {
        for part in code(row[0])[0].split('…') {
            assert!(sources.contains(part.trim()), "{part}");
        }
    }
}

/// Returns the codes and fields for which records are rejected, and how many are.
fn rejections(mapping: &Mapping, file: &File) -> (BTreeSet<(String, String)>, usize) {
    let records = map_file(mapping, "receipts.csv", file)
        .into_iter()
        .flat_map(|mapped| mapped.records);
    let (mut reasons, mut rejected) = (BTreeSet::new(), 0);
    for record in records {
        let errors = errors(record.into_fields(Notation::Csv).unwrap());
        rejected += usize::from(!errors.is_empty());
        reasons.extend(errors.into_iter().map(|error| {
            let field = without_indexes(&error.field.unwrap_or_default());
            (error.code.as_str().to_owned(), field)
        }));
    }
    (reasons, rejected)
}

/// Returns the counts of a report on a page: rows that were read and skipped, records that were read, and rejected ones.
fn counts(line: &str) -> [String; 4] {
    let report = json::object(line).unwrap();
    ["rows.read", "rows.skipped", "read", "rejected"].map(|path| {
        match super::name::find(&report, path) {
            Some(Value::Number(number)) => number.clone(),
            other => panic!("{path}: {other:?}"),
        }
    })
}

#[test]
fn own_mapping_gives_the_records_of_its_page() {
    let csv = blocks(OWN, "csv").remove(0);
    let documents = blocks(OWN, "json");
    let (first, last) = (&documents[0], documents.last().unwrap());
    assert_eq!(csv, read("own/receipts.csv"));
    assert_eq!(*last, read("own/pos-receipts.json"));
    let file = file("receipts.csv", &csv);
    let texts = blocks(OWN, "text");

    // The first version: what the try reports.
    let (reasons, rejected) = rejections(&mapping(first), &file);
    let mut lines = texts[0].lines();
    let [rows, skipped, records, of_page] = counts(lines.next().unwrap());
    assert_eq!([rows.as_str(), &skipped, &records], ["6", "0", "5"]);
    assert_eq!(of_page, rejected.to_string());
    let listed = lines.map(|line| {
        let pair = json::value(line).unwrap();
        let texts: Vec<_> = pair.as_list().iter().filter_map(Value::as_text).collect();
        (texts[0].to_owned(), texts[1].to_owned())
    });
    assert_eq!(listed.collect::<BTreeSet<_>>(), reasons);

    // The complete one: the records of the page.
    let mapping = mapping(last);
    let made: Vec<_> = as_json(&mapping, "receipts.csv", &file)
        .iter()
        .map(|record| json::object(record).unwrap())
        .collect();
    assert_eq!(made, objects(&blocks(OWN, "ndjson")[0]));
    assert_eq!(rejections(&mapping, &file), (BTreeSet::new(), 0));
    let mapped = map_file(&mapping, "receipts.csv", &file);
    let skipped = mapped.iter().filter(|it| it.skipped).count();
    let counted = [6 - skipped, skipped, made.len(), 0].map(|count| count.to_string());
    assert_eq!(counts(texts[1].trim()), counted);
}
