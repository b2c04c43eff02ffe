//! The roles of the functions.

use super::{functions, of_type, one_or_more, referred, statements, template};

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
