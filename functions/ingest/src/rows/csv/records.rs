//! Decodes the records of a row for a mapping: their cells, in the order of the columns.

use std::borrow::Cow;

use super::{
    super::{Row, RowError, Warning},
    Csv, Meaning,
    cells::{Cells, cells},
    header::Header,
};

/// The records of a row, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records<'a> {
    /// The cells of each record.
    pub(crate) cells: Vec<Vec<Cow<'a, str>>>,
    /// What decoding changed. Each field is the name of a column.
    pub(crate) warnings: Vec<Warning>,
}

impl Csv {
    /// Returns the cells of the header without surrounding whitespace, once it has been read.
    pub(crate) fn header(&self) -> Option<&[String]> {
        self.header.as_ref().map(Header::names)
    }

    /// Decodes the records of a row: one, or those of a group.
    ///
    /// # Errors
    /// A record has a character after a closing quote, or the wrong number of cells.
    pub(crate) fn records<'a>(&self, row: &'a Row) -> Result<Records<'a>, RowError> {
        let mut records = Records::default();
        let Some(header) = &self.header else {
            return Ok(records);
        };
        if row.rows == 1 {
            records.add(&row.bytes, header, self.delimiter)?;
            return Ok(records);
        }
        let mut splitter = self.splitter_of(row, header);
        while let Some(record) = splitter.next() {
            // Nothing is taken, so the splitter has the bytes of the row.
            let bytes = &row.bytes[splitter.range(&record)];
            if !bytes.is_empty() && self.meaning(bytes) != Meaning::Skipped {
                records.add(bytes, header, self.delimiter)?;
            }
        }
        Ok(records)
    }
}

impl<'a> Records<'a> {
    /// Adds a record. Changes in columns without a name do not matter, because no mapping can name them.
    fn add(&mut self, record: &'a [u8], header: &Header, delimiter: u8) -> Result<(), RowError> {
        let Cells { texts, changed } = cells(record, delimiter)?;
        header.check_count(&texts)?;
        let changed = changed.into_iter().filter_map(|(column, change)| {
            let name = header.flat_name(column)?;
            Some(Warning::at(change, &name))
        });
        self.warnings.extend(changed);
        self.cells.push(texts);
        Ok(())
    }
}
