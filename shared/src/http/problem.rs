//! Problem documents (RFC 9457): the description of a failed request that a client receives. Details that the client
//! must not know stay in `source`, for the log alone.

use std::{error::Error, fmt};

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;

use crate::{
    model::{identity::IdentityId, time::Instant},
    profile::{cursor::CursorError, hint::Hint},
    runtime::logs::chain,
    table::{FactsError, TableError},
};

/// The maximum number of characters of a field's name in a problem.
const MAX_FIELD_CHARS: usize = 64;

/// A kind of problem: the last segment of its type, its status and its title. Types are stable, because clients
/// distinguish problems by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    slug: &'static str,
    status: StatusCode,
    title: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self { slug: $slug, status: StatusCode::$status, title: $title };)*
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    /// A parameter of the query breaks its rule or is unknown.
    INVALID_PARAMETER = BAD_REQUEST, "invalid-parameter", "Invalid query parameter";
    /// A header breaks its rule.
    INVALID_HEADER = BAD_REQUEST, "invalid-header", "Invalid header";
    /// The body breaks its rule.
    INVALID_BODY = BAD_REQUEST, "invalid-body", "Invalid request body";
    /// A cursor is malformed, or belongs to another listing or to other filters.
    INVALID_CURSOR = BAD_REQUEST, "invalid-cursor", "Invalid cursor";
    /// The request is not authenticated.
    UNAUTHENTICATED = UNAUTHORIZED, "unauthenticated", "Authentication required";
    /// The principal lacks a scope.
    FORBIDDEN = FORBIDDEN, "forbidden", "Permission denied";
    /// There is no such profile.
    PROFILE_NOT_FOUND = NOT_FOUND, "profile-not-found", "Profile not found";
    /// The profile has no such event.
    EVENT_NOT_FOUND = NOT_FOUND, "event-not-found", "Event not found";
    /// The profile has no such note.
    NOTE_NOT_FOUND = NOT_FOUND, "note-not-found", "Note not found";
    /// The profile has no such identity link.
    LINK_NOT_FOUND = NOT_FOUND, "link-not-found", "Identity link not found";
    /// The profile has no such identity.
    IDENTITY_NOT_FOUND = NOT_FOUND, "identity-not-found", "Identity not found";
    /// There is no such import.
    IMPORT_NOT_FOUND = NOT_FOUND, "import-not-found", "Import not found";
    /// There is no such route.
    ROUTE_NOT_FOUND = NOT_FOUND, "route-not-found", "Route not found";
    /// The route does not support the method.
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    /// The note was changed since it was read.
    NOTE_CHANGED = PRECONDITION_FAILED, "note-changed", "Note changed by another request";
    /// The identity link was changed since it was read.
    LINK_CHANGED = PRECONDITION_FAILED, "link-changed", "Identity link changed by another request";
    /// A change requires the header `If-Match`, which names the state to change.
    PRECONDITION_REQUIRED = PRECONDITION_REQUIRED, "precondition-required", "If-Match header required";
    /// The note of a repeated request has been deleted.
    NOTE_DELETED = CONFLICT, "note-deleted", "Note deleted";
    /// An identity that the request concerns was erased.
    IDENTITY_ERASED = CONFLICT, "identity-erased", "Identity erased";
    /// An identity has as many decisions about links as count.
    TOO_MANY_LINKS = CONFLICT, "too-many-links", "Too many identity links";
    /// The upload accepts no parts: it has none, or its time is over.
    UPLOAD_CLOSED = CONFLICT, "upload-closed", "Upload closed";
    /// The import, or a revert or replay of it, is running.
    IMPORT_RUNNING = CONFLICT, "import-running", "Import running";
    /// The import was already reverted.
    IMPORT_REVERTED = CONFLICT, "import-reverted", "Import reverted";
    /// No row of the file was read, or the import is itself a revert or a replay.
    IMPORT_UNREAD = CONFLICT, "import-unread", "Nothing to revert or replay";
    /// The response is too large to be sent.
    RESPONSE_TOO_LARGE = BAD_REQUEST, "response-too-large", "Response too large";
    /// The content type of the body is not JSON.
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported content type";
    /// The idempotency key was used for another request.
    IDEMPOTENCY_KEY_REUSED = CONFLICT, "idempotency-key-reused", "Idempotency key used for another request";
    /// An internal failure.
    INTERNAL = INTERNAL_SERVER_ERROR, "internal", "Internal error";
    /// A temporary failure, for example throttling. A retry may succeed.
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable";
}

