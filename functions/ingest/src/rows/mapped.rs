//! Reads files for a mapping: CSV with any header, or JSON with the rows in a list anywhere in a document.

use super::{
    Csv, Document, Format, Layout, Lines, Reader, Records, RecordsField, Row, RowError, Rows,
    SkippedLines, Transcoder,
};
use crate::source::inflate::Extent;

/// How a mapping reads the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MappedInput {
    /// CSV: the columns whose equal cells make adjacent records one row. Empty if each record is a row.
    pub(crate) group: Vec<String>,
    /// The number of lines before the header (CSV) or the first row.
    pub(crate) skip_lines: u64,
    /// JSON: the path of the list of rows in a document; `None` if the rows are the values of the file.
    pub(crate) rows: Option<String>,
}

impl Rows {
    /// Splits a whole file that a mapping reads.
    pub(crate) fn mapped(layout: Layout, input: &MappedInput) -> Self {
        let reader = match (layout.format, &input.rows) {
            (Format::Csv, _) => {
                let delimiter = layout.delimiter.unwrap_or(',');
                Reader::Csv(Box::new(Csv::mapped(delimiter, input.group.clone())))
            }
            (Format::Ndjson | Format::Json, Some(path)) => {
                Reader::Document(Box::new(Document::with_list_at(path)))
            }
            (Format::Ndjson, None) => Reader::Lines(Lines::new()),
            // A field `records` has no meaning here.
            (Format::Json, None) => Reader::Document(Box::new(Document::new(RecordsField::Links))),
        };
        Self {
            reader,
            skipped_lines: SkippedLines::new(input.skip_lines),
            transcoder: Transcoder::new(layout.encoding),
        }
    }

    /// Returns the cells of the header of a CSV file without surrounding whitespace, once it has been read.
    pub(crate) fn header(&self) -> Option<&[String]> {
        match &self.reader {
            Reader::Csv(csv) => csv.header(),
            Reader::Lines(_) | Reader::Document(_) => None,
        }
    }

    /// Decodes the records of a row of a mapped CSV file: one, or those of a group.
    ///
    /// # Errors
    /// The row cannot be split into its records, or a record not into its cells.
    pub(crate) fn records<'a>(&self, row: &'a Row) -> Result<Records<'a>, RowError> {
        if let Some(error) = row.framing_error {
            return Err(error.into());
        }
        match &self.reader {
            Reader::Csv(csv) => csv.records(row),
            Reader::Lines(_) | Reader::Document(_) => Ok(Records::default()),
        }
    }
}

impl Layout {
    /// Returns the cells of the header that follows `skip_lines` lines, as a mapping reads them. `start` is the beginning of the
    /// decompressed content. Returns `None` if more of it is needed, and no cells if there
    /// is no valid header, which reading the file reports.
    pub(crate) fn columns_after(
        self,
        skip_lines: u64,
        start: &[u8],
        extent: Extent,
    ) -> Option<Vec<String>> {
        let mut rows = Rows::mapped(
            Self {
                format: Format::Csv,
                ..self
            },
            &MappedInput {
                skip_lines,
                ..MappedInput::default()
            },
        );
        rows.push(start);
        let mut row = rows.next();
        if row.is_none() && extent.is_whole() {
            row = rows.finish();
        }
        let is_decided = row.is_some() || rows.error().is_some() || extent.is_whole();
        let header = rows.header().map(<[String]>::to_vec);
        header.or_else(|| is_decided.then(Vec::new))
    }
}
