//! Requests that clients and proxies have changed, and that are accepted.

use crate::support::{api::problem_of, shared::SharedApp};

async fn jane(app: &SharedApp) -> String {
    let profile = app.profile("jane@fake.com").await;
    profile["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ignores_cache_busters() {
    let app = SharedApp::get().await;
    let id = jane(&app).await;
    for path in [
        format!("/profiles/{id}?_=1700000000000"),
        format!("/profiles/{id}?include=summary&_t=1&_t=2"),
        format!("/profiles/{id}/history?_=1&limit=1"),
        format!("/profiles/{id}/notes?_cb"),
        format!("/profiles/{id}/attributes?_=%00"),
    ] {
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200, "{path}: {page}");
    }
    let unknown = ("invalid-parameter".to_owned(), Some("t_".to_owned()));
    assert_eq!(
        app.problem(&format!("/profiles/{id}?t_=1"), 400).await,
        unknown
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ignores_byte_order_mark() {
    let app = SharedApp::get().await;
    let post = |body: &str| {
        let request = reqwest::Client::new().post(app.url("/profiles/lookup"));
        let request = request.header("content-type", "application/json");
        app.send(request.body(body.to_owned()))
    };
    let (status, profile) = post("\u{feff}{\"email\": \"jane@fake.com\"}").await;
    assert_eq!(status, 200, "{profile}");
    for body in [
        "\u{feff}",
        "\u{feff}\u{feff}{\"email\": \"jane@fake.com\"}",
        "{\u{feff}}",
    ] {
        let (status, problem) = post(body).await;
        assert_eq!(
            (status.as_u16(), problem_of(&problem).0.as_str()),
            (400, "invalid-body"),
            "{body:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_unencoded_plus() {
    let app = SharedApp::get().await;
    let path = format!("/profiles/{}/history?", jane(&app).await);
    let page = async |query: &str| {
        let (status, page) = app.get(&format!("{path}{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        page["items"].clone()
    };
    let expected = page("from=2023-03-07T22:26:47%2B10:00").await;
    assert_eq!(expected[1]["at"], "2023-03-07T12:26:47Z");
    for query in [
        "from=2023-03-07T22:26:47+10:00",
        "from=2023-03-07T22:26:47.0+10:00",
        "from=2023-03-07T22:26:47+1000",
        "from=2023-03-07T22:26:47+10",
        "from=2023-03-07+22:26:47+10:00",
        "from=2023-03-07T12:26:47+00:00",
        "from=2023-03-07+12:26:47",
    ] {
        assert_eq!(page(query).await, expected, "{query}");
    }
    for query in [
        "from=2023-03-07T22:26:47+x",
        "from=yesterday+10:00",
        "to=2023-03-07T22:26:47+25:00x",
    ] {
        let (slug, field) = app.problem(&format!("{path}{query}"), 400).await;
        assert_eq!(
            (slug.as_str(), field.as_deref()),
            ("invalid-parameter", query.split('=').next())
        );
    }
}
