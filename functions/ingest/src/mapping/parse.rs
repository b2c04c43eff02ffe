//! Parses mappings. In: the text of a document. Out: a [`Mapping`], and every fault of its grammar.

use shared::model::value::{Map, Value, decimal};

use super::{
    MAX_DOCUMENT_BYTES,
    document::{
        Condition, Each, Entry, FromCell, KindOfRecord, List, Lookup, Make, Mapping, Node, Operand,
        Operation, Part, Steps, Template, Test,
    },
    fault::Faults,
    name::{Name, NameOf, Names},
    options,
    read::Read,
};
use crate::record::{path::Path, similar::similar};

/// The maximum size of a name, in bytes.
const MAX_NAME_BYTES: usize = 256;
const ROOT: Path<'static> = Path::Record;
/// The keys that make an object a value instead of an object of fields.
const FORMS: [&str; 5] = ["const", "first", "from", "template", "each"];
const FROM_KEYS: [&str; 15] = [
    "from", "when", "read", "json", "after", "before", "split", "part", "values", "other", "times",
    "plus", "minus", "negate", "default",
];
const TESTS: [&str; 6] = ["present", "above", "below", "starts", "contains", "same"];

/// Parses a mapping as far as possible.
pub(super) fn parse(text: &[u8], faults: &mut Faults) -> Mapping {
    let Some(root) = options::root(text, MAX_DOCUMENT_BYTES, faults) else {
        return Mapping::default();
    };
    let mut mapping = options::mapping(&root, faults);
    let mut parser = Parser {
        faults,
        names: Names::default(),
        numbered: Vec::new(),
        is_grouped: root.get("group").is_some(),
        read: std::mem::take(&mut mapping.read),
        depth: 0,
    };
    mapping.group = parser.group(root.get("group"));
    mapping.skip = parser.optional_condition(&root, "skip", &ROOT);
    mapping.records = parser.entries(root.get("records"));
    Mapping {
        read: parser.read,
        names: parser.names,
        numbered: parser.numbered,
        ..mapping
    }
}

struct Parser<'a> {
    faults: &'a mut Faults,
    names: Names,
    numbered: Vec<(String, String)>,
    is_grouped: bool,
    /// The settings of the mapping.
    read: Read,
    /// The number of lists around the value.
    depth: usize,
}

