//! A middleware in front of S3. Determines the action of a request and forwards allowed requests.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::{Permissions, Refusal};

/// Checks a request.
pub(crate) async fn check(
    State(permissions): State<Arc<Permissions>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(function) = permissions
        .caller(request.headers(), request.uri())
        .map(str::to_owned)
    else {
        return next.run(request).await;
    };
    let (action, resource) = action(request.method(), request.uri());
    if let Err(refusal) = permissions.check(&function, action, &resource, &[]) {
        return denied(&refusal);
    }
    let response = next.run(request).await;
    // As in S3, a client that cannot list a bucket is denied instead of receiving 404 for a missing object.
    if response.status() == StatusCode::NOT_FOUND && action.starts_with("s3:Get") {
        let bucket = resource.split('/').next().unwrap_or_default();
        if let Err(refusal) = permissions.check(&function, "s3:ListBucket", bucket, &[]) {
            return denied(&refusal);
        }
    }
    response
}

/// Returns the action and the resource of a request to `/bucket/key`.
fn action(method: &Method, uri: &Uri) -> (&'static str, String) {
    let path = uri.path().trim_start_matches('/');
    let path = percent_decode_str(path).decode_utf8_lossy();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let query = uri.query().unwrap_or_default();
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    if key.is_empty() {
        let action = match *method {
            Method::GET if has("versions") => "s3:ListBucketVersions",
            Method::GET if has("uploads") => "s3:ListBucketMultipartUploads",
            Method::GET | Method::HEAD => "s3:ListBucket",
            Method::PUT => "s3:CreateBucket",
            Method::POST => "s3:DeleteObject",
            _ => "s3:DeleteBucket",
        };
        return (action, format!("arn:aws:s3:::{bucket}"));
    }
    let action = match *method {
        Method::GET if has("uploadId") => "s3:ListMultipartUploadParts",
        Method::GET | Method::HEAD if has("versionId") => "s3:GetObjectVersion",
        Method::GET | Method::HEAD => "s3:GetObject",
        Method::DELETE if has("uploadId") => "s3:AbortMultipartUpload",
        Method::DELETE if has("versionId") => "s3:DeleteObjectVersion",
        Method::DELETE => "s3:DeleteObject",
        _ => "s3:PutObject",
    };
    (action, format!("arn:aws:s3:::{bucket}/{key}"))
}

fn denied(refusal: &Refusal) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>{}</Message></Error>",
        refusal
            .to_string()
            .replace('&', "&amp;")
            .replace('<', "&lt;")
    );
    let content_type = [(header::CONTENT_TYPE, "application/xml")];
    (StatusCode::FORBIDDEN, content_type, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_ask_for_the_actions_that_iam_knows() {
        for (method, uri, expected, resource) in [
            (
                Method::GET,
                "/b/drop/a%20b?versionId=1&x-id=GetObject",
                "s3:GetObjectVersion",
                "b/drop/a b",
            ),
            (Method::GET, "/b/drop/a", "s3:GetObject", "b/drop/a"),
            (Method::HEAD, "/b/a", "s3:GetObject", "b/a"),
            (Method::PUT, "/b/work/a", "s3:PutObject", "b/work/a"),
            (
                Method::POST,
                "/b/work/a?uploads",
                "s3:PutObject",
                "b/work/a",
            ),
            (Method::DELETE, "/b/work/a", "s3:DeleteObject", "b/work/a"),
            (
                Method::DELETE,
                "/b/a?versionId=1",
                "s3:DeleteObjectVersion",
                "b/a",
            ),
            (Method::GET, "/b?list-type=2&prefix=a", "s3:ListBucket", "b"),
            (Method::GET, "/b/?versions", "s3:ListBucketVersions", "b"),
        ] {
            let uri: Uri = uri.parse().expect("a URI");
            assert_eq!(
                action(&method, &uri),
                (expected, format!("arn:aws:s3:::{resource}")),
                "{method} {uri}"
            );
        }
    }
}
