//! Serves files from a folder, and no files outside of it.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::response::message;

/// The content security policy of the Profile tab up to the hosts of images. The view of imports uploads files to S3 of this machine, as
/// `localhost` or `127.0.0.1`, where the images of the sample data are too.
const POLICY_START: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self' http://localhost:* http://127.0.0.1:*; \
     img-src 'self' http://localhost:* http://127.0.0.1:*";
/// The rest of the policy.
const POLICY_END: &str = "; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The other response headers of the Profile tab's files, as a production host would send them.
const PAGE_HEADERS: [(HeaderName, HeaderValue); 3] = [
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

/// A host that product images can be loaded from, as in a content security policy: `https://images.example.com`, or
/// `https://*.example.com` for all hosts of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageHost(String);

impl FromStr for ImageHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".-:*".contains(c);
        match host {
            Some(host) if !host.is_empty() && host.chars().all(is_part) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("the value is not a host of images; write https://images.example.com"),
        }
    }
}

/// The Profile tab's files and their content security policy.
#[derive(Debug)]
pub(crate) struct Page {
    folder: PathBuf,
    policy: HeaderValue,
}

impl Page {
    /// Creates the page. Without hosts, images can come from any HTTPS host, since products specify their URLs.
    pub(crate) fn new(folder: PathBuf, image_hosts: &[ImageHost]) -> Self {
        let mut policy = POLICY_START.to_owned();
        if image_hosts.is_empty() {
            policy.push_str(" https:");
        }
        for ImageHost(host) in image_hosts {
            policy.push(' ');
            policy.push_str(host);
        }
        policy.push_str(POLICY_END);
        // A host has characters of headers only, so this does not fail.
        let policy = HeaderValue::from_str(&policy);
        Self {
            folder,
            policy: policy.unwrap_or(HeaderValue::from_static("default-src 'none'")),
        }
    }

    /// Serves a file of the Profile tab; `/` is `index.html`.
    pub(super) async fn serve(&self, path: &str, parts: &Parts) -> Response {
        let name = path.strip_prefix('/').unwrap_or(path);
        let name = if name.is_empty() { "index.html" } else { name };
        let mut response = serve(&self.folder, name, parts).await;
        if response.status().is_success() {
            let headers = response.headers_mut();
            headers.extend(PAGE_HEADERS);
            headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        }
        response
    }
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
        let page = Page::new(folder.path().to_owned(), &[]);
        for path in ["/", "/index.html"] {
            let response = page.serve(path, &parts).await;
            assert_eq!(response.status(), 200, "{path}");
            let headers = response.headers();
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"));
            assert_eq!(headers["x-content-type-options"], "nosniff");
        }
        for path in ["/missing.js", "//index.html", "/../index.html"] {
            let response = page.serve(path, &parts).await;
            assert_eq!(response.status(), 404, "{path}");
        }
    }

    #[test]
    fn images_come_from_the_named_hosts() {
        let of = |hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().map(|host| host.parse().unwrap()).collect();
            let policy = Page::new(PathBuf::new(), &hosts).policy;
            let policy = policy.to_str().unwrap().to_owned();
            let mut parts = policy.split("; ");
            parts
                .find(|part| part.starts_with("img-src"))
                .unwrap()
                .to_owned()
        };
        let local = "img-src 'self' http://localhost:* http://127.0.0.1:*";
        assert_eq!(of(&[]), format!("{local} https:"));
        let hosts = ["https://images.example.com", "https://*.example.net:8443"];
        assert_eq!(of(&hosts), format!("{local} {} {}", hosts[0], hosts[1]));
        for text in [
            "",
            "https:",
            "https://",
            "images.example.com",
            "https://a.example/b",
            "https://a; script-src *",
            "data:",
        ] {
            assert!(text.parse::<ImageHost>().is_err(), "{text}");
        }
    }
}
