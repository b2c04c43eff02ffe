//! Accounts for the records of a file: counts, warnings, unknown fields, the reasons of rejects, and records that replace others.

use crate::{
    import::plan::Progress,
    import::reading::Reading,
    import::replaced::{self, Preceding, Relation},
    record::{MappedRecord, Rejection},
    report::tally::Place,
    rows::{Row, Rows, Warning, WarningCode},
};

/// Where the records of a file are counted, and what they are compared with.
pub(crate) struct Account<'a> {
    pub(crate) progress: &'a mut Progress,
    pub(crate) preceding: &'a mut Preceding,
    pub(crate) reading: &'a Reading,
    pub(crate) rows: &'a Rows,
}

impl Account<'_> {
    /// Counts the warnings and unknown fields of a record, and the record that it replaces.
    pub(crate) fn accept(&mut self, row: &Row, mapped: &MappedRecord) {
        let place = self.progress.place(row);
        let tally = &mut self.progress.tally;
        for warning in &mapped.warnings {
            tally.warn(warning, Some(place));
        }
        for field in &mapped.unknown {
            tally.unknown(field);
        }
        let Some(write) = mapped.writes.first() else {
            return;
        };
        let before = match self.preceding.add(row, write.key()) {
            Relation::New => return,
            Relation::Identical => {
                tally.warn(&Warning::whole(WarningCode::IdenticalRows), Some(place));
                return;
            }
            Relation::Adjacent(before) => before,
            Relation::Earlier => None,
        };
        self.progress.counts.replaced += before.as_ref().map_or(1, Row::count);
        let fields = before.and_then(|before| {
            let before = self.reading.fields(self.rows, &before)?;
            let after = self.reading.fields(self.rows, row)?;
            Some(replaced::different_fields(&before.map, &after.map))
        });
        self.warn_replaced(&fields.unwrap_or_default(), place);
    }

    /// Counts a record whose main item a later record of the row replaces.
    pub(crate) fn replace(&mut self, row: &Row) {
        let place = self.progress.place(row);
        self.progress.counts.replaced += 1;
        self.warn_replaced(&[], place);
    }

    fn warn_replaced(&mut self, fields: &[String], place: Place) {
        let tally = &mut self.progress.tally;
        for field in fields {
            let warning = Warning::at(WarningCode::ReplacedInFile, field);
            tally.warn(&warning, Some(place));
        }
        if fields.is_empty() {
            tally.warn(&Warning::whole(WarningCode::ReplacedInFile), Some(place));
        }
    }
}

impl Progress {
    /// Returns where a row begins.
    pub(crate) fn place(&self, row: &Row) -> Place {
        Place {
            line: self.line.and(Some(row.line)),
            offset: row.offset,
        }
    }

    /// Counts a rejected record.
    pub(crate) fn reject(&mut self, row: &Row, rejection: &Rejection) {
        let place = self.place(row);
        self.counts.rejected += row.count();
        for error in &rejection.errors {
            self.tally.reject(error, row.count(), place);
        }
        for field in &rejection.unknown {
            self.tally.unknown(field);
        }
    }
}
