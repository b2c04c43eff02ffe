//! Skips the lines before the header or the first row of a file, whatever they contain.

/// The lines that are skipped, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct SkippedLines {
    /// The number of lines to skip.
    count: u64,
    /// How many of them have ended.
    ended: u64,
    /// Whether the last one ended with CR. An LF that follows belongs to the same line end.
    after_cr: bool,
}

impl SkippedLines {
    pub(super) fn new(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    /// Returns the line after those that have ended, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.ended + 1
    }

    /// Returns how many of the next bytes of the file belong to skipped lines.
    pub(super) fn skip(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        loop {
            if self.after_cr && at < text.len() {
                self.after_cr = false;
                at += usize::from(text[at] == b'\n');
            }
            if self.ended == self.count {
                return at;
            }
            let rest = &text[at..];
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                return text.len();
            };
            self.after_cr = rest[end] == b'\r';
            self.ended += 1;
            at += end + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_lines_of_any_kind() {
        for (text, count, rest, line) in [
            ("a\nb", 0, "a\nb", 1),
            ("a\nb\nc", 1, "b\nc", 2),
            ("\"a\r\n\"\r\nc", 2, "c", 3),
            ("a\rb\r\r\nc", 3, "c", 4),
            ("a\n\rb", 1, "\rb", 2),
            ("\n\n\n", 2, "\n", 3),
            ("a\r\n", 1, "", 2),
            ("a\nb", 2, "", 2),
            ("", 5, "", 1),
        ] {
            for chunk in 1..=text.len().max(1) {
                let mut skipped = SkippedLines::new(count);
                let mut read = Vec::new();
                for chunk in text.as_bytes().chunks(chunk) {
                    read.extend_from_slice(&chunk[skipped.skip(chunk)..]);
                }
                assert_eq!(read, rest.as_bytes(), "{text:?}");
                assert_eq!(skipped.line(), line, "{text:?}");
            }
        }
    }
}
