//! Which route a request takes: literal segments go before `{variables}`, those before `{greedy+}`, and a named method
//! before `ANY`.

use percent_encoding::percent_decode_str;

use crate::template::{Function, Route};

/// All routes of the API, with the functions behind them.
#[derive(Debug)]
pub(super) struct Routes(Vec<(Route, String)>);

/// The route of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) route: &'a Route,
    /// A logical id.
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

    /// `path` is decoded, as API Gateway decodes it before it looks for a route.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        let fitting = self
            .0
            .iter()
            .filter(|(route, _)| route.method == method || route.method == "ANY");
        let ranked = fitting.filter_map(|(route, function)| {
            let (mut rank, parameters) = if route.path == "$default" {
                (vec![3], Vec::new())
            } else {
                fit(&route.path, path)?
            };
            rank.push(u8::from(route.method == "ANY"));
            Some((
                rank,
                Found {
                    route,
                    function,
                    parameters,
                },
            ))
        });
        ranked.min_by(|a, b| a.0.cmp(&b.0)).map(|(_, found)| found)
    }
}

type Fit = (Vec<u8>, Vec<(String, String)>);

/// How literally a route's path fits (less is more), segment by segment, and its variables.
fn fit(route: &str, path: &str) -> Option<Fit> {
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

/// A form's decoding: `+` is a space.
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
                .map(|found| (found.function.to_owned(), found.parameters))
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
