//! Collects what the audit line of a request contains. In: the route of the request and the ids that it concerns. Out: one line,
//! whatever the response is. No field contains a name of a file, a searched value or other personal data of customers.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use super::{
    Route,
    principal::{Principal, Scope},
};
use crate::{
    model::{identity::IdentityId, import::EntryId},
    profile::{links::LinkId, note},
    runtime::audit::{self, Outcome, Value},
};

/// The name of each route in audit lines.
const ACTIONS: [(&str, &str); 27] = [
    ("GET /profiles/{id}", "profile.read"),
    ("POST /profiles/lookup", "profile.lookup"),
    ("POST /profiles/search", "profile.search"),
    ("POST /profiles/batch", "profile.batch"),
    ("GET /profiles/{id}/export", "profile.export"),
    ("GET /profiles/{id}/attributes", "attributes.read"),
    ("POST /profiles/{id}/attributes/search", "attributes.search"),
    ("GET /profiles/{id}/history", "history.read"),
    ("GET /profiles/{id}/history/{eventId}", "event.read"),
    ("GET /profiles/{id}/notes", "notes.read"),
    ("GET /profiles/{id}/notes/{noteId}", "note.read"),
    ("POST /profiles/{id}/notes", "note.create"),
    ("PATCH /profiles/{id}/notes/{noteId}", "note.change"),
    ("DELETE /profiles/{id}/notes/{noteId}", "note.delete"),
    ("POST /profiles", "profile.create"),
    ("GET /profiles/{id}/links", "links.read"),
    ("POST /profiles/{id}/links", "link.create"),
    ("DELETE /profiles/{id}/links/{linkId}", "link.delete"),
    (
        "DELETE /profiles/{id}/identities/{identityId}",
        "identity.separate",
    ),
    ("POST /imports", "import.create"),
    ("GET /imports", "imports.read"),
    ("GET /imports/{id}", "import.read"),
    ("POST /imports/{id}/parts", "import.parts"),
    ("POST /imports/{id}/complete", "import.complete"),
    ("POST /imports/{id}/revert", "import.revert"),
    ("POST /imports/{id}/replay", "import.replay"),
    ("GET /imports/{id}/rejects", "import.rejects"),
];
/// The action of a request that matches no route.
const UNKNOWN: &str = "unknown";

/// A field of an audit line that names what a request concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The id that was asked for, and the ids of the profiles in the response.
    Profiles,
    /// Ids of a batch under which nothing is stored, or the id of an identifier that a search does not find.
    Missed,
    /// Profiles in the hints of a lookup that found nothing.
    Hints,
    /// Profiles that may belong to the same customer.
    Matches,
    /// The sections that were asked for: names, or `all`.
    Sections,
    /// The identity to separate.
    Identity,
    /// The note.
    Note,
    /// The event.
    Event,
    /// The identity links that were removed or decided about.
    Links,
    /// What was decided about the links.
    Decision,
    /// The identities that were reinstated.
    Reinstated,
    /// The import, or its upload.
    Import,
    /// The record type or mapping of an upload.
    ImportType,
    /// The revert or replay of an import.
    Operation,
    /// Why a request changed nothing: `preview`, `try`, or `repeated` under the same idempotency key.
    Mode,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Missed => "missed",
            Self::Hints => "hints",
            Self::Matches => "matches",
            Self::Sections => "sections",
            Self::Identity => "identity",
            Self::Note => "note",
            Self::Event => "event",
            Self::Links => "links",
            Self::Decision => "decision",
            Self::Reinstated => "reinstated",
            Self::Import => "import",
            Self::ImportType => "import_type",
            Self::Operation => "operation",
            Self::Mode => "mode",
        }
    }
}

/// What a request concerns. Routes add to it while they work.
#[derive(Debug, Default)]
pub(super) struct Trail {
    fields: Mutex<Vec<(Field, String)>>,
    /// The number of ids and searched values for which a successful response contains nothing.
    misses: AtomicU16,
}

impl Trail {
    /// Creates the trail of a request. It contains the ids in the path that are valid. Others may be anything, so they are left out.
    pub(super) fn of(route: &Route) -> Self {
        let trail = Self::default();
        let id = route.parameter("id");
        if route.key().contains("/imports/") {
            trail.add_valid(Field::Import, id.parse::<EntryId>().ok());
        } else {
            trail.add_valid(Field::Profiles, id.parse::<IdentityId>().ok());
        }
        let identity = route.parameter("identityId").parse::<IdentityId>();
        trail.add_valid(Field::Identity, identity.ok());
        trail.add_valid(
            Field::Links,
            route.parameter("linkId").parse::<LinkId>().ok(),
        );
        let note = note::parse_id(route.parameter("noteId"));
        trail.add_valid(
            Field::Note,
            note.map(|(uuid, identity)| format!("{identity}.{uuid}")),
        );
        trail
    }