/// The failure of a request.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    field: Option<String>,
    missing: Option<Box<Missing>>,
    /// Boxed, because problems are returned by value and few have it.
    erased_at: Option<Box<Instant>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What the problem of a lookup that finds nothing contains.
#[derive(Debug, Serialize)]
struct Missing {
    /// The id of the identity that the identifier names.
    id: IdentityId,
    hints: Vec<Hint>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    missing: Option<&'a Missing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Instant>,
    request_id: &'a str,
}

impl Problem {
    /// Creates a problem. `detail` explains the fix to the client, and must not repeat personal data.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            missing: None,
            erased_at: None,
            source: None,
        }
    }

    /// Names the parameter, header or body field that caused the problem. A client may have chosen the name, so it is
    /// shortened to 64 characters without control characters.
    #[must_use]
    pub fn field(mut self, field: &str) -> Self {
        let printable = field.chars().filter(|c| !c.is_control());
        self.field = Some(printable.take(MAX_FIELD_CHARS).collect());
        self
    }

    /// Adds the time of the erasure that caused the problem.
    #[must_use]
    pub fn erased_at(mut self, at: Option<Instant>) -> Self {
        self.erased_at = at.map(Box::new);
        self
    }

    /// Creates an internal failure. The source is logged and never sent to the client.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The request failed because of an internal error. Send it again; if it keeps failing, give the operator the `request_id`.";
        Self {
            source: Some(source.into()),
            ..Self::new(Kind::INTERNAL, detail)
        }
    }

    /// Creates a temporary failure. The source is logged and never sent to the client.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(
                Kind::UNAVAILABLE,
                "The service is throttled or a dependency cannot be reached. It is safe to send the request again after `Retry-After` seconds.",
            )
        }
    }

    /// Returns the problem for an id that no stored item has.
    pub fn profile_not_found() -> Self {
        Self::new(
            Kind::PROFILE_NOT_FOUND,
            "No data is stored under this ID or identifier. Check it, or search by order, name, email, mobile or customer ID with POST /profiles/search.",
        )
    }

    /// Returns the problem for an identifier of the identity `id`, under which nothing is stored.
    pub fn identifier_not_found(id: IdentityId, hints: Vec<Hint>) -> Self {
        Self {
            missing: Some(Box::new(Missing { id, hints })),
            ..Self::profile_not_found()
        }
    }

    /// Returns the problem for a note that the profile does not have.
    pub fn note_not_found() -> Self {
        Self::new(
            Kind::NOTE_NOT_FOUND,
            "The profile has no note with this ID. GET /profiles/{id}/notes lists its notes.",
        )
    }

    /// Returns the problem for a route that the function does not serve.
    pub fn route_not_found() -> Self {
        Self::new(
            Kind::ROUTE_NOT_FOUND,
            "The API has no such route. Check the method and the path.",
        )
    }

    /// Returns the problem for a parameter that breaks its rule.
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new(Kind::INVALID_PARAMETER, detail).field(name)
    }

    /// Returns the problem for a cursor that is not valid or belongs to another request.
    pub fn invalid_cursor() -> Self {
        let detail = "The cursor does not belong to this request. Send the `next` of the previous page with the same ID and parameters, or no \
                      cursor to start again.";
        Self::new(Kind::INVALID_CURSOR, detail).field("cursor")
    }

    /// Returns the problem for a body, or a field of it, that breaks its rule.
    pub fn invalid_body(field: Option<&str>, detail: impl Into<String>) -> Self {
        let problem = Self::new(Kind::INVALID_BODY, detail);
        match field {
            Some(field) => problem.field(field),
            None => problem,
        }
    }

    /// Returns the kind of the problem.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the response to the request with this id. A server error is logged here, once.
    pub fn respond(&self, request_id: &str) -> Response<Body> {
        if self.kind.status.is_server_error() {
            tracing::error!(
                error = self.source.as_deref().map(chain),
                kind = self.kind.slug,
                request_id,
                "request failed"
            );
        }
        let document = Document {
            r#type: format!("/problems/{}", self.kind.slug),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
            missing: self.missing.as_deref(),
            erased_at: self.erased_at.as_deref().copied(),
            request_id,
        };
        let mut response = Response::new(Body::from(
            serde_json::to_string(&document).unwrap_or_default(),
        ));
        *response.status_mut() = self.kind.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match self.kind {
            Kind::UNAUTHENTICATED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Kind::UNAVAILABLE => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => None,
        };
        response
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable(_) => Self::unavailable(error),
            TableError::Invalid(_) | TableError::Refused(_) => Self::internal(error),
        }
    }
}

