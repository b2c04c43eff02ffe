//! The roles of the functions, and the page that lists what they allow.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::model::find::INDEXES;

use super::{functions, list, of_type, one_or_more, referred, statements, template};

/// Permissions of a role: actions and their resources, as the page names them.
type Permissions = BTreeSet<(String, String)>;

const PAGE: &str = include_str!("../../../infra/docs/explanation/security.md");
/// The words of the page for actions on the bucket, on log groups and on the queue.
const PHRASES: [(&str, &[&str]); 8] = [
    ("list", &["s3:ListBucket"]),
    ("read", &["s3:GetObject"]),
    ("read versions under", &["s3:GetObjectVersion"]),
    ("put under", &["s3:PutObject"]),
    ("delete under", &["s3:DeleteObject"]),
    ("own log group", APPEND),
    ("append to the audit log", APPEND),
    ("send to the failure queue", &["sqs:SendMessage"]),
];
const APPEND: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];

#[test]
fn roles_have_no_wildcards() {
    let template = template();
    let mut roles = Vec::new();
    for (id, _, properties) in functions(&template) {
        assert!(
            properties.get("Policies").is_none(),
            "{id}: SAM attaches a policy with a wildcard to a role of its own"
        );
        roles.push(referred(&properties["Role"]).to_owned());
    }
    roles.sort();
    let declared: Vec<_> = of_type(&template, "AWS::IAM::Role")
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(roles, declared, "one for each function");
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        assert!(
            role["Properties"].get("ManagedPolicyArns").is_none(),
            "{id}"
        );
        for statement in statements(&role) {
            for action in one_or_more(&statement["Action"]) {
                let action = action.as_str().expect("an action");
                assert!(!action.contains('*'), "{id}: {action}");
                for resource in one_or_more(&statement["Resource"]) {
                    assert!(
                        *resource != "*" || action.starts_with("xray:"),
                        "{id}: {action} on {resource}"
                    );
                }
            }
        }
    }
}

/// Returns the names in a list of the page, such as "`drop/`, `try/`".
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ").map(move |name| {
        name.strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
            .unwrap_or_else(|| panic!("a name in backticks, not {name:?} in {list:?}"))
    })
}

/// Returns the items of a cell. They are separated by semicolons.
fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split("; ").filter(|item| *item != "none")
}

/// Returns the actions that the page names with a phrase.
fn actions_of(phrase: &str) -> &'static [&'static str] {
    let known = PHRASES.iter().find(|(known, _)| *known == phrase);
    known
        .unwrap_or_else(|| panic!("{phrase:?} is not in PHRASES"))
        .1
}

/// Returns the permissions that the cells of a row name: those for the table, for the bucket and for other resources.
fn of_row([table, bucket, other]: [&str; 3]) -> Permissions {
    let mut found = Permissions::new();
    for item in items(table) {
        let (actions, of) = item.split_once(" of ").unwrap_or((item, ""));
        let resources: Vec<_> = match of {
            "" => vec!["Table".to_owned()],
            "the indexes" => INDEXES.map(|index| format!("index {index}")).to_vec(),
            keys => names(keys).map(|key| format!("Table, {key}")).collect(),
        };
        for action in names(actions) {
            let action = format!("dynamodb:{action}");
            found.extend(resources.iter().map(|it| (action.clone(), it.clone())));
        }
    }
    for item in items(bucket) {
        let (phrase, prefixes) = item.split_at(item.find('`').unwrap_or(item.len()));
        let resources: Vec<_> = match prefixes {
            "" => vec!["Bucket"],
            prefixes => names(prefixes).collect(),
        };
        for action in actions_of(phrase.trim_end()) {
            found.extend(
                resources
                    .iter()
                    .map(|it| ((*action).to_owned(), (*it).to_owned())),
            );
        }
    }
    for item in items(other) {
        for action in actions_of(item) {
            found.insert(((*action).to_owned(), item.to_owned()));
        }
    }
    found
}

/// Returns the permissions of the page by role. The sentence about tracing adds some to each role.
fn of_page() -> BTreeMap<String, Permissions> {
    let section = PAGE.split("\n## ").find(|text| text.starts_with("Roles\n"));
    let section = section.expect("a section about roles");
    let tracing = section
        .lines()
        .find(|line| line.starts_with("If `Tracing` "))
        .expect("a sentence about tracing");
    let traced = tracing.split('`').filter(|name| name.starts_with("xray:"));
    let traced: Vec<_> = traced
        .map(|action| (action.to_owned(), "*, if Traced".to_owned()))
        .collect();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(2)
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [role, cells @ ..] = &cells[..] else {
                panic!("{row}")
            };
            let mut permissions = of_row(cells.try_into().expect("three cells after the role"));
            permissions.extend(traced.iter().cloned());
            ((*role).to_owned(), permissions)
        })
        .collect()
}

