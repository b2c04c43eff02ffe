//! Builds responses: JSON documents and pages that fit Lambda's limit, compressed if the client accepts gzip.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use lambda_http::{
    Body, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::Serialize;

use super::problem::{Kind, Problem};

/// The maximum size of a response body as Lambda receives it, in JSON or base64: 6,291,556 bytes, less the headers.
const MAX_RESPONSE_BYTES: usize = 6_200_000;
/// The maximum size of a page's items as Lambda receives them, in bytes. A profile has other sections beside the page.
const MAX_PAGE_BYTES: usize = 5_400_000;
/// Larger response bodies are compressed if the client accepts gzip. In bytes.
const MIN_COMPRESSED_BYTES: usize = 1024;

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

/// Returns whether `if-none-match` (RFC 9110, 13.1.2) names the tag or is `*`, so that the client already has the
/// response. Weak tags are compared like strong ones.
pub fn if_none_match(headers: &HeaderMap, tag: &str) -> bool {
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
    let first_excess = items.iter().position(|item| {
        bytes += bytes_of(item);
        bytes > MAX_PAGE_BYTES
    });
    let last = first_excess?.max(1) - 1;
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

/// Returns the response to a request with these headers, from a result or a problem. Compresses it if the client accepts
/// gzip.
pub(super) fn respond(
    request_id: &str,
    accepted: &HeaderMap,
    result: Result<Response<Body>, Problem>,
) -> Response<Body> {
    let response = result.unwrap_or_else(|problem| problem.respond(request_id));
    let mut response = compress(accepted, response);
    if bytes_sent(response.body()) > MAX_RESPONSE_BYTES {
        let detail = "The response is larger than 6 MB, the limit of Lambda. Send a smaller `limit` or fewer sections in \
                      `include`, and accept gzip.";
        response = Problem::new(Kind::RESPONSE_TOO_LARGE, detail).respond(request_id);
    }
    // Profiles are personal data, and the reason of a failure may be too. `no-store` keeps them out of caches after the
    // reader has signed out. ETags serve clients that keep a response in memory.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Browsers do not guess another type, so no value in a document runs as a script.
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
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

/// Returns the size in base64 of this number of bytes.
const fn encoded(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Compresses a response with gzip if the client accepts it and the body is large enough.
fn compress(accepted: &HeaderMap, response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(
        header::VARY,
        HeaderValue::from_static("accept-encoding, authorization"),
    );
    if body.len() <= MIN_COMPRESSED_BYTES || !accepts_gzip(accepted) {
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
    use super::*;

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
        let text = "x".repeat(MAX_PAGE_BYTES / 4);
        let mut items = vec![text.as_str(); 5];
        assert_eq!(fit(&mut items), Some(1));
        assert_eq!(items.len(), 2);
        let whole = "x".repeat(MAX_PAGE_BYTES + 1);
        let mut items = vec![whole.as_str(), "y"];
        assert_eq!((fit(&mut items), items.len()), (Some(0), 1));
        assert_eq!((fit(&mut items), items.len()), (None, 1));
        assert_eq!(fit(&mut Vec::<String>::new()), None);
        // A quote takes two bytes in JSON, and four in JSON inside JSON.
        let quotes = "\"".repeat(MAX_PAGE_BYTES / 8);
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