impl From<CursorError> for Problem {
    fn from(_: CursorError) -> Self {
        Self::invalid_cursor()
    }
}

impl From<FactsError> for Problem {
    fn from(error: FactsError) -> Self {
        match error {
            FactsError::Table(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.slug, self.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_type_field_and_request() {
        let problem =
            Problem::new(Kind::INVALID_PARAMETER, "`limit` must be an integer.").field("limit");
        let response = problem.respond("r-1");
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let Body::Text(body) = response.body() else {
            panic!("not text")
        };
        assert_eq!(
            body,
            r#"{"type":"/problems/invalid-parameter","title":"Invalid query parameter","status":400,"detail":"`limit` must be an integer.","field":"limit","request_id":"r-1"}"#
        );
    }

    #[test]
    fn shortens_field_names() {
        let name = format!("a\u{1b}{}", "b".repeat(99));
        let problem = Problem::new(Kind::INVALID_PARAMETER, "").field(&name);
        let expected = format!("a{}", "b".repeat(63));
        assert_eq!(problem.field, Some(expected));
    }

    #[test]
    fn the_inside_stays_inside() {
        let response = Problem::internal("table arn:aws:secret is gone").respond("r-2");
        let Body::Text(body) = response.body() else {
            panic!("not text")
        };
        assert!(!body.contains("arn"));
        assert_eq!(response.status(), 500);
    }

    #[test]
    fn the_contract_lists_every_type() {
        let contract = include_str!("../../../infra/openapi.yaml");
        let listed: std::collections::BTreeSet<_> = contract
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- /problems/"))
            .collect();
        assert_eq!(listed, Kind::ALL.iter().map(|kind| kind.slug).collect());
    }

    /// `/problems/{slug}` is the anchor of a heading on the page.
    #[test]
    fn the_page_explains_every_type() {
        let page = include_str!("../../../infra/docs/reference/errors.md");
        for kind in Kind::ALL {
            let heading = format!("\n### {}\n", kind.slug);
            let sections: Vec<_> = page.split(heading.as_str()).skip(1).collect();
            let [section] = sections[..] else {
                panic!("{} has {} headings", kind.slug, sections.len())
            };
            let section = section.split("\n#").next().unwrap_or_default();
            let status = format!("\n- **Status**: {}\n", kind.status);
            for part in [
                status.as_str(),
                "\n- **Cause**: ",
                "\n- **Fix**: ",
                "\n- **Retry**: ",
            ] {
                assert!(section.contains(part), "{}: {part}", kind.slug);
            }
        }
    }

    #[test]
    fn the_contract_gives_true_examples() {
        let contract = include_str!("../../../infra/openapi.yaml");
        let examples = contract
            .lines()
            .filter_map(|line| line.split_once("type: /problems/"));
        let mut seen = 0;
        for (_, example) in examples {
            let (slug, rest) = example.split_once(", title: ").expect("a title");
            let kind = Kind::ALL.iter().find(|kind| kind.slug == slug);
            let kind = kind.unwrap_or_else(|| panic!("{slug}"));
            let expected = format!("{}, status: {},", kind.title, kind.status.as_u16());
            assert!(rest.starts_with(&expected), "{slug}: {rest}");
            seen += 1;
        }
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn types_are_distinct() {
        let slugs: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
    }
}
