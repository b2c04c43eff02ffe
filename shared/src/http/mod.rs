//! Common code of the HTTP functions: routes, parameters, request bodies and responses. Problems become problem
//! documents here.

use std::{convert::Infallible, future::ready, io::Write as _, pin::Pin, time::Instant};

use flate2::{Compression, write::GzEncoder};
use futures::TryFutureExt as _;
use lambda_http::{
    Body, Error, IntoResponse, Request, RequestExt as _, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    request::RequestContext,
    service_fn,
};
use serde::{Serialize, de::DeserializeOwned};

pub mod principal;
pub mod problem;

use crate::{
    http::problem::{Kind, Problem},
    model::identity::IdentityId,
    profile::{DEFAULT_LIMIT, MAX_LIMIT},
    runtime::metrics::{self, Unit},
    table::Table,
};

/// The maximum size of a response body as Lambda receives it, in JSON or base64: 6,291,556 bytes, less the headers.
const MAX_ANSWER: usize = 6_200_000;
/// The maximum size of a page's items as Lambda receives them, in bytes. A profile has other sections beside the page.
const MAX_PAGE: usize = 5_400_000;
/// The size in bytes above which a response is compressed, if the client accepts gzip.
const WORTH_COMPRESSING: usize = 1024;
/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// U+FEFF in UTF-8, which some clients write before the JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How often to yield until the request for the first event has been sent: the client connects and passes the request
/// on. Three yields were enough in measurements, and one takes a microsecond.
const TURNS_BEFORE_WARMING: usize = 6;

/// The route of a request and its path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    key: String,
    parameters: Vec<(String, String)>,
}

impl Route {
    /// Takes the route that API Gateway matched. A stage or a custom domain's base path before the path therefore makes
    /// no difference. Function URLs and `cargo lambda watch` match no route, so their path is matched here.
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

    fn of_path(method: &Method, path: &str) -> Self {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let (path, names): (String, &[(usize, &str)]) = match segments.as_slice() {
            ["profiles", "lookup"] => (path.to_owned(), &[]),
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
            _ => (path.to_owned(), &[]),
        };
        let parameters = names
            .iter()
            .map(|(at, name)| ((*name).to_owned(), segments[*at].to_owned()));
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
        let parameter = self.parameters.iter().find(|(own, _)| own == name);
        parameter.map_or("", |(_, value)| value)
    }

    /// Returns the profile id in the path.
    ///
    /// # Errors
    /// The parameter is not an id: the profile is not found.
    pub fn profile_id(&self) -> Result<IdentityId, Problem> {
        let id = self.parameter("id");
        id.parse().map_err(|_| profile_not_found())
    }
}

/// Returns the id that API Gateway gave the request. Its access log contains the same id.
pub fn request_id(request: &Request) -> String {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    id.or_else(|| {
        request
            .lambda_context_ref()
            .map(|context| context.request_id.clone())
    })
    .unwrap_or_default()
}

/// Returns the problem for an id under which nothing is recorded.
pub fn profile_not_found() -> Problem {
    Problem::new(
        Kind::PROFILE_NOT_FOUND,
        "Nothing is recorded under this id. POST /profiles/lookup finds the id of an identifier.",
    )
}

/// Returns the problem for a route that the function does not serve.
pub fn route_not_found() -> Problem {
    Problem::new(
        Kind::ROUTE_NOT_FOUND,
        "This function does not serve the route.",
    )
}

/// The query parameters of a request. Each is known, and given once unless it may be repeated. Parameters whose names
/// begin with `_` are ignored, because clients add such names to bypass caches.
#[derive(Debug)]
pub struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A parameter is not in `known`, or is given more than once.
    pub fn new(request: &'a Request, known: &[&str]) -> Result<Self, Problem> {
        Self::with_repeated(request, known, &[])
    }

    /// Reads the parameters. Those in `repeated` may be given more than once.
    ///
    /// # Errors
    /// A parameter is not in `known`, or is given more than once although it is not in `repeated`.
    pub fn with_repeated(
        request: &'a Request,
        known: &[&str],
        repeated: &[&str],
    ) -> Result<Self, Problem> {
        let mut taken: Vec<(&str, &str)> = Vec::new();
        for (name, value) in request
            .query_string_parameters_ref()
            .into_iter()
            .flat_map(|map| map.iter())
        {
            if name.starts_with('_') {
                continue;
            }
            let detail = if !known.contains(&name) {
                match known {
                    [] => "This route takes no parameters.".to_owned(),
                    known => format!("This route takes the parameters {}.", known.join(", ")),
                }
            } else if !repeated.contains(&name) && taken.iter().any(|(other, _)| *other == name) {
                "The parameter stands there twice.".to_owned()
            } else {
                taken.push((name, value));
                continue;
            };
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Problem::new(Kind::INVALID_PARAMETER, detail).field(name));
        }
        Ok(Self(taken))
    }

    /// Returns the value of the parameter `name`; the first one if it is repeated.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Returns all values of the parameter `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    /// Returns `limit`, 1 to 100. The default is 25.
    ///
    /// # Errors
    /// The value is not a number in this range.
    pub fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| {
            invalid_parameter(
                "limit",
                format!("The limit is a number from 1 to {MAX_LIMIT}."),
            )
        })
    }

    /// Returns a boolean parameter, `true` or `false`. The default is `false`.
    ///
    /// # Errors
    /// The value is neither `true` nor `false`.
    pub fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid_parameter(name, "The flag is true or false.")),
        }
    }
}

