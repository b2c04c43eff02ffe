//! Files from a folder, and nothing from outside of it.

use std::path::{Component, Path};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::response::message;

/// Serves a file for GET and HEAD; anything else, and anything that isn't a plain file below the folder, is a 404.
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
        let found = serve(&folder, "a.svg", &parts).await;
        assert_eq!(
            (
                found.status().as_u16(),
                found.headers()["content-type"].to_str().unwrap()
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
}
