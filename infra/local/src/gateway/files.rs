//! Serves files from a folder, and no files outside of it.

use std::path::{Component, Path};

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::response::message;

/// The response headers of the Profile tab's files, as a production host would send them. Images can come from any HTTPS host,
/// since products specify their URLs. They can also come from this machine, as `localhost` or `127.0.0.1`. The view of imports
/// uploads files to S3 of this machine.
const PAGE_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; \
             connect-src 'self' http://localhost:* http://127.0.0.1:*; \
             img-src 'self' https: http://localhost:* http://127.0.0.1:*; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// Serves a file of the Profile tab; `/` is `index.html`.
pub(super) async fn serve_page(folder: &Path, path: &str, parts: &Parts) -> Response {
    let name = path.strip_prefix('/').unwrap_or(path);
    let name = if name.is_empty() { "index.html" } else { name };
    let mut response = serve(folder, name, parts).await;
    if response.status().is_success() {
        response.headers_mut().extend(PAGE_HEADERS);
    }
    response
}

/// Serves a file for GET and HEAD. Returns 404 for other methods and for paths that are not plain files below the folder.
pub(super) async fn serve(folder: &Path, name: &str, parts: &Parts) -> Response {
    let not_found = || message(StatusCode::NOT_FOUND, "Not Found");
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !matches!(parts.method, Method::GET | Method::HEAD)
        || !plain
        || name.is_empty()
        || name.contains(['\\', '\0'])
    {
        return not_found();
    }
    match tokio::fs::read(folder.join(name)).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, content_type(name))], bytes).into_response(),
        Err(_) => not_found(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[tokio::test]
    async fn only_files_of_the_folder_are_served() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("images");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(outer.path().join("secret.svg"), "no").unwrap();
        std::fs::write(folder.join("a.svg"), "yes").unwrap();
        let (parts, ()) = Request::get("/").body(()).unwrap().into_parts();
        let matched = serve(&folder, "a.svg", &parts).await;
        assert_eq!(
            (
                matched.status().as_u16(),
                matched.headers()["content-type"].to_str().unwrap()
            ),
            (200, "image/svg+xml")
        );
        for name in [
            "../secret.svg",
            "x/../../secret.svg",
            "/etc/passwd",
            "",
            ".",
            "b.svg",
            "..\\secret.svg",
        ] {
            assert_eq!(serve(&folder, name, &parts).await.status(), 404, "{name}");
        }
        let (parts, ()) = Request::post("/").body(()).unwrap().into_parts();
        assert_eq!(serve(&folder, "a.svg", &parts).await.status(), 404);
    }

    #[tokio::test]
    async fn pages_come_with_a_strict_policy() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "<!doctype html>").unwrap();
        let (parts, ()) = Request::get("/").body(()).unwrap().into_parts();
        for path in ["/", "/index.html"] {
            let page = serve_page(folder.path(), path, &parts).await;
            assert_eq!(page.status(), 200, "{path}");
            let headers = page.headers();
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"));
            assert_eq!(headers["x-content-type-options"], "nosniff");
        }
        for path in ["/missing.js", "//index.html", "/../index.html"] {
            let page = serve_page(folder.path(), path, &parts).await;
            assert_eq!(page.status(), 404, "{path}");
        }
    }
}
