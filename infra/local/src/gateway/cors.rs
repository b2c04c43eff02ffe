//! Applies the CORS configuration of the API and of the bucket, as API Gateway and S3 do. Both respond to preflight requests themselves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::template::Cors;

/// Returns the response to a preflight request; `None` if the request is not one.
pub(super) fn preflight(cors: &Cors, parts: &Parts) -> Option<Response> {
    if parts.method != Method::OPTIONS
        || !parts
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if allow(cors, &parts.headers, headers) {
        set(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &cors.methods.join(","),
        );
        set(
            headers,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &cors.headers.join(","),
        );
        if let Some(max_age) = cors.max_age {
            set(
                headers,
                header::ACCESS_CONTROL_MAX_AGE,
                &max_age.to_string(),
            );
        }
    }
    Some(response)
}

/// Adds the CORS headers to a response if the request's origin is allowed. Returns whether it is allowed.
pub(super) fn allow(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) -> bool {
    let Some(origin) = request
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
    else {
        return false;
    };
    let any = cors.origins.iter().any(|allowed| allowed == "*");
    if !any
        && !cors
            .origins
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        return false;
    }
    set(
        response,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        if any { "*" } else { origin },
    );
    set(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        &cors.expose.join(","),
    );
    if cors.credentials {
        set(response, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    true
}

/// Applies the CORS configuration of the bucket to a request. S3 refuses preflight requests of other origins.
pub(crate) async fn of_bucket(
    State(cors): State<Arc<Cors>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(mut response) = preflight(&cors, &parts) {
        if response.headers().is_empty() {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }
        return response;
    }
    let headers = parts.headers.clone();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    allow(&cors, &headers, response.headers_mut());
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_is_answered_for_allowed_origins_alone() {
        let cors = Cors {
            origins: vec!["http://a".into()],
            methods: vec!["GET".into()],
            max_age: Some(9),
            ..Cors::default()
        };
        let ask = |origin: &str| {
            let request = axum::http::Request::options("/x")
                .header("origin", origin)
                .header("access-control-request-method", "GET");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            preflight(&cors, &parts).unwrap()
        };
        assert_eq!(ask("http://a").status(), 204);
        assert_eq!(
            ask("http://a").headers()["access-control-allow-origin"],
            "http://a"
        );
        assert_eq!(ask("http://a").headers()["access-control-max-age"], "9");
        assert!(ask("http://b").headers().is_empty());
        let (parts, ()) = axum::http::Request::options("/x")
            .body(())
            .unwrap()
            .into_parts();
        assert!(preflight(&cors, &parts).is_none());
    }
}
