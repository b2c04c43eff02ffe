//! Refuses requests of foreign web pages. The services have no authentication, and a browser on this machine reaches them for every page
//! that it shows.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

/// The names by which containers and this machine reach the services, beside IP addresses.
const LOCAL_NAMES: [&str; 3] = [
    "localhost",
    "host.docker.internal",
    "host.containers.internal",
];

/// Adds the check to a service. `origins` are the origins whose pages may use it, beside its own.
pub(super) fn guarded(router: Router, origins: Vec<String>) -> Router {
    router.layer(from_fn_with_state(Arc::new(origins), check))
}

async fn check(State(origins): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !has_local_host(headers) {
        let text =
            "The Host is not an IP address or a name of this machine. Use http://127.0.0.1.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if !is_preflight(&request) && !has_allowed_origin(headers, &origins) {
        let text =
            "A page of this origin may not use the service. Add it to the parameter CorsOrigins.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

/// Returns whether the request asks for permission only. Its response contains none for a foreign origin.
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns whether the host is an IP address or a local name. Any other name may be that of a foreign page that resolves to this
/// machine (DNS rebinding).
fn has_local_host(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, header::HOST) else {
        return true;
    };
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || LOCAL_NAMES.contains(&name.as_str())
        || name.ends_with(".localhost")
}

/// Returns whether the request has no origin, its own, or an allowed one.
fn has_allowed_origin(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let own = text(headers, header::HOST).map(|host| format!("http://{host}"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(origin))
        || origins
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn hosts_are_addresses_or_local_names() {
        for host in [
            "127.0.0.1:3000",
            "localhost",
            "LocalHost:9000",
            "[::1]:3000",
            "172.17.0.1:9000",
            "bucket.localhost:9000",
            "host.docker.internal:8000",
        ] {
            assert!(has_local_host(&headers(header::HOST, host)), "{host}");
        }
        for host in [
            "shop.example",
            "127.0.0.1.shop.example:3000",
            "localhost.shop.example",
            "",
        ] {
            assert!(!has_local_host(&headers(header::HOST, host)), "{host}");
        }
    }

    #[test]
    fn origins_are_the_own_or_allowed() {
        let allowed = ["http://127.0.0.1:5000".to_owned()];
        let from = |origin: &str| {
            let mut headers = headers(header::HOST, "127.0.0.1:3000");
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            headers
        };
        for origin in ["http://127.0.0.1:3000", "http://127.0.0.1:5000"] {
            assert!(has_allowed_origin(&from(origin), &allowed), "{origin}");
        }
        for origin in [
            "null",
            "http://127.0.0.1:3001",
            "https://127.0.0.1:3000",
            "https://shop.example",
        ] {
            assert!(!has_allowed_origin(&from(origin), &allowed), "{origin}");
        }
        assert!(has_allowed_origin(&HeaderMap::new(), &[]));
        assert!(has_allowed_origin(
            &from("https://shop.example"),
            &["*".to_owned()]
        ));
    }
}
