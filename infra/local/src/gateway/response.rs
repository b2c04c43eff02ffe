//! Converts the return value of a function to an HTTP response.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

/// Returns an error response of API Gateway itself.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

/// Converts a return value. With `statusCode`, it specifies the response. Any other JSON becomes the body of a 200 response.
pub(super) fn response(output: &[u8]) -> Response {
    let Ok(output) = serde_json::from_slice::<Value>(output) else {
        return invalid_response();
    };
    if output.get("statusCode").is_none() {
        let body = match output {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    from_parts(&output).unwrap_or_else(invalid_response)
}

fn from_parts(output: &Value) -> Option<Response> {
    let status = &output["statusCode"];
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let body = match &output["body"] {
        Value::Null => Vec::new(),
        Value::String(text) if output["isBase64Encoded"] == true => {
            BASE64.decode(text.as_bytes()).ok()?
        }
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in output["headers"].as_object().into_iter().flatten() {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, text(value)?);
    }
    for (name, values) in output["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if headers.contains_key(&name) {
            continue;
        }
        for value in values.as_array().into_iter().flatten() {
            headers.append(&name, text(value)?);
        }
    }
    for cookie in output["cookies"].as_array().into_iter().flatten() {
        headers.append(header::SET_COOKIE, text(cookie)?);
    }
    if !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    // The gateway sets the length of the body itself.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    Some(response)
}

fn text(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_str(text).ok(),
        other => HeaderValue::from_str(&other.to_string()).ok(),
    }
}

fn invalid_response() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn made(output: Value) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let response = response(output.to_string().as_bytes());
        let headers = response
            .headers()
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
            .collect();
        (
            response.status().as_u16(),
            headers,
            to_bytes(response.into_body(), 99).await.unwrap().to_vec(),
        )
    }

    #[tokio::test]
    async fn status_headers_cookies_and_body_are_the_functions() {
        let (status, headers, body) = made(json!({
            "statusCode": 201,
            "headers": { "Content-Type": "application/json", "x-n": 7 },
            "multiValueHeaders": { "content-type": ["text/html"], "link": ["a", "b"] },
            "cookies": ["a=1", "b=2"],
            "body": "aGk=",
            "isBase64Encoded": true,
        }))
        .await;
        assert_eq!((status, body.as_slice()), (201, &b"hi"[..]));
        let has = |name: &str, value: &str| headers.contains(&(name.to_owned(), value.to_owned()));
        assert!(
            has("content-type", "application/json") && !has("content-type", "text/html"),
            "{headers:?}"
        );
        assert!(
            has("x-n", "7") && has("link", "a") && has("link", "b") && has("set-cookie", "b=2"),
            "{headers:?}"
        );
    }

    #[tokio::test]
    async fn other_json_is_a_body_and_nonsense_an_error() {
        assert_eq!(made(json!({ "a": 1 })).await.2, br#"{"a":1}"#);
        assert_eq!(made(json!("text")).await.2, b"text");
        assert_eq!(made(json!({ "statusCode": "x" })).await.0, 500);
        assert_eq!(response(b"no json").status(), 500);
    }
}