/// Returns the name of a resource of a statement, as the page shows it.
fn resource_name(template: &Value, resource: &Value, own_logs: &str) -> String {
    if resource.get("Ref").is_some() || resource["Fn::GetAtt"][1] == "Arn" {
        return match referred(resource) {
            id if id == own_logs => "own log group".to_owned(),
            "AuditLogs" => "append to the audit log".to_owned(),
            "IngestFailures" => "send to the failure queue".to_owned(),
            id => id.to_owned(),
        };
    }
    if let Some(index) = resource["Fn::Sub"].as_str() {
        let index = index.strip_prefix("${Table.Arn}/index/");
        return format!("index {}", index.expect("an index of the table"));
    }
    let bucket = &template["Resources"]["Bucket"]["Properties"]["BucketName"]["Fn::Sub"];
    assert_eq!(resource["Fn::Sub"][1], bucket[1], "{resource}");
    let name = bucket[0].as_str().expect("a name");
    let arn = resource["Fn::Sub"][0].as_str().expect("an ARN");
    match arn.strip_prefix(&format!("arn:${{AWS::Partition}}:s3:::{name}")) {
        Some("") => "Bucket".to_owned(),
        Some(path) => {
            let prefix = path.strip_prefix('/').and_then(|it| it.strip_suffix('*'));
            prefix.expect("a prefix").to_owned()
        }
        None => panic!("{arn} is not of the bucket"),
    }
}

/// Returns the resources of a statement. A condition may restrict the partition keys.
fn resources(template: &Value, statement: &Value, own_logs: &str) -> Vec<String> {
    let names = one_or_more(&statement["Resource"])
        .into_iter()
        .map(|resource| resource_name(template, resource, own_logs));
    let Some(condition) = statement.get("Condition") else {
        return names.collect();
    };
    let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    let expected = json!({
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys},
        "Null": {"dynamodb:LeadingKeys": "false"},
    });
    assert_eq!(*condition, expected);
    let of_key = |name: String| {
        let keys = list(keys).iter();
        keys.map(move |key| format!("{name}, {}", key.as_str().expect("a key")))
    };
    names.flat_map(of_key).collect()
}

/// Returns the permissions of a function's role.
fn of_function(template: &Value, function: &Value) -> Permissions {
    let own_logs = referred(&function["LoggingConfig"]["LogGroup"]);
    let role = &template["Resources"][referred(&function["Role"])];
    let mut found = Permissions::new();
    for policy in list(&role["Properties"]["Policies"]) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            let (statement, resources) = match statement.get("Fn::If") {
                Some(parts) => {
                    let (condition, statement) = (&parts[0], &parts[1]);
                    assert_eq!(statement["Resource"], "*", "{statement}");
                    let condition = condition.as_str().expect("a condition");
                    (statement, vec![format!("*, if {condition}")])
                }
                None => (statement, resources(template, statement, own_logs)),
            };
            assert_eq!(statement["Effect"], "Allow", "{statement}");
            for action in one_or_more(&statement["Action"]) {
                let action = action.as_str().expect("an action");
                found.extend(resources.iter().map(|it| (action.to_owned(), it.clone())));
            }
        }
    }
    found
}

/// Returns the name of a function by its logical ID: `ingest-check` for `IngestCheckFunction`.
fn function_name(id: &str) -> String {
    let mut name = String::new();
    for letter in id.strip_suffix("Function").expect("a function").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The table of roles on the page about security names the actions and resources of the template, and no others.
#[test]
fn page_lists_permissions() {
    let template = template();
    let mut page = of_page();
    for (id, _, function) in functions(&template) {
        let name = function_name(&id);
        let row = page.remove(&name);
        let row = row.unwrap_or_else(|| panic!("the page has no row for {name}"));
        let role = of_function(&template, &function);
        let missing: Vec<_> = role.difference(&row).collect();
        let wrong: Vec<_> = row.difference(&role).collect();
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "{name}: the page leaves out {missing:?}, and names {wrong:?}, which the role does not allow"
        );
    }
    assert!(
        page.is_empty(),
        "rows without a function: {:?}",
        page.keys()
    );
}
