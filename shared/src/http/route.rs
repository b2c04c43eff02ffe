//! Determines the route of a request, as API Gateway matched it.

use lambda_http::{Request, RequestExt as _, http::Method, request::RequestContext};

/// The route of a request and its path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    key: String,
    parameters: Vec<(String, String)>,
}

impl Route {
    /// Returns the route that API Gateway matched. It does not depend on a stage or a custom domain's base path. Function
    /// URLs and `cargo lambda watch` match no route, so their path is matched here.
    pub fn of(request: &Request) -> Self {
        let key = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref(),
            _ => None,
        };
        let Some(key) = key.filter(|key| *key != "$default") else {
            return Self::of_path(request.method(), request.raw_http_path());
        };
        let parameters = request.path_parameters_ref();
        let parameters = parameters.into_iter().flat_map(|map| map.iter());
        Self {
            key: key.to_owned(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// Matches a path with the routes of the template.
    fn of_path(method: &Method, path: &str) -> Self {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let (path, names): (String, &[(usize, &str)]) = match segments.as_slice() {
            ["profiles", "lookup" | "search" | "batch"] => (path.to_owned(), &[]),
            ["profiles", _] => ("/profiles/{id}".to_owned(), &[(1, "id")]),
            ["profiles", _, section] => (format!("/profiles/{{id}}/{section}"), &[(1, "id")]),
            ["profiles", _, "notes", _] => (
                "/profiles/{id}/notes/{noteId}".to_owned(),
                &[(1, "id"), (3, "noteId")],
            ),
            ["profiles", _, "history", _] => (
                "/profiles/{id}/history/{eventId}".to_owned(),
                &[(1, "id"), (3, "eventId")],
            ),
            ["profiles", _, "links", _] => (
                "/profiles/{id}/links/{linkId}".to_owned(),
                &[(1, "id"), (3, "linkId")],
            ),
            ["profiles", _, "identities", _] => (
                "/profiles/{id}/identities/{identityId}".to_owned(),
                &[(1, "id"), (3, "identityId")],
            ),
            ["profiles", _, "attributes", "search"] => {
                ("/profiles/{id}/attributes/search".to_owned(), &[(1, "id")])
            }
            ["imports", _] => ("/imports/{id}".to_owned(), &[(1, "id")]),
            ["imports", _, section] => (format!("/imports/{{id}}/{section}"), &[(1, "id")]),
            _ => (path.to_owned(), &[]),
        };
        let parameters = names
            .iter()
            .map(|(index, name)| ((*name).to_owned(), segments[*index].to_owned()));
        Self {
            key: format!("{method} {path}"),
            parameters: parameters.collect(),
        }
    }

    /// Returns the route as the template names it, for example `GET /profiles/{id}`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns a path parameter; empty if the route has none of this name.
    pub fn parameter(&self, name: &str) -> &str {
        let parameter = self.parameters.iter().find(|(known, _)| known == name);
        parameter.map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_without_a_matched_route_are_matched() {
        for (path, key, id, note) in [
            ("/profiles/lookup", "/profiles/lookup", "", ""),
            ("/profiles/search", "/profiles/search", "", ""),
            ("/profiles/batch", "/profiles/batch", "", ""),
            ("/profiles/a", "/profiles/{id}", "a", ""),
            ("/profiles/a/notes", "/profiles/{id}/notes", "a", ""),
            (
                "/profiles/a/notes/b",
                "/profiles/{id}/notes/{noteId}",
                "a",
                "b",
            ),
            (
                "/profiles/a/history/b",
                "/profiles/{id}/history/{eventId}",
                "a",
                "",
            ),
            (
                "/profiles/a/attributes/search",
                "/profiles/{id}/attributes/search",
                "a",
                "",
            ),
            ("/profiles/a/orders/b", "/profiles/a/orders/b", "", ""),
            ("/imports", "/imports", "", ""),
            ("/imports/a", "/imports/{id}", "a", ""),
            ("/imports/a/rejects", "/imports/{id}/rejects", "a", ""),
            ("/", "/", "", ""),
        ] {
            let route = Route::of_path(&Method::GET, path);
            assert_eq!(route.key(), format!("GET {key}"));
            assert_eq!(
                (route.parameter("id"), route.parameter("noteId")),
                (id, note)
            );
        }
    }
}