    fn add_valid(&self, field: Field, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(field, value);
        }
    }

    /// Counts an id or a searched value for which nothing is found.
    pub(super) fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a value to a field, unless the field contains it.
    pub(super) fn add(&self, field: Field, value: impl Display) {
        let value = value.to_string();
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        match fields.iter_mut().find(|(known, _)| *known == field) {
            None => fields.push((field, value)),
            Some((_, values)) if values.split(' ').any(|known| known == value) => {}
            Some((_, values)) => {
                values.push(' ');
                values.push_str(&value);
            }
        }
    }
}

/// Who made a request, and from where.
pub(super) struct Origin<'a> {
    /// `None` if the request is not authenticated.
    pub(super) principal: Option<&'a Principal>,
    pub(super) request_id: &'a str,
    pub(super) source_ip: &'a str,
}

/// Writes the audit line of a request.
pub(super) fn write(route: &Route, origin: &Origin<'_>, trail: &Trail, status: u16) {
    let action = ACTIONS.iter().find(|(key, _)| *key == route.key());
    let action = action.map_or(UNKNOWN, |(_, action)| action);
    let scopes = origin.principal.map(Principal::scopes).unwrap_or_default();
    let outcome = Outcome::of_status(status);
    let misses = match outcome {
        Outcome::NotFound => 1,
        _ => trail.misses.load(Ordering::Relaxed),
    };
    let concerned = trail.fields.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fields = vec![
        ("status", Value::Number(status)),
        ("request_id", Value::Text(origin.request_id)),
        ("source_ip", Value::Text(origin.source_ip)),
    ];
    if let Some(principal) = origin.principal {
        fields.push(("principal", Value::Text(&principal.subject)));
        fields.push(("scopes", Value::Text(&scopes)));
        fields.push(("pii", Value::Flag(principal.has(Scope::PiiRead))));
    }
    if misses > 0 {
        fields.push(("misses", Value::Number(misses)));
    }
    fields.extend(
        concerned
            .iter()
            .map(|(field, values)| (field.name(), Value::Text(values))),
    );
    audit::write(action, outcome, &fields);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fields(trail: &Trail) -> Vec<(Field, String)> {
        trail.fields.lock().expect("no panic").clone()
    }

    #[test]
    fn every_route_has_an_action() {
        let template = local::template_document("template.yaml").expect("YAML");
        let resources = template["Resources"].as_object().expect("resources");
        let events = resources
            .values()
            .filter_map(|resource| resource["Properties"]["Events"].as_object())
            .flatten();
        let routes: BTreeSet<_> = events
            .filter(|(_, event)| event["Type"] == "HttpApi")
            .map(|(_, event)| {
                let text = |name: &str| event["Properties"][name].as_str().expect("a text");
                format!("{} {}", text("Method"), text("Path"))
            })
            .collect();
        let known = ACTIONS.iter().map(|(route, _)| (*route).to_owned());
        assert_eq!(routes, known.collect());
        let actions: BTreeSet<_> = ACTIONS.iter().map(|(_, action)| action).collect();
        assert_eq!(actions.len(), ACTIONS.len(), "actions are distinct");
    }

    #[test]
    fn adds_each_value_once() {
        let trail = Trail::default();
        for id in ["a", "b", "a"] {
            trail.add(Field::Profiles, id);
        }
        trail.add(Field::Sections, "all");
        let expected = [(Field::Profiles, "a b"), (Field::Sections, "all")];
        assert_eq!(
            fields(&trail),
            expected.map(|(field, value)| (field, value.to_owned()))
        );
    }

    #[test]
    fn takes_only_valid_ids_from_the_path() {
        let id = "h3xq7k2mzr5wnbv4jd6tpycafa";
        let of = |path: &str| {
            let request = lambda_http::http::Request::get(path).body(lambda_http::Body::Empty);
            let request =
                lambda_http::RequestExt::with_raw_http_path(request.expect("valid"), path);
            fields(&Trail::of(&Route::of(&request)))
        };
        let note = format!("{id}.0197a0a0-0000-7000-8000-000000000000");
        assert_eq!(
            of(&format!("/profiles/{id}/notes/{note}")),
            [(Field::Profiles, id.to_owned()), (Field::Note, note)]
        );
        for path in [
            "/profiles/jane@example.com",
            "/profiles/jane@example.com/notes/Jane",
            "/profiles/jane/links/jane",
            "/profiles/jane/identities/jane",
            "/imports/jane.csv",
        ] {
            assert_eq!(of(path), [], "{path}");
        }
        let import = "0a0febf994a72178";
        assert_eq!(
            of(&format!("/imports/{import}")),
            [(Field::Import, import.to_owned())]
        );
    }
}
