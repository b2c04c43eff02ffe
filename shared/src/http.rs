//! What the HTTP functions do alike: routes, parameters, bodies, answers. Problems become documents here.

use std::time::Instant;

use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderValue, Method, StatusCode, header},
    request::RequestContext,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    identity::IdentityId,
    metrics::{self, Unit},
    problem::{Kind, Problem},
    profile::{DEFAULT_LIMIT, MAX_LIMIT},
    table::Table,
};

/// The most bytes of a request body.
const MAX_BODY: usize = 256 * 1024;

/// Method and path segments of a request.
pub fn route(request: &Request) -> (&Method, Vec<&str>) {
    (
        request.method(),
        request
            .raw_http_path()
            .trim_start_matches('/')
            .split('/')
            .collect(),
    )
}

/// The id that API Gateway gave the request: it stands in its access log too.
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

/// The profile id in a path. What is not an id names no profile.
///
/// # Errors
/// It is not an id.
pub fn profile_id(segment: &str) -> Result<IdentityId, Problem> {
    segment.parse().map_err(|_| profile_not_found())
}

/// The answer for an id under which nothing is recorded.
pub fn profile_not_found() -> Problem {
    Problem::new(
        Kind::PROFILE_NOT_FOUND,
        "Nothing is recorded under this id. POST /profiles/lookup finds the id of an identifier.",
    )
}

/// The answer where the function has no such route.
pub fn route_not_found() -> Problem {
    Problem::new(
        Kind::ROUTE_NOT_FOUND,
        "This function does not serve the route.",
    )
}

/// The parameters of a request's query, each once and each known.
#[derive(Debug)]
pub struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    /// Takes the parameters in.
    ///
    /// # Errors
    /// One is not among `known`, or stands there twice.
    pub fn new(request: &'a Request, known: &[&str]) -> Result<Self, Problem> {
        let mut taken: Vec<(&str, &str)> = Vec::new();
        for (name, value) in request
            .query_string_parameters_ref()
            .into_iter()
            .flat_map(|map| map.iter())
        {
            let detail = if !known.contains(&name) {
                match known {
                    [] => "This route takes no parameters.".to_owned(),
                    known => format!("This route takes the parameters {}.", known.join(", ")),
                }
            } else if taken.iter().any(|(other, _)| *other == name) {
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

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    /// `limit`: 1 to 100, 25 unless given.
    ///
    /// # Errors
    /// It is something else.
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

    /// A flag: `true` or `false`, which is also what it is when absent.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid_parameter(name, "The flag is true or false.")),
        }
    }
}

/// A parameter that breaks its rule.
pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(Kind::INVALID_PARAMETER, detail).field(name)
}

/// A cursor that is none, or one of another request.
pub fn invalid_cursor() -> Problem {
    let detail = "The cursor is the `next` of an answer to the same request; without one, reading begins anew.";
    Problem::new(Kind::INVALID_CURSOR, detail).field("cursor")
}

/// A field of the body that breaks its rule.
pub fn invalid_body(field: Option<&str>, detail: impl Into<String>) -> Problem {
    let problem = Problem::new(Kind::INVALID_BODY, detail);
    match field {
        Some(field) => problem.field(field),
        None => problem,
    }
}

/// The JSON object in the body.
///
/// # Errors
/// The content type is another, the body is too large, or no JSON object.
pub fn body(request: &Request) -> Result<serde_json::Map<String, Value>, Problem> {
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
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid_body(None, "The body is a JSON object.")),
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

/// A JSON answer. Profiles are private: no cache but the client's own may keep them.
///
/// # Errors
/// The document can't be written.
pub fn json(status: StatusCode, document: &impl Serialize) -> Result<Response<Body>, Problem> {
    let text = serde_json::to_string(document).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// Answers a request with what its handling comes to, and measures it.
pub async fn serve(
    request: &Request,
    table: &Table,
    answer: impl Future<Output = Result<Response<Body>, Problem>>,
) -> Response<Body> {
    let began = Instant::now();
    let answer = answer.await;
    let response = answer.unwrap_or_else(|problem| problem.respond(&request_id(request)));
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
