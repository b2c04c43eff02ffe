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

/// The open files, by record type and source.
struct Files {
    folder: PathBuf,
    open: BTreeMap<(&'static str, &'static str), BufWriter<File>>,
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

    fn write(
        &mut self,
        record_type: &'static str,
        source: &'static str,
        row: &Value,
    ) -> io::Result<()> {
        let file = match self.open.entry((record_type, source)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let folder = self.folder.join(record_type).join(source);
                fs::create_dir_all(&folder)?;
                self.summary.files += 1;
                let file = File::create(folder.join(format!("{record_type}.ndjson")))?;
                entry.insert(BufWriter::new(file))
            }
        };
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.summary.rows += 1;
        self.summary.bytes += line.len() as u64;
        file.write_all(&line)
    }

    fn finish(self) -> io::Result<Summary> {
        for mut file in self.open.into_values() {
            file.flush()?;
        }
        Ok(self.summary)
    }
}
