//! The ways in which another system may write the same export.

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};

/// The name of the variant with columns that no mapping names.
pub(super) const MORE_COLUMNS: &str = "with more columns";

/// Returns all bytes that an encoder makes.
fn all(mut encoder: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut encoder, &mut bytes);
    futures::executor::block_on(read).unwrap();
    bytes
}

/// A CSV text in cells, with their quotes. The first row is the header.
struct Cells {
    delimiter: &'static str,
    rows: Vec<Vec<String>>,
}

impl Cells {
    fn of(text: &str) -> Self {
        let header = text.lines().next().unwrap();
        let delimiter = if header.contains(';') { ';' } else { ',' };
        let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
        let mut quoted = false;
        for character in text.trim_end().chars() {
            quoted ^= character == '"';
            let row = rows.last_mut().unwrap();
            match character {
                '\n' if !quoted => rows.push(vec![String::new()]),
                '\r' if !quoted => {}
                character if character == delimiter && !quoted => row.push(String::new()),
                character => row.last_mut().unwrap().push(character),
            }
        }
        let delimiter = if delimiter == ';' { ";" } else { "," };
        Self { delimiter, rows }
    }

    fn text(&self, line_end: &str) -> Vec<u8> {
        let rows = self.rows.iter().map(|row| row.join(self.delimiter));
        rows.collect::<Vec<_>>().join(line_end).into_bytes()
    }

    /// Reverses the order of the columns.
    fn with_columns_reversed(mut self) -> Self {
        for row in &mut self.rows {
            row.reverse();
        }
        self
    }

    /// Reverses the order of the groups. The rows of a group keep their order. Without columns, each row is a group.
    fn with_groups_reversed(mut self, columns: &[String]) -> Self {
        let header = &self.rows[0];
        let places = columns.iter().map(|column| {
            let named = |name: &String| name.trim_matches('"') == column;
            header.iter().position(named).unwrap()
        });
        let places: Vec<_> = places.collect();
        let is_same = |a: &Vec<String>, b: &Vec<String>| {
            !places.is_empty() && places.iter().all(|place| a[*place] == b[*place])
        };
        let rows = self.rows.split_off(1);
        let groups: Vec<_> = rows.chunk_by(is_same).collect();
        self.rows
            .extend(groups.into_iter().rev().flatten().cloned());
        self
    }

    /// Adds a column that no mapping names at the start, and one without a name at the end.
    fn with_more_columns(mut self) -> Self {
        for (number, row) in self.rows.iter_mut().enumerate() {
            let (first, last) = if number == 0 {
                ("Our own notes".to_owned(), String::new())
            } else {
                (format!("\"'={number}; \"\"é\"\",\n\""), number.to_string())
            };
            row.insert(0, first);
            row.push(last);
        }
        self
    }
}

/// Returns the ways in which a sample may be written, with names. `group` has the columns that the rows of a group share.
pub(super) fn variants(
    name: &str,
    group: &[String],
    bytes: &[u8],
) -> Vec<(&'static str, String, Vec<u8>)> {
    let file = name.rsplit('/').next().unwrap();
    let text = std::str::from_utf8(bytes).unwrap();
    let text = text.trim_start_matches('\u{feff}');
    let marked = format!("\u{feff}{text}");
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let named = |kind, bytes: &[u8]| (kind, file.to_owned(), bytes.to_vec());
    let mut variants = vec![
        named("as it is", bytes),
        named("with a byte order mark", marked.as_bytes()),
        named("in UTF-16", &utf16),
        (
            "in gzip",
            format!("{file}.gz"),
            all(GzipEncoder::new(bytes)),
        ),
        (
            "in zstd",
            format!("{file}.zst"),
            all(ZstdEncoder::new(bytes)),
        ),
    ];
    if name.ends_with(".ndjson") {
        let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
        variants.push(named("with CRLF", crlf.as_bytes()));
    }
    if name.ends_with(".csv") {
        let columns = Cells::of(text).with_columns_reversed();
        let groups = Cells::of(text).with_groups_reversed(group);
        let more = Cells::of(text).with_more_columns();
        variants.extend([
            named("with CRLF and other columns first", &columns.text("\r\n")),
            named("with the last group first", &groups.text("\n")),
            named(MORE_COLUMNS, &more.text("\n")),
        ]);
    }
    variants
}
