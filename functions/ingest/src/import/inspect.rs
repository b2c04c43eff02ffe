//! Looks at the beginning of a dropped file before its import is planned: how it is written, and whether its header fits.

use crate::{
    IngestError,
    import::drop_key::DropKey,
    record::header,
    rows::{self, Format, Layout, RowErrorCode, Rows},
    source::FileError,
    source::inflate::{Inflated, Peeked},
};

/// The number of rows that are compared with the header.
const SAMPLE_ROWS: u64 = 20;
/// The minimum number of rows that show that the header is wrong. A single row may be wrong itself.
const MIN_SAMPLE_ROWS: usize = 2;

/// What the beginning of a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inspected {
    /// The file contains nothing but whitespace.
    Empty,
    /// The file has rows.
    Content(Layout),
}

/// Inspects the beginning of a file. Its bytes are read again later. The inner error is that of the file.
pub(crate) async fn inspect(
    stream: &mut Inflated<'_>,
    drop: &DropKey,
) -> Result<Result<Inspected, FileError>, IngestError> {
    let decided = stream.peek(|peeked| decide(drop, peeked).transpose());
    let undecided = || Ok(Inspected::Content(Layout::new(Format::Ndjson)));
    Ok(decided.await?.unwrap_or_else(undecided))
}

/// Returns what the beginning of a file shows; `None` if more of the file is needed.
fn decide(drop: &DropKey, peeked: Peeked<'_>) -> Result<Option<Inspected>, FileError> {
    let Peeked { start, is_all, .. } = peeked;
    if is_all && !peeked.is_broken && rows::is_blank(start) {
        return Ok(Some(Inspected::Empty));
    }
    let Some(layout) = Layout::detect(drop.format, start, is_all)? else {
        return Ok(None);
    };
    if layout.format == Format::Csv && !is_header_checked(layout, drop, peeked)? {
        return Ok(None);
    }
    Ok(Some(Inspected::Content(layout)))
}