/// Returns the problem for a parameter that breaks its rule.
pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(Kind::INVALID_PARAMETER, detail).field(name)
}

/// Returns the problem for a cursor that is not valid or belongs to another request.
pub fn invalid_cursor() -> Problem {
    let detail = "The cursor is the `next` of an answer to the same request; without one, reading begins anew.";
    Problem::new(Kind::INVALID_CURSOR, detail).field("cursor")
}

/// Returns the problem for a body, or a field of it, that breaks its rule.
pub fn invalid_body(field: Option<&str>, detail: impl Into<String>) -> Problem {
    let problem = Problem::new(Kind::INVALID_BODY, detail);
    match field {
        Some(field) => problem.field(field),
        None => problem,
    }
}

/// Reads the JSON object in the body as a map of its fields. The fields are values, or raw values, which keep the
/// digits of numbers. A byte order mark before the object is ignored.
///
/// # Errors
/// The content type is not `application/json`, the body is larger than 256 KiB, or it is not a JSON object.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map_or(Ok(""), |value| value.to_str());
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "Send the body as JSON, with the header content-type: application/json.";
        return Err(Problem::new(Kind::UNSUPPORTED_MEDIA_TYPE, detail).field("content-type"));
    }
    let bytes = request.body().as_ref();
    if bytes.len() > MAX_BODY {
        return Err(invalid_body(
            None,
            format!("The body has at most {MAX_BODY} bytes."),
        ));
    }
    let json = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    match serde_json::from_slice(json) {
        Ok(fields) => Ok(fields),
        Err(error) if error.is_data() => Err(invalid_body(None, "The body is a JSON object.")),
        Err(error) => {
            let detail = format!(
                "The body is not JSON: see line {}, column {}.",
                error.line(),
                error.column()
            );
            Err(invalid_body(None, detail))
        }
    }
}

/// Returns a JSON response.
///
/// # Errors
/// The document cannot be serialized.
pub fn json(status: StatusCode, document: &impl Serialize) -> Result<Response<Body>, Problem> {
    let text = serde_json::to_string(document).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

/// Runs an HTTP function. `warm` runs concurrently once the first event has been requested, so that its work takes no
/// extra time while the event is on its way.
///
/// # Errors
/// The Runtime API cannot be reached.
pub async fn run<F>(
    mut handle: impl FnMut(Request) -> F,
    warm: impl Future<Output = ()>,
) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let function = service_fn(|request| handle(request).map_ok(Answer));
    run_and_warm(lambda_http::run(function), warm).await
}

async fn run_and_warm<T>(function: impl Future<Output = T>, warm: impl Future<Output = ()>) -> T {
    let warm = async {
        for _ in 0..TURNS_BEFORE_WARMING {
            tokio::task::yield_now().await;
        }
        warm.await;
    };
    tokio::join!(function, warm).0
}

/// A response whose body is sent to Lambda as it is: a string in JSON, bytes in base64. For a plain response,
/// `lambda_http` would first look up the charset, and those tables are a twentieth of a function's size.
struct Answer(Response<Body>);

impl IntoResponse for Answer {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// Returns the response to a request and emits its metrics.
pub async fn serve(
    request: &Request,
    table: &Table,
    answer: impl Future<Output = Result<Response<Body>, Problem>>,
) -> Response<Body> {
    let began = Instant::now();
    let answer = answer.await;
    let response = respond(request, answer);
    let (read, write) = table.take_consumed();
    let route = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.clone(),
        _ => None,
    };
    metrics::emit(
        &[
            (
                "Duration",
                Unit::Milliseconds,
                began.elapsed().as_secs_f64() * 1000.0,
            ),
            ("ReadCapacityUnits", Unit::Count, read),
            ("WriteCapacityUnits", Unit::Count, write),
        ],
        &[
            ("route", route.into()),
            ("status", response.status().as_u16().into()),
            ("request_id", request_id(request).into()),
        ],
    );
    response
}

/// Returns whether `if-none-match` (RFC 9110, 13.1.2) names the tag or is `*`, so that the client already has the
/// response. Weak tags are compared like strong ones.
pub fn holds(headers: &HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let values = headers
        .get_all(header::IF_NONE_MATCH)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut named = values.flat_map(|value| value.split(','));
    named.any(|name| name.trim() == "*" || strong(name) == strong(tag))
}

/// Returns the response for a client that already has the content.
pub fn not_modified() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// Truncates a page's items to those that fit a response. Returns the position of the last remaining item if any were
/// removed. The first item always stays.
pub fn fit<T: Serialize>(items: &mut Vec<T>) -> Option<usize> {
    fit_beside(items, 0)
}

