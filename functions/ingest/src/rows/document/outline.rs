//! Lists the fields of the object that a JSON file begins with, also if only its beginning is known.

use shared::model::value::{Map, Value};

use super::{
    super::border,
    shape::{IN_OBJECT, Scan, Step, text},
};

/// The fields of an object, as far as its beginning shows them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The fields, without their values.
    pub(crate) fields: Map,
    /// The fields that are lists of objects.
    pub(crate) lists: Vec<String>,
}

/// The value that comes next.
enum Next {
    /// That of a field.
    Field(String),
    /// The first element of the list in a field.
    Element(String),
    Other,
}

impl Outline {
    /// Lists the fields of the first object. There are none if the content begins with another value.
    pub(in crate::rows) fn of(start: &[u8]) -> Self {
        let start = &start[border::blanks(start)..];
        let mut outline = Self::default();
        if start.first() != Some(&b'{') {
            return outline;
        }
        let mut scan = Scan::default();
        let mut string_began = 0;
        let mut last_string: &[u8] = b"";
        let mut next = Next::Other;
        for (at, byte) in start.iter().enumerate() {
            if !byte.is_ascii_whitespace() {
                next = match (std::mem::replace(&mut next, Next::Other), byte) {
                    (Next::Field(name), b'[') => Next::Element(name),
                    (Next::Element(name), b'{') => {
                        outline.lists.push(name);
                        Next::Other
                    }
                    _ => Next::Other,
                };
            }
            let was_string = scan.in_string;
            let step = scan.step(*byte);
            match (was_string, scan.in_string) {
                (false, true) => string_began = at,
                (true, false) => last_string = &start[string_began..=at],
                _ => {}
            }
            if *byte == b':'
                && !was_string
                && scan.depth == IN_OBJECT
                && let Some(name) = text(last_string)
            {
                outline.fields.insert(name.as_str(), Value::Null);
                next = Next::Field(name);
            }
            if step == Step::EndsAfter {
                break;
            }
        }
        outline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_fields_of_first_object() {
        for (start, fields, lists) in [
            (r#"{"a": [{"b": [{}]}], "n": 1}"#, "a n", "a"),
            (
                "\u{1e} \n{\"a\" :\n[\n{\"x\": \"]}\"}], \"b\": [{}]}",
                "a b",
                "a b",
            ),
            (
                r#"{"a": [], "b": [1, {}], "c": [[{}]], "d": {"e": [{}]}}"#,
                "a b c d",
                "",
            ),
            (r#"{"a": "b: [{", "c\u0064": [{"#, "a cd", "cd"),
            ("{\"a\": 1}\n{\"b\": [{}]}", "a", ""),
            (r#"[{"a": [{}]}]"#, "", ""),
            ("", "", ""),
            (r#"{"a"#, "", ""),
        ] {
            let outline = Outline::of(start.as_bytes());
            let names: Vec<_> = outline.fields.iter().map(|(name, _)| name).collect();
            assert_eq!(names.join(" "), fields, "{start}");
            assert_eq!(outline.lists.join(" "), lists, "{start}");
        }
    }
}
