#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

mod catalogue;
mod clock;
mod customer;
mod engagement;
mod events;
mod files;
mod habits;
mod images;
mod messages;
mod orders;
mod outlet;
mod people;
#[cfg(test)]
mod tests;

pub use files::{files, folder, image_folder};

/// The totals of the generated data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of files.
    pub files: u64,
    /// The number of rows.
    pub rows: u64,
    /// The size of the files, in bytes.
    pub bytes: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows in {} files, {} bytes",
            self.rows, self.files, self.bytes
        )
    }
}

/// Writes the files of `customers` customers under `out`: rows to `drop/`, product images to `images/`.
///
/// # Errors
/// A file cannot be written.
pub fn generate(customers: u32, seed: u64, out: &Path) -> io::Result<Summary> {
    let mut files = Files::new(out.join("drop"));
    for product in catalogue::products() {
        files.write("product", "catalogue", &product.row())?;
    }
    for index in 0..customers {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Stream 0 is reserved for data that does not belong to a customer.
        random.set_stream(u64::from(index) + 1);
        customer::write(index, &mut random, &mut files)?;
    }
    let summary = files.finish()?;
    images::write(&out.join("images"))?;
    Ok(summary)
}

/// The open files, by path below the folder.
struct Files {
    folder: PathBuf,
    open: BTreeMap<String, BufWriter<File>>,
    summary: Summary,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// Writes a record to the NDJSON file of its type and source.
    fn write(&mut self, record_type: &str, source: &str, row: &Value) -> io::Result<()> {
        let line = serde_json::to_string(row)?;
        let path = format!("{record_type}/{source}/{record_type}.ndjson");
        self.write_row(path, "", &line)
    }

    /// Writes a row to a CSV file. Columns without a cell are empty.
    fn write_csv(
        &mut self,
        path: &str,
        columns: &[&str],
        cells: &BTreeMap<&str, String>,
    ) -> io::Result<()> {
        debug_assert!(cells.keys().all(|name| columns.contains(name)));
        let cell = |name| cells.get(name).map_or(String::new(), |text| quoted(text));
        let row: Vec<_> = columns.iter().map(cell).collect();
        let header = columns.join(",") + "\n";
        self.write_row(path.to_owned(), &header, &row.join(","))
    }

    /// Writes a row to a file. A new file begins with the header.
    fn write_row(&mut self, path: String, header: &str, row: &str) -> io::Result<()> {
        let file = match self.open.entry(path) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let path = self.folder.join(entry.key());
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let mut file = BufWriter::new(File::create(path)?);
                file.write_all(header.as_bytes())?;
                self.summary.files += 1;
                self.summary.bytes += header.len() as u64;
                entry.insert(file)
            }
        };
        self.summary.rows += 1;
        self.summary.bytes += row.len() as u64 + 1;
        file.write_all(row.as_bytes())?;
        file.write_all(b"\n")
    }

    fn finish(self) -> io::Result<Summary> {
        for mut file in self.open.into_values() {
            file.flush()?;
        }
        Ok(self.summary)
    }
}

/// Returns a cell of a CSV file, in quotes if its text needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
