//! Recognizes files with rows that would not be read, because they are in a list of another object than an envelope, or are joined by
//! commas without an array.

use super::{
    super::{border, lines::Input},
    shape::{Scan, Step, text},
};

/// The fields that show that an object is a row or an envelope.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownFields {
    /// The fields of which a row has at least one. Without any, a row is rejected.
    pub(crate) placing: Vec<&'static str>,
    /// All fields of rows. A list in one of them does not contain rows.
    pub(crate) all: Vec<&'static str>,
}

/// Why rows of a file would not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnreadRows {
    /// The objects of the file are not rows, and the list at this path of the first one contains objects.
    InList(Vec<String>),
    /// Commas join the objects.
    JoinedByCommas,
}

/// The object that a text begins with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Object {
    /// Where the text after it begins; `None` if it does not end.
    end: Option<usize>,
    /// The path of its first list of objects, unless it is a row or an envelope.
    list: Option<Vec<String>>,
}

/// Returns why the rows of a file would not be read, from the beginning of its text: all objects in it have a list of objects that is
/// not read, or are joined by commas. The outer value is `None` if more of the text is needed.
pub(in crate::rows) fn unread_rows(
    start: &[u8],
    input: Input,
    known: &KnownFields,
) -> Option<Option<UnreadRows>> {
    let mut rest = &start[border::blanks(start)..];
    let mut list = None;
    let (mut is_joined, mut follows_comma) = (false, false);
    while rest.first() == Some(&b'{') {
        let object = object(rest, known);
        let Some(end) = object.end else {
            // The row may have its fields after the list.
            list = list.or(object.list.filter(|_| names_field(rest, known)));
            rest = &[];
            break;
        };
        // Objects of several lines are read whatever joins them.
        is_joined |= follows_comma && !rest[..end].contains(&b'\n');
        rest = &rest[end..];
        rest = &rest[border::blanks(rest)..];
        if rest.is_empty() && input == Input::Partial {
            return None;
        }
        let comma = rest.strip_prefix(b",");
        if object.list.is_none() && comma.is_none() && !follows_comma {
            return Some(None);
        }
        list = list.or(object.list);
        follows_comma = comma.is_some();
        rest = comma.unwrap_or(rest);
        rest = &rest[border::blanks(rest)..];
    }
    match (rest, input) {
        ([], Input::Partial) => None,
        ([], Input::Complete) => Some(match list {
            Some(path) => Some(UnreadRows::InList(path)),
            None => is_joined.then_some(UnreadRows::JoinedByCommas),
        }),
        _ => Some(None),
    }
}

/// Returns whether a text contains the name of a field that places rows.
fn names_field(text: &[u8], known: &KnownFields) -> bool {
    let is_in_text = |name: &&str| {
        let quoted = format!("\"{name}\"");
        text.windows(quoted.len())
            .any(|part| part == quoted.as_bytes())
    };
    known.placing.iter().any(is_in_text)
}