/// Truncates `items` as [`fit`] does, in a response that contains `used` other bytes.
pub fn fit_beside<T: Serialize>(items: &mut Vec<T>, used: usize) -> Option<usize> {
    let mut bytes = used;
    let past = items.iter().position(|item| {
        bytes += bytes_of(item);
        bytes > MAX_PAGE
    });
    let last = past?.max(1) - 1;
    if last + 1 == items.len() {
        return None;
    }
    items.truncate(last + 1);
    Some(last)
}

/// Returns the size of a value in a response in bytes: as a string or in base64, whichever is larger.
pub fn bytes_of(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| escaped(text.as_bytes()).max(encoded(text.len())))
}

/// Returns the response to a request, from a result or a problem, compressed if the client accepts gzip.
fn respond(request: &Request, result: Result<Response<Body>, Problem>) -> Response<Body> {
    let request_id = request_id(request);
    let response = result.unwrap_or_else(|problem| problem.respond(&request_id));
    let mut response = compress(request, response);
    if bytes_sent(response.body()) > MAX_ANSWER {
        let detail = "The response is larger than 6 MB, the limit of Lambda. Send a smaller `limit` or fewer sections in \
                      `include`, and accept gzip.";
        response = Problem::new(Kind::ANSWER_TOO_LARGE, detail).respond(&request_id);
    }
    // Profiles are personal data, and the reason of a failure may be too. `no-store` keeps them out of caches after the
    // reader has signed out. ETags serve clients that keep a response in memory.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the size of a body as Lambda receives it, in bytes. A string is inside JSON, where quotes, backslashes and
/// control characters are escaped once more. Bytes are in base64.
fn bytes_sent(body: &Body) -> usize {
    match body {
        Body::Text(text) => escaped(text.as_bytes()),
        body => encoded(body.len()),
    }
}

/// Returns the size of a string inside JSON, in bytes.
fn escaped(text: &[u8]) -> usize {
    let escape = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.iter().map(escape).sum()
}

/// Returns the size of so many bytes in base64.
const fn encoded(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn compress(request: &Request, response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(
        header::VARY,
        HeaderValue::from_static("accept-encoding, authorization"),
    );
    if body.len() <= WORTH_COMPRESSING || !accepts_gzip(request.headers()) {
        return Response::from_parts(parts, body);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory does not fail. If it did, the body would be sent uncompressed.
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            parts
                .headers
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Response::from_parts(parts, Body::Binary(packed))
        }
        Err(_) => Response::from_parts(parts, body),
    }
}

/// Returns whether `accept-encoding` (RFC 9110, 12.5.3) allows gzip, by name or else by `*`, with a weight above 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    let values = headers
        .get_all(header::ACCEPT_ENCODING)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        });
        match name {
            "*" => any = !refused,
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                return !refused;
            }
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn the_first_event_is_asked_for_before_anything_is_warmed() {
        let (asked, warmed_after) = (Cell::new(false), Cell::new(false));
        let function = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            asked.set(true);
            7
        };
        let warm = async { warmed_after.set(asked.get()) };
        assert_eq!(run_and_warm(function, warm).await, 7);
        assert!(warmed_after.get());
    }

    #[test]
    fn paths_without_a_matched_route_are_matched() {
        for (path, key, id, note) in [
            ("/profiles/lookup", "/profiles/lookup", "", ""),
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
            ("/profiles/a/orders/b", "/profiles/a/orders/b", "", ""),
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

    #[test]
    fn gzip_is_taken_where_it_is_not_refused() {
        for (accepted, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*;q=0.000", false),
            ("br", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(accepted),
            )]);
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        }
    }

    #[test]
    fn a_page_ends_where_an_answer_does() {
        let text = "x".repeat(MAX_PAGE / 4);
        let mut items = vec![text.as_str(); 5];
        assert_eq!(fit(&mut items), Some(1));
        assert_eq!(items.len(), 2);
        let whole = "x".repeat(MAX_PAGE + 1);
        let mut items = vec![whole.as_str(), "y"];
        assert_eq!((fit(&mut items), items.len()), (Some(0), 1));
        assert_eq!((fit(&mut items), items.len()), (None, 1));
        assert_eq!(fit(&mut Vec::<String>::new()), None);
        // A quote takes two bytes in JSON, and four in JSON inside JSON.
        let quotes = "\"".repeat(MAX_PAGE / 8);
        let mut items = vec![quotes.as_str(); 5];
        assert_eq!((fit(&mut items), items.len()), (Some(0), 1));
    }

    #[test]
    fn bytes_are_counted_as_lambda_is_sent_them() {
        let text = "caf\u{e9} \" \\ / \n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}\u{2028}";
        let within = serde_json::to_string(text).unwrap().len() - 2;
        assert_eq!(escaped(text.as_bytes()), within);
        assert_eq!(bytes_sent(&Body::from(text)), within);
        let bytes = text.as_bytes().to_vec();
        let base64 = data_encoding::BASE64.encode_len(bytes.len());
        assert_eq!(bytes_sent(&Body::Binary(bytes)), base64);
        assert_eq!(bytes_sent(&Body::Empty), 0);
    }
}
