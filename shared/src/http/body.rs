//! Parses request bodies. In: a request. Out: the fields of its JSON object.

use std::collections::BTreeMap;

use lambda_http::{Request, http::header};
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};
use crate::profile::MAX_LIMIT;

/// The maximum size of a request body, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// U+FEFF in UTF-8, which some clients write before the JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
        let detail =
            "The body must be JSON. Send it with the header `content-type: application/json`.";
        return Err(Problem::new(Kind::UNSUPPORTED_MEDIA_TYPE, detail).field("content-type"));
    }
    let bytes = request.body().as_ref();
    if bytes.len() > MAX_BODY_BYTES {
        return Err(Problem::invalid_body(
            None,
            "The body is larger than 256 KiB, the limit. Send a smaller body.",
        ));
    }
    let json = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    match serde_json::from_slice(json) {
        Ok(fields) => Ok(fields),
        Err(error) if error.is_data() => Err(Problem::invalid_body(
            None,
            "The body must be a JSON object.",
        )),
        Err(error) => {
            let detail = format!(
                "The body is not valid JSON. The error is at line {}, column {}.",
                error.line(),
                error.column()
            );
            Err(Problem::invalid_body(None, detail))
        }
    }
}

/// Checks that a body has no other fields than those of the route.
///
/// # Errors
/// A field is unknown.
pub fn check_known<V>(fields: &BTreeMap<String, V>, known: &[&str]) -> Result<(), Problem> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            let known = known.join(", ");
            let detail = format!("The field is unknown. This route takes {known}.");
            Err(Problem::invalid_body(Some(unknown), detail))
        }
    }
}

/// Parses the field `limit` of a body, 1 to 100. `json` is its JSON. In JSON, `50.0` is an integer too.
///
/// # Errors
/// The value is not such an integer.
pub fn body_limit(json: &str) -> Result<usize, Problem> {
    let number = json.parse::<f64>().ok();
    let is_number =
        |limit: &usize| u32::try_from(*limit).is_ok_and(|limit| number == Some(limit.into()));
    let limit = (1..=MAX_LIMIT).find(is_number);
    limit.ok_or_else(|| {
        let detail = format!("`limit` must be an integer from 1 to {MAX_LIMIT}.");
        Problem::invalid_body(Some("limit"), detail)
    })
}