/// Checks the header of a CSV file. Returns `false` if more of the file is needed.
///
/// # Errors
/// No column can name the customer, or the header has another number of columns than each of the first rows.
fn is_header_checked(
    layout: Layout,
    drop: &DropKey,
    peeked: Peeked<'_>,
) -> Result<bool, FileError> {
    let is_last = peeked.is_last();
    let Some(columns) = layout.columns(peeked.start, is_last) else {
        return Ok(false);
    };
    header::check(&columns, drop.record_type)?;
    let mut rows = Rows::new(layout, drop.records_field());
    rows.push(peeked.start);
    let (mut sample, mut read) = (Vec::new(), 0);
    while read < SAMPLE_ROWS {
        let row = rows
            .next()
            .or_else(|| peeked.is_all.then(|| rows.finish())?);
        let Some(row) = row else { break };
        read += row.rows;
        sample.push(row);
    }
    if rows.error().is_some() {
        // Reading the file reports the error.
        return Ok(true);
    }
    if read < SAMPLE_ROWS && !is_last {
        return Ok(false);
    }
    let errors = sample.iter().map(|row| (row.line, rows.fields(row).err()));
    let mut mismatches = errors.map_while(|(line, error)| {
        let error = error.filter(|error| error.code == RowErrorCode::WrongCellCount)?;
        Some((line, error))
    });
    let first = mismatches.next();
    let count = 1 + mismatches.count();
    match first {
        Some((line, error)) if count >= MIN_SAMPLE_ROWS && count == sample.len() => {
            Err(header::mismatch(&columns, line, &error))
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::FileErrorKind;

    fn peeked(start: &[u8], is_all: bool) -> Peeked<'_> {
        Peeked {
            start,
            is_all,
            is_broken: false,
        }
    }

    fn inspected(key: &str, text: &str) -> Result<Inspected, FileError> {
        let drop = DropKey::parse(&format!("drop/{key}")).unwrap();
        decide(&drop, peeked(text.as_bytes(), true)).map(Option::unwrap)
    }

    fn format(key: &str, text: &str) -> Option<Format> {
        match inspected(key, text).unwrap() {
            Inspected::Empty => None,
            Inspected::Content(layout) => Some(layout.format),
        }
    }

    #[test]
    fn tells_empty_files() {
        for name in ["a.csv", "a.json", "a.ndjson", "a"] {
            for text in ["", " \r\n", "\u{feff}\n"] {
                assert_eq!(format(&format!("purchase/{name}"), text), None, "{name}");
            }
        }
        // What could not be decompressed is not empty.
        let broken = Peeked {
            is_broken: true,
            ..peeked(b"", true)
        };
        let drop = DropKey::parse("drop/purchase/a.gz").unwrap();
        let layout = Layout::new(Format::Ndjson);
        assert_eq!(decide(&drop, broken), Ok(Some(Inspected::Content(layout))));
    }

    #[test]
    fn tells_format() {
        assert_eq!(format("purchase/a", "{\"a\":1}\n"), Some(Format::Ndjson));
        assert_eq!(
            format("purchase/a.txt", "link.email\ta\n"),
            Some(Format::Csv)
        );
        assert_eq!(format("purchase/a.csv", "[{}]"), Some(Format::Json));
        let unknown = inspected("purchase/a.log", "12:00 started").unwrap_err();
        assert_eq!(unknown.kind, FileErrorKind::UnsupportedFormat);
    }

    #[test]
    fn rejects_header_without_customer() {
        for (key, text, fix) in [
            (
                "customer_record/a.csv",
                "Email,Name\na@b.c,Ann\n",
                "Rename `Email` to `link.email`",
            ),
            (
                "customer_record/a.csv",
                "sep=;\nE-Mail;Name\n",
                "Rename `E-Mail` to `link.email`",
            ),
            (
                "customer_record/a.csv",
                "\"phone\nnumber\";Name\n",
                "Add a column",
            ),
            (
                "customer_record/a.csv",
                "a@b.c,Ann\n",
                "values instead of names",
            ),
            (
                "product/a.tsv",
                "Barcode\tName\n1\tx\n",
                "Rename `Barcode` to `upc`",
            ),
        ] {
            let error = inspected(key, text).unwrap_err();
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader, "{text}");
            assert!(error.detail.contains(fix), "{}", error.detail);
        }
        for (key, text) in [
            ("mixed/a.csv", "record_type,Email\n"),
            ("product/a.csv", "sku,Name\n"),
            ("purchase/a.csv", "link.email\n"),
        ] {
            assert_eq!(format(key, text), Some(Format::Csv), "{text}");
        }
    }

    #[test]
    fn rejects_header_that_fits_no_row() {
        for text in [
            "link.email,name\na@b.c,Ann,x\nb@b.c,Bea,y\n",
            "link.email,name,city\na@b.c,Ann\nb@b.c,Bea",
            &format!("link.email,name\n{}", "a@b.c,Ann,x\n".repeat(30)),
            "link.email;name\na@b.c;Ann;x\nb@b.c;Bea;y\n",
        ] {
            let error = inspected("customer_record/a.csv", text).unwrap_err();
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader);
            assert!(
                error.detail.contains("the row at line 2 has"),
                "{}",
                error.detail
            );
            assert!(
                error.detail.contains("`link.email`, `name`"),
                "{}",
                error.detail
            );
        }
        for text in [
            // A single row may be wrong itself, and so may several.
            "link.email,name\na@b.c,Ann,x\n",
            "link.email,name\na@b.c,Ann,x\nb@b.c,Bea\n",
            &format!("link.email,name\nb@b.c,Bea\n{}", "a@b.c,Ann,x\n".repeat(30)),
            // Cells after the last column are empty.
            "link.email,name\na@b.c,Ann,,\nb@b.c,Bea,,\n",
            "link.email,name\n\"a\"x,Ann,x\n\"b\"y,Bea,y\n",
        ] {
            assert_eq!(
                format("customer_record/a.csv", text),
                Some(Format::Csv),
                "{text}"
            );
        }
    }

    /// The reader reports an error in the syntax of the header.
    #[test]
    fn leaves_malformed_header_to_reader() {
        for text in ["link.email,link.email\n1,2\n1,2\n", "link.email,\"x\n"] {
            assert_eq!(format("purchase/a.csv", text), Some(Format::Csv), "{text}");
        }
    }

    proptest! {
        /// What is found in some bytes is found in more bytes too.
        #[test]
        fn more_bytes_do_not_change_result(
            rows in prop::collection::vec(prop::sample::select(vec!["a@b.c,Ann", "a@b.c,Ann,x", "a", "\"x\ny\",z", "", "link.email,name"]), 0..60),
            header in prop::sample::select(vec!["link.email,name", "Email,name", "{\"a\":1}", "link.email,link.email"]),
            name in prop::sample::select(vec!["a.csv", "a", "a.ndjson"]),
        ) {
            let text = format!("{header}\n{}\n", rows.join("\n"));
            let drop = DropKey::parse(&format!("drop/purchase/{name}")).unwrap();
            let whole = decide(&drop, peeked(text.as_bytes(), true));
            for end in (0..text.len()).step_by(5) {
                let partial = decide(&drop, peeked(&text.as_bytes()[..end], false));
                if partial != Ok(None) {
                    prop_assert_eq!(partial, whole.clone());
                }
            }
        }
    }
}
