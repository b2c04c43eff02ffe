//! IAM for the functions' roles. In: requests to DynamoDB, S3 and CloudWatch Logs. Out: requests that the function's policies in the template
//! allow; others are rejected. Allowed actions are recorded.
//!
//! Of conditions, only that on the partition keys of a request (`dynamodb:LeadingKeys`) is supported. Permissions boundaries and
//! encryption keys are not. A client with credentials other than a function's
//! can do anything.

mod dynamodb;
mod s3;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, Uri, header};

pub(crate) use dynamodb::router as dynamodb;
pub(crate) use s3::check as s3;

use crate::logs::Logs;
use crate::template::{ACCOUNT, Allow};

/// One action of one function on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The name of the function.
    pub function: String,
    /// The action, for example `dynamodb:Query`.
    pub action: String,
    /// The resource as the policy specifies it, for example `arn:aws:s3:::customer-profiles/drop/*`.
    pub resource: String,
}

/// The allowed and the used actions of the functions.
#[derive(Debug)]
pub(crate) struct Permissions {
    by_function: BTreeMap<String, Vec<Allow>>,
    used: Mutex<BTreeSet<Permission>>,
    logs: Logs,
}

/// The error for an action that no policy allows, with IAM's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "User: arn:aws:sts::{ACCOUNT}:assumed-role/{function} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
)]
pub(crate) struct Refusal {
    function: String,
    action: String,
    resource: String,
}

impl Permissions {
    /// Creates the permissions. `by_function` is keyed by the functions' names, which are also their access keys.
    pub(crate) fn new(by_function: BTreeMap<String, Vec<Allow>>, logs: &Logs) -> Self {
        Self {
            by_function,
            used: Mutex::default(),
            logs: logs.clone(),
        }
    }

    /// Returns the actions that the policies allow, limited to DynamoDB, S3 and CloudWatch Logs.
    pub(crate) fn allowed(&self) -> BTreeSet<Permission> {
        let all = self
            .by_function
            .iter()
            .flat_map(|(function, allows)| allows.iter().map(|allow| permission(function, allow)));
        let services = ["dynamodb:", "s3:", "logs:"];
        all.filter(|permission| {
            services
                .iter()
                .any(|service| permission.action.starts_with(service))
        })
        .collect()
    }

    /// Returns the actions that were used and allowed.
    pub(crate) fn used(&self) -> BTreeSet<Permission> {
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the function whose credentials signed a request, in its headers or in its URL.
    pub(crate) fn caller(&self, headers: &HeaderMap, uri: &Uri) -> Option<&str> {
        let authorization = headers.get(header::AUTHORIZATION);
        let signed = authorization.and_then(|value| value.to_str().ok());
        let (_, credential) = signed.or_else(|| uri.query())?.split_once("Credential=")?;
        let (key, _) = credential
            .split_once('/')
            .or_else(|| credential.split_once("%2F"))?;
        self.by_function
            .get_key_value(key)
            .map(|(function, _)| function.as_str())
    }

    /// Checks an action against the policies of a function, and records it if it is allowed.
    ///
    /// `keys` are the partition keys of the request.
    pub(crate) fn check(
        &self,
        function: &str,
        action: &str,
        resource: &str,
        keys: &[String],
    ) -> Result<(), Refusal> {
        let allows = self
            .by_function
            .get(function)
            .map_or(&[][..], Vec::as_slice);
        let allow = allows.iter().find(|allow| {
            allow.action == action
                && matches(&allow.resource, resource)
                && are_allowed(keys, &allow.leading_keys)
        });
        if let Some(allow) = allow {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(permission(function, allow));
            return Ok(());
        }
        let refusal = Refusal {
            function: function.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
        };
        self.logs.push("local", refusal.to_string());
        Err(refusal)
    }
}

fn permission(function: &str, allow: &Allow) -> Permission {
    Permission {
        function: function.to_owned(),
        action: allow.action.clone(),
        resource: allow.resource.clone(),
    }
}

/// Returns whether a request may have these partition keys. As with the condition `Null`, a request without keys may not.
fn are_allowed(keys: &[String], patterns: &[String]) -> bool {
    let is_allowed = |key: &String| patterns.iter().any(|pattern| matches(pattern, key));
    patterns.is_empty() || (!keys.is_empty() && keys.iter().all(is_allowed))
}

/// Returns whether a resource matches a pattern in which `*` matches any characters.
fn matches(pattern: &str, resource: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = resource.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions() -> Permissions {
        let allow = |action: &str, resource: &str| Allow {
            action: action.to_owned(),
            resource: resource.to_owned(),
            leading_keys: Vec::new(),
        };
        let allows = vec![
            allow("s3:PutObject", "arn:aws:s3:::b/reports/*"),
            allow("s3:PutObject", "arn:aws:s3:::b/rejects/*"),
            allow("sqs:SendMessage", "arn:aws:sqs:::q"),
        ];
        Permissions::new(
            BTreeMap::from([("ingest".to_owned(), allows)]),
            &Logs::default(),
        )
    }

    #[test]
    fn what_is_not_allowed_is_refused_and_what_was_done_is_remembered() {
        let permissions = permissions();
        permissions
            .check(
                "ingest",
                "s3:PutObject",
                "arn:aws:s3:::b/reports/a.json",
                &[],
            )
            .unwrap();
        for (action, resource) in [
            ("s3:PutObject", "arn:aws:s3:::b/drop/a.json"),
            ("s3:DeleteObject", "arn:aws:s3:::b/reports/a.json"),
        ] {
            let refusal = permissions
                .check("ingest", action, resource, &[])
                .unwrap_err();
            assert!(
                refusal
                    .to_string()
                    .contains(&format!("{action} on resource: {resource}"))
            );
        }
        let used: Vec<_> = permissions.used().into_iter().collect();
        assert_eq!(used.len(), 1);
        assert_eq!(used[0].resource, "arn:aws:s3:::b/reports/*");
        // SQS is not counted.
        assert_eq!(permissions.allowed().len(), 2);
    }

    #[test]
    fn a_caller_is_told_by_the_access_key() {
        let caller = |text: &str| {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().expect("a header"))]);
            let caller = permissions();
            caller
                .caller(&headers, &Uri::from_static("/"))
                .map(str::to_owned)
        };
        let presigned = "/b/k?X-Amz-Credential=ingest%2F20261031%2Fus-east-1&X-Amz-Signature=0";
        let permissions_of_url = permissions();
        assert_eq!(
            permissions_of_url.caller(&HeaderMap::new(), &Uri::from_static(presigned)),
            Some("ingest")
        );
        let signed = |key: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential={key}/20261031/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        assert_eq!(caller(&signed("ingest")).as_deref(), Some("ingest"));
        assert_eq!(caller(&signed("local")), None);
        assert_eq!(caller("Bearer ingest"), None);
    }

    #[test]
    fn all_keys_of_a_request_match() {
        let patterns = ["import#*".to_owned(), "config".to_owned()];
        let of = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
            are_allowed(&keys, &patterns)
        };
        assert!(of(&["import#1"]) && of(&["config", "import#1"]));
        assert!(!of(&[]) && !of(&["import#1", "erasures"]) && !of(&["imports#1"]));
        assert!(are_allowed(&[], &[]));
    }

    #[test]
    fn patterns_match_as_in_policies() {
        for (pattern, resource, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("b/drop/*", "b/drop/x/y", true),
            ("b/drop/*", "b/dropped/x", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, resource), expected, "{pattern} {resource}");
        }
    }
}
