//! Finds the route of a request. A literal segment takes precedence over `{variable}`, which takes precedence over `{greedy+}`. A
//! named method takes precedence over `ANY`.

use percent_encoding::percent_decode_str;

use crate::template::{Function, Route};

/// All routes of the API, each with the logical id of its function.
#[derive(Debug)]
pub(super) struct Routes(Vec<(Route, String)>);

/// The route that matches a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RouteMatch<'a> {
    pub(super) route: &'a Route,
    /// The logical id of the function.
    pub(super) function: &'a str,
    pub(super) parameters: Vec<(String, String)>,
}

impl Routes {
    pub(super) fn new(functions: &[Function]) -> Self {
        let routes = functions.iter().flat_map(|function| {
            function
                .routes
                .iter()
                .map(|route| (route.clone(), function.logical_id.clone()))
        });
        Self(routes.collect())
    }

    /// Finds the route of a method and a path. The path must be decoded, as API Gateway does before routing.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<RouteMatch<'_>> {
        let fitting = self
            .0
            .iter()
            .filter(|(route, _)| route.method == method || route.method == "ANY");
        let ranked = fitting.filter_map(|(route, function)| {
            let (mut rank, parameters) = if route.path == "$default" {
                (vec![3], Vec::new())
            } else {
                match_path(&route.path, path)?
            };
            rank.push(u8::from(route.method == "ANY"));
            Some((
                rank,
                RouteMatch {
                    route,
                    function,
                    parameters,
                },
            ))
        });
        ranked
            .min_by(|a, b| a.0.cmp(&b.0))
            .map(|(_, matched)| matched)
    }
}

type PathMatch = (Vec<u8>, Vec<(String, String)>);

/// Matches a path with a route. Returns the rank of each segment (lower is more literal) and the variables.
fn match_path(route: &str, path: &str) -> Option<PathMatch> {
    let (mut rank, mut parameters) = (Vec::new(), Vec::new());
    let mut rest = path.trim_start_matches('/').split('/');
    for segment in route.trim_start_matches('/').split('/') {
        let variable = segment
            .strip_prefix('{')
            .and_then(|segment| segment.strip_suffix('}'));
        match variable.map(|name| (name, name.strip_suffix('+'))) {
            Some((_, Some(greedy))) => {
                let all: Vec<_> = rest.by_ref().collect();
                if all.iter().all(|segment| segment.is_empty()) {
                    return None;
                }
                rank.push(2);
                parameters.push((greedy.to_owned(), all.join("/")));
            }
            Some((name, None)) => {
                rank.push(1);
                parameters.push((
                    name.to_owned(),
                    rest.next().filter(|value| !value.is_empty())?.to_owned(),
                ));
            }
            None => {
                rank.push(0);
                if rest.next()? != segment {
                    return None;
                }
            }
        }
    }
    rest.next().is_none().then_some((rank, parameters))
}

/// Decodes a form-encoded string, in which `+` is a space.
pub(super) fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let route = |method: &str, path: &str| {
            (
                Route {
                    method: method.into(),
                    path: path.into(),
                },
                format!("{method} {path}"),
            )
        };
        Routes(vec![
            route("ANY", "/{proxy+}"),
            route("GET", "/profiles/{id}"),
            route("POST", "/profiles/lookup"),
            route("POST", "/profiles/{id}"),
            route("GET", "/profiles/{id}/notes"),
            route("ANY", "/profiles/{id}/notes"),
        ])
    }

    #[test]
    fn the_most_literal_route_wins() {
        let routes = routes();
        let find = |method: &str, path: &str| {
            routes
                .find(method, path)
                .map(|matched| (matched.function.to_owned(), matched.parameters))
        };
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(
            find("POST", "/profiles/lookup"),
            Some(("POST /profiles/lookup".into(), vec![]))
        );
        assert_eq!(
            find("POST", "/profiles/x"),
            Some(("POST /profiles/{id}".into(), one("id", "x")))
        );
        assert_eq!(
            find("GET", "/profiles/lookup"),
            Some(("GET /profiles/{id}".into(), one("id", "lookup")))
        );
        assert_eq!(
            find("GET", "/profiles/a/notes").unwrap().0,
            "GET /profiles/{id}/notes"
        );
        assert_eq!(
            find("PUT", "/profiles/a/notes").unwrap().0,
            "ANY /profiles/{id}/notes"
        );
        assert_eq!(
            find("GET", "/x/y/z"),
            Some(("ANY /{proxy+}".into(), one("proxy", "x/y/z")))
        );
        assert_eq!(find("GET", "/"), None);
    }
}