impl Parser<'_> {
    fn group(&mut self, value: Option<&Value>) -> Vec<Name> {
        let path = Path::Field(&ROOT, "group");
        value.map_or_else(Vec::new, |value| self.names_of(value, &path))
    }

    fn entries(&mut self, value: Option<&Value>) -> Vec<Entry> {
        let path = Path::Field(&ROOT, "records");
        let list = value.map_or(&[][..], Value::as_list);
        if list.is_empty() {
            let problem = "must be a list of one or more kinds of records, such as [{\"type\": \"purchase\", \"record\": {…}}].";
            self.faults.error(&path, problem);
        }
        let entries = list.iter().enumerate();
        entries
            .map(|(index, value)| self.entry(value, &Path::Index(&path, index)))
            .collect()
    }

    fn entry(&mut self, value: &Value, path: &Path<'_>) -> Entry {
        let empty = Map::new();
        let map = value.as_map().unwrap_or(&empty);
        self.faults
            .check_keys(map, &["type", "when", "each", "record"], path);
        let each = map
            .get("each")
            .and_then(|each| self.list(each, &Path::Field(path, "each")));
        self.depth = usize::from(map.get("each").is_some());
        let kind_path = Path::Field(path, "type");
        let kind = match map.get("type") {
            Some(Value::Text(name)) => self.kind(name, &kind_path),
            Some(value @ Value::Map(_)) => KindOfRecord::Chosen(self.node(value, &kind_path)),
            _ => {
                let problem =
                    "is missing. Add a record type such as purchase, or a value that yields one.";
                self.faults.error(&kind_path, problem);
                KindOfRecord::Invalid
            }
        };
        let when = self.optional_condition(map, "when", path);
        let record = self.record(map.get("record"), &Path::Field(path, "record"));
        self.depth = 0;
        Entry {
            kind,
            when,
            each,
            record,
        }
    }

    fn record(&mut self, value: Option<&Value>, path: &Path<'_>) -> Node {
        match value {
            Some(Value::Map(fields)) => {
                if fields.get("when").is_some() {
                    let problem = "is a condition. Put it beside `record`.";
                    self.faults.error(&Path::Field(path, "when"), problem);
                }
                self.object(fields, path).into()
            }
            _ => {
                let problem = "is missing. Add an object with the fields of the record.";
                self.faults.error(path, problem);
                Node::invalid()
            }
        }
    }

    fn kind(&mut self, name: &str, path: &Path<'_>) -> KindOfRecord {
        match name.parse() {
            Ok(kind) => KindOfRecord::Fixed(kind, name.to_owned()),
            Err(()) => {
                let problem = "is not a record type. Use one such as purchase, or {\"from\": column, \"values\": {…}}.";
                self.faults.error(path, problem);
                KindOfRecord::Invalid
            }
        }
    }

    /// Parses a value.
    fn node(&mut self, value: &Value, path: &Path<'_>) -> Node {
        match value {
            Value::Text(text) => self
                .name(text, path)
                .map_or(Node::invalid(), |name| Make::Name(name).into()),
            Value::List(list) => Make::List(self.nodes(list, path)).into(),
            Value::Map(map) => {
                let form = FORMS.into_iter().find(|form| map.get(form).is_some());
                // The condition of an `each` is one on its elements.
                let when = match form {
                    Some("each") => None,
                    _ => self.optional_condition(map, "when", path),
                };
                let make = match form {
                    None => self.object(map, path),
                    Some("const") => self.constant(map, path),
                    Some("first") => self.first(map, path),
                    Some("from") => self.from(map, path),
                    Some("template") => self.template(map, path),
                    Some(_) => self.each(map, path),
                };
                Node { make, when }
            }
            _ => {
                let problem =
                    "must be a name, a value or an object. Write {\"const\": …} for a constant.";
                self.faults.error(path, problem);
                Node::invalid()
            }
        }
    }

    fn nodes(&mut self, list: &[Value], path: &Path<'_>) -> Vec<Node> {
        let items = list.iter().enumerate();
        items
            .map(|(index, item)| self.node(item, &Path::Index(path, index)))
            .collect()
    }

    fn object(&mut self, map: &Map, path: &Path<'_>) -> Make {
        let fields = map.iter().filter(|(name, _)| *name != "when");
        Make::Object(
            fields
                .map(|(name, value)| (name.to_owned(), self.node(value, &Path::Field(path, name))))
                .collect(),
        )
    }

    fn constant(&mut self, map: &Map, path: &Path<'_>) -> Make {
        self.faults.check_keys(map, &["const", "when"], path);
        Make::Const(map.get("const").cloned().unwrap_or(Value::Null))
    }

    fn first(&mut self, map: &Map, path: &Path<'_>) -> Make {
        self.faults.check_keys(map, &["first", "when"], path);
        let path = Path::Field(path, "first");
        match map.get("first") {
            Some(Value::List(list)) if !list.is_empty() => Make::First(self.nodes(list, &path)),
            _ => self.invalid(&path, "must be a list of values."),
        }
    }

    fn each(&mut self, map: &Map, path: &Path<'_>) -> Make {
        self.faults.check_keys(map, &["each", "as", "when"], path);
        let list = map
            .get("each")
            .and_then(|each| self.list(each, &Path::Field(path, "each")));
        let as_path = Path::Field(path, "as");
        let Some(value) = map.get("as") else {
            return self.invalid(&as_path, "is missing. Add the value of one element.");
        };
        self.depth += 1;
        let value = self.node(value, &as_path);
        let when = self.optional_condition(map, "when", path);
        self.depth -= 1;
        let Some(list) = list else {
            return Make::Invalid;
        };
        Make::Each(Box::new(Each { list, value, when }))
    }

    /// Parses the list of an `each`.
    fn list(&mut self, value: &Value, path: &Path<'_>) -> Option<List> {
        let Some(text) = value.as_text() else {
            let problem = "must be a path, `rows`, or the beginning of numbered columns such as \"Item {n} \".";
            self.faults.error(path, problem);
            return None;
        };
        match text.split_once("{n}") {
            None => self.name(text, path).map(List::Name),
            Some((before, after)) => {
                self.numbered.push((before.to_owned(), after.to_owned()));
                Some(List::Numbered(self.numbered.len() - 1))
            }
        }
    }

    fn template(&mut self, map: &Map, path: &Path<'_>) -> Make {
        self.faults
            .check_keys(map, &["template", "when", "read"], path);
        let read = self.own_read(map, path);
        let path = Path::Field(path, "template");
        let text = map.text("template").unwrap_or_default();
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return self.invalid(&path, "has a `{` without `}`. Close it.");
            };
            let Some(name) = self.name(name, &path) else {
                return Make::Invalid;
            };
            parts.extend([Part::Text(before.to_owned()), Part::Name(name)]);
            rest = after;
        }
        if parts.is_empty() || rest.contains('}') {
            return self.invalid(&path, "must be a text with names such as \"{Id}-refund\".");
        }
        parts.push(Part::Text(rest.to_owned()));
        Make::Template(Box::new(Template { parts, read }))
    }

    fn from(&mut self, map: &Map, path: &Path<'_>) -> Make {
        self.faults.check_keys(map, &FROM_KEYS, path);
        let names = match map.get("from") {
            Some(names) => self.names_of(names, &Path::Field(path, "from")),
            None => Vec::new(),
        };
        let steps = Steps {
            json: self.flag(map, "json", path),
            after: self.text(map, "after", path),
            before: self.text(map, "before", path),
            split: self.text(map, "split", path),
            part: self.part(map, path),
            values: self.lookup(map, path),
            sums: self.sums(map, path),
            negate: self.flag(map, "negate", path),
            default: self.default(map, path),
        };
        if steps.is_number() && (steps.values.is_some() || steps.json) {
            let problem = "has steps for a number and for another value. Use `values` and `json` without times, plus, minus and negate.";
            self.faults.error(path, problem);
        }
        if steps.is_number() && steps.split.is_some() && steps.part.is_none() {
            self.faults
                .error(path, "computes with a list. Add `part` to `split`.");
        }
        let read = self.own_read(map, path);
        Make::From(Box::new(FromCell { names, steps, read }))
    }

    fn part(&mut self, map: &Map, path: &Path<'_>) -> Option<usize> {
        let value = map.get("part")?;
        let path = Path::Field(path, "part");
        if map.get("split").is_none() {
            self.faults.error(&path, "needs `split` beside it.");
        }
        let part = match value {
            Value::Number(number) => number.parse().ok().filter(|part| *part > 0),
            _ => None,
        };
        if part.is_none() {
            self.faults
                .error(&path, "must be the number of the element, from 1.");
        }
        part
    }

    fn lookup(&mut self, map: &Map, path: &Path<'_>) -> Option<Lookup> {
        let other = map.get("other").cloned();
        let Some(values) = map.get("values") else {
            if other.is_some() {
                self.faults
                    .error(&Path::Field(path, "other"), "needs `values` beside it.");
            }
            return None;
        };
        let path = Path::Field(path, "values");
        let Some(values) = values.as_map().filter(|map| !map.is_empty()) else {
            self.faults
                .error(&path, "must be an object of cells and their values.");
            return None;
        };
        let mut lookup = Lookup {
            values: Vec::new(),
            other,
        };
        for (cell, value) in values.iter() {
            let cell_path = Path::Field(&path, cell);
            let cell = cell.trim().to_lowercase();
            if lookup.values.iter().any(|(known, _)| *known == cell) {
                self.faults.error(
                    &cell_path,
                    "is given twice, since case does not matter. Remove one.",
                );
            }
            lookup.values.push((cell, value.clone()));
        }
        Some(lookup)
    }

    fn sums(&mut self, map: &Map, path: &Path<'_>) -> Vec<(Operation, Operand)> {
        let operations = [
            ("times", Operation::Times),
            ("plus", Operation::Plus),
            ("minus", Operation::Minus),
        ];
        let mut sums = Vec::new();
        for (key, operation) in operations {
            let path = Path::Field(path, key);
            let operands = match map.get(key) {
                Some(Value::List(list)) => list.as_slice(),
                other => other.map_or(&[][..], std::slice::from_ref),
            };
            for operand in operands {
                sums.extend(
                    self.operand(operand, &path)
                        .map(|operand| (operation, operand)),
                );
            }
        }
        sums
    }

    fn operand(&mut self, value: &Value, path: &Path<'_>) -> Option<Operand> {
        let number = match value {
            Value::Text(name) => {
                if is_number(name) {
                    let problem = "is a number in quotes, which names a column. If it is a number, write it without quotes, such as 0.01.";
                    self.faults.warning(path, problem);
                }
                return self.name(name, path).map(Operand::Name);
            }
            Value::Number(number) => decimal(number).map(Operand::Number),
            _ => None,
        };
        if number.is_none() {
            self.faults
                .error(path, "must be a name or a number, or a list of them.");
        }
        number
    }

    fn default(&mut self, map: &Map, path: &Path<'_>) -> Option<Value> {
        let value = map.get("default")?;
        if matches!(value, Value::Null) {
            self.faults.error(
                &Path::Field(path, "default"),
                "must be a value other than null.",
            );
        }
        Some(value.clone())
    }

    fn flag(&mut self, map: &Map, key: &str, path: &Path<'_>) -> bool {
        match map.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.faults
                    .error(&Path::Field(path, key), "must be true or false.");
                false
            }
        }
    }

    fn text(&mut self, map: &Map, key: &str, path: &Path<'_>) -> Option<String> {
        match map.get(key)? {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => {
                self.faults.error(
                    &Path::Field(path, key),
                    "must be a text of one or more characters.",
                );
                None
            }
        }
    }

    /// Parses the `read` beside a value: the mapping's settings, with some replaced.
    fn own_read(&mut self, map: &Map, path: &Path<'_>) -> Option<Read> {
        let value = map.get("read")?;
        let path = Path::Field(path, "read");
        Some(options::read(value, self.read.clone(), &path, self.faults))
    }

    /// Parses a name or a list of names.
    fn names_of(&mut self, value: &Value, path: &Path<'_>) -> Vec<Name> {
        match value {
            Value::Text(text) => self.name(text, path).into_iter().collect(),
            Value::List(list) if !list.is_empty() => {
                let items = list.iter().enumerate();
                let names = items.map(|(index, item)| {
                    let path = Path::Index(path, index);
                    match item.as_text() {
                        Some(text) => self.name(text, &path),
                        None => {
                            self.faults
                                .error(&path, "must be the name of a column or path.");
                            None
                        }
                    }
                });
                names.collect::<Vec<_>>().into_iter().flatten().collect()
            }
            _ => {
                self.faults.error(
                    path,
                    "must be the name of a column or path, or a list of names.",
                );
                Vec::new()
            }
        }
    }

    fn name(&mut self, text: &str, path: &Path<'_>) -> Option<Name> {
        let bare = text.trim_start_matches('^');
        let up = text.len() - bare.len();
        if up > self.depth {
            self.faults.error(
                path,
                "leads out of the row. Use `^` only inside an `each`, once for each.",
            );
            return None;
        }
        let file_name = bare
            .strip_prefix('@')
            .filter(|name| !["file", "stem"].contains(name));
        if let Some(like) = file_name.and_then(|name| similar(name, ["file", "stem"].into_iter())) {
            self.faults.warning(
                path,
                format!("is read as a column. Did you mean `@{like}`?"),
            );
        }
        let of = match bare {
            "@file" => NameOf::File,
            "@stem" => NameOf::Stem,
            "rows" if self.is_grouped => NameOf::Rows,
            _ if bare.trim().is_empty() || bare.len() > MAX_NAME_BYTES => {
                let problem = format!("must contain a name of 1 to {MAX_NAME_BYTES} bytes.");
                self.faults.error(path, problem);
                return None;
            }
            _ if up == self.depth => NameOf::Cell(self.names.add_of_row(bare.trim())),
            _ => NameOf::Cell(self.names.add(bare.trim())),
        };
        Some(Name { up, of })
    }

    fn optional_condition(&mut self, map: &Map, key: &str, path: &Path<'_>) -> Option<Condition> {
        let value = map.get(key)?;
        Some(self.condition(value, &Path::Field(path, key)))
    }

    /// Parses a condition.
    fn condition(&mut self, value: &Value, path: &Path<'_>) -> Condition {
        match value {
            Value::List(list) if !list.is_empty() => {
                let items = list.iter().enumerate();
                Condition::Any(
                    items
                        .map(|(index, item)| self.condition(item, &Path::Index(path, index)))
                        .collect(),
                )
            }
            Value::Map(map) if !map.is_empty() => {
                let tests = map.iter().map(|(name, value)| {
                    let path = Path::Field(path, name);
                    if name == "not" {
                        return Condition::Not(Box::new(self.condition(value, &path)));
                    }
                    match self.name(name, &path) {
                        Some(name) => self.test(name, value, &path),
                        None => Condition::All(Vec::new()),
                    }
                });
                Condition::All(tests.collect())
            }
            _ => {
                let problem =
                    "must be a condition such as {\"Status\": \"paid\"}, or a list of conditions.";
                self.faults.error(path, problem);
                Condition::All(Vec::new())
            }
        }
    }

    fn test(&mut self, name: Name, value: &Value, path: &Path<'_>) -> Condition {
        match value {
            Value::Map(tests) if !tests.is_empty() => {
                self.faults.check_keys(tests, &TESTS, path);
                let tests = tests.iter().filter(|(key, _)| TESTS.contains(key));
                let tests: Vec<_> = tests
                    .filter_map(|(key, value)| self.named_test(key, value, &Path::Field(path, key)))
                    .map(|test| Condition::Test(name, test))
                    .collect();
                Condition::All(tests)
            }
            Value::Map(_) => {
                self.faults
                    .error(path, format!("must contain one of {}.", TESTS.join(", ")));
                Condition::All(Vec::new())
            }
            Value::List(list) => {
                if list.is_empty()
                    || list
                        .iter()
                        .any(|it| matches!(it, Value::List(_) | Value::Map(_)))
                {
                    self.faults
                        .error(path, "must be a list of one or more cells.");
                }
                Condition::Test(name, Test::OneOf(list.clone()))
            }
            value => Condition::Test(name, Test::OneOf(vec![value.clone()])),
        }
    }

    fn named_test(&mut self, key: &str, value: &Value, path: &Path<'_>) -> Option<Test> {
        let test = match (key, value) {
            ("present", Value::Bool(flag)) => Some(Test::Present(*flag)),
            ("above", Value::Number(number)) => decimal(number).map(Test::Above),
            ("below", Value::Number(number)) => decimal(number).map(Test::Below),
            ("starts", Value::Text(text)) if !text.is_empty() => {
                Some(Test::Starts(text.to_lowercase()))
            }
            ("contains", Value::Text(text)) if !text.is_empty() => {
                Some(Test::Contains(text.to_lowercase()))
            }
            ("same", Value::Text(name)) => return self.name(name, path).map(Test::Same),
            _ => None,
        };
        if test.is_none() {
            let expected = match key {
                "present" => "true or false",
                "above" | "below" => "a number",
                "same" => "a name",
                _ => "a text",
            };
            self.faults.error(path, format!("must be {expected}."));
        }
        test
    }

    fn invalid(&mut self, path: &Path<'_>, problem: &str) -> Make {
        self.faults.error(path, problem);
        Make::Invalid
    }
}

/// Returns whether a text is only a number, with either decimal mark.
fn is_number(text: &str) -> bool {
    decimal(&text.trim().replace(',', ".")).is_some()
}

impl Node {
    const fn invalid() -> Self {
        Self {
            make: Make::Invalid,
            when: None,
        }
    }
}

impl From<Make> for Node {
    fn from(make: Make) -> Self {
        Self { make, when: None }
    }
}