/// Scans the object that a text begins with.
fn object(bytes: &[u8], known: &KnownFields) -> Object {
    let mut scan = Scan::default();
    let (mut string_began, mut last_string) = (0, &bytes[..0]);
    // The last name in each of the nested objects that are open, from the outermost one on. Objects in lists are not included.
    let mut names: Vec<String> = Vec::new();
    let mut follows_bracket = false;
    let mut object = Object::default();
    let mut is_row = false;
    for (at, byte) in bytes.iter().enumerate() {
        let (was_string, depth) = (scan.in_string, scan.depth as usize);
        let step = scan.step(*byte);
        match (was_string, scan.in_string) {
            (false, true) => string_began = at,
            (true, false) => last_string = &bytes[string_began..=at],
            _ => {}
        }
        if was_string || byte.is_ascii_whitespace() {
            continue;
        }
        let is_first_item = std::mem::take(&mut follows_bracket);
        match byte {
            b'{' if is_first_item => {
                let is_list = names
                    .first()
                    .is_some_and(|name| !known.all.contains(&name.as_str()));
                if is_list && object.list.is_none() {
                    object.list = Some(names.clone());
                }
            }
            b'{' if depth == names.len() => names.push(String::new()),
            b'[' if depth == names.len() => follows_bracket = true,
            b':' if depth == names.len() => {
                let name = text(last_string).unwrap_or_default();
                is_row |= depth == 1 && known.placing.contains(&name.as_str());
                if let Some(last) = names.last_mut() {
                    *last = name;
                }
            }
            _ => names.truncate(scan.depth as usize),
        }
        if step == Step::EndsAfter {
            object.end = Some(at + 1);
            break;
        }
    }
    if is_row {
        object.list = None;
    }
    object
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, input: Input) -> Option<Option<UnreadRows>> {
        let known = KnownFields {
            placing: vec!["link", "records"],
            all: vec!["link", "records", "products"],
        };
        unread_rows(text.as_bytes(), input, &known)
    }

    fn whole(text: &str) -> Option<UnreadRows> {
        found(text, Input::Complete).unwrap()
    }

    #[test]
    fn finds_lists_that_are_not_read() {
        for (text, path) in [
            (r#"{"data":[{"link":1}]}"#, "data"),
            (
                r#" { "Records" : [ { "link": 1 } ], "next": null } "#,
                "Records",
            ),
            (
                r#"{"count":2,"ids":[1,2],"data":{"a":{"b":1},"items":[{"link":1}]}}"#,
                "data.items",
            ),
            ("{\"data\":[{\"a\":1}]}\n{\"data\":[{\"a\":1}]}\n", "data"),
            (r#"{"data":[{"link":1},{"#, "data"),
            (r#"{"d\u0061ta":[{}]},"#, "data"),
            (r#"{"x":"}[{","data":[{}]}"#, "data"),
        ] {
            let path = path.split('.').map(str::to_owned).collect();
            assert_eq!(whole(text), Some(UnreadRows::InList(path)), "{text}");
        }
    }

    #[test]
    fn finds_objects_joined_by_commas() {
        for text in [
            r#"{"link":1},{"link":2}"#,
            "{\"link\":1} ,\n{\"link\":2},\n",
            r#"{"link":1},{"link":2},{"link"#,
        ] {
            assert_eq!(whole(text), Some(UnreadRows::JoinedByCommas), "{text}");
        }
    }

    #[test]
    fn accepts_rows() {
        for text in [
            "",
            r#"[{"data":[{}]}]"#,
            r#"{"link":1,"lines":[{}]}"#,
            r#"{"lines":[{}],"link":1}"#,
            r#"{"products":[{"x":[{}]}]}"#,
            r#"{"records":[{"link":1}]}"#,
            r#"{"ids":[1,{}],"names":[[{}]],"none":[]}"#,
            r#"{"data":{"a":[]}}"#,
            // Other lines are rows.
            "{\"columns\":[{}]}\n{\"link\":1}\n",
            "{\"link\":1},\n{\"link\":1}\n{\"link\":1}\n",
            "{\"link\":1},{\"link\":1}\n{\"link\":1}\n",
            r#"{"link":1},"#,
            "{\"data\":[{}]}\nx",
            r#"{"link":1}{"link":1}"#,
            // A row that is too large, of which only the beginning is known.
            r#"{"audit":[{"a":"xxxx"#,
            // Objects of several lines are read.
            "{\n\"link\":1\n},\n{\n\"link\":2\n}",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    proptest! {
        /// What is found in some bytes is found in more bytes too.
        #[test]
        fn more_bytes_do_not_change_result(parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"data\"", "\"link\"", " ", "\n", "{\"link\":1}", "{\"data\":[{}]}", "\\", "\"",
        ]), 0..24)) {
            let text = parts.concat();
            let expected = whole(&text);
            for end in 0..=text.len() {
                if let Some(partial) = found(&text[..end], Input::Partial) {
                    prop_assert_eq!(&partial, &expected);
                }
            }
        }
    }
}
