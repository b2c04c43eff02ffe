//! The gateway's events, through the five HTTP functions, before a table that holds a little of everything and a bucket without objects: every
//! request gets a response, with JSON, and never a 5xx.
#![no_main]

use std::{
    panic::{self, AssertUnwindSafe},
    sync::LazyLock,
};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    routing::post,
    Router,
};
use lambda_http::{request, Body, Request, Response};
use libfuzzer_sys::fuzz_target;
use serde_json::{json, Value};
use shared::http::App;
use tokio::runtime::{Builder, Runtime};

#[derive(arbitrary::Arbitrary, Debug)]
struct Event<'a> {
    target: Target<'a>,
    query: Vec<(u8, &'a str)>,
    headers: Vec<(u8, &'a str)>,
    claims: Claims<'a>,
    body: Content<'a>,
    base64: bool,
}

/// What is requested: an existing object of one of the routes, or any path.
#[derive(arbitrary::Arbitrary, Debug)]
enum Target<'a> {
    Route(u8, u8),
    Path(u8, u8, Vec<Segment<'a>>),
}

/// The token. Most are of a caller with all scopes, because only they reach what a route does.
#[derive(arbitrary::Arbitrary, Debug)]
enum Claims<'a> {
    All,
    AllOf(&'a str),
    AllButOne(u8),
    Any(&'a str, &'a str),
    None,
    AllAndOthers(&'a str),
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Segment<'a> {
    Profiles,
    Lookup,
    Search,
    Batch,
    Id,
    Notes,
    Note,
    History,
    HistoryEvent,
    Attributes,
    Export,
    Links,
    Link(bool),
    Identity,
    Imports,
    Import(bool, u8),
    Any(&'a str),
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Content<'a> {
    None,
    Any(&'a str),
    Note(&'a str, Option<bool>),
    Batch(bool, Vec<(u8, &'a str)>),
    Decision {
        identity: Option<bool>,
        identifier: Vec<(u8, &'a str)>,
        reason: Option<&'a str>,
        reinstate: Option<bool>,
    },
    Fields(Vec<(u8, &'a str)>),
    Upload {
        file_name: &'a str,
        folder: u8,
        source: Option<&'a str>,
        size: u64,
        is_try: Option<bool>,
    },
    Numbers(Vec<u64>),
    Parts(Vec<(u64, &'a str)>),
    Customer(Vec<(u8, &'a str)>, &'a str),
}

const METHODS: [&str; 6] = ["GET", "POST", "PATCH", "DELETE", "HEAD", "PUT"];
const PARAMETERS: [&str; 15] = [
    "account",
    "category",
    "channel",
    "consistent",
    "cursor",
    "from",
    "include",
    "limit",
    "order",
    "preview",
    "to",
    "type",
    "limit",
    "cursor",
    "x",
];
const HEADERS: [&str; 7] = [
    "content-type",
    "accept-encoding",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "host",
    "x-forwarded-for",
];
const FIELDS: [&str; 14] = [
    "email",
    "mobile",
    "customer_id",
    "external_id",
    "system_name",
    "text",
    "pinned",
    "email_md5",
    "order",
    "name",
    "first_name",
    "reason",
    "limit",
    "cursor",
];
const SCOPES: [&str; 10] = [
    "profiles:read",
    "profiles:lookup",
    "profiles:write",
    "links:write",
    "erasures:write",
    "notes:write",
    "notes:admin",
    "pii:read",
    "imports:read",
    "imports:write",
];
/// The routes of each function, as the template names them. Each is requested with the objects that the table contains.
const ROUTES: [(u8, &str); 28] = [
    (0, "POST /profiles/lookup"),
    (0, "POST /profiles/search"),
    (0, "POST /profiles/batch"),
    (0, "GET /profiles/{id}"),
    (0, "GET /profiles/{id}/attributes"),
    (0, "POST /profiles/{id}/attributes/search"),
    (0, "GET /profiles/{id}/export"),
    (0, "GET /profiles/{id}/links"),
    (0, "GET /profiles/{id}/notes"),
    (0, "GET /profiles/{id}/notes/{noteId}"),
    (1, "POST /profiles/{id}/notes"),
    (1, "PATCH /profiles/{id}/notes/{noteId}"),
    (1, "DELETE /profiles/{id}/notes/{noteId}"),
    (2, "POST /profiles"),
    (2, "POST /profiles/{id}/links"),
    (2, "DELETE /profiles/{id}/links/{linkId}"),
    (2, "DELETE /profiles/{id}/identities/{identityId}"),
    (3, "POST /imports"),
    (3, "GET /imports"),
    (3, "GET /imports/{import}"),
    (3, "GET /imports/{upload}"),
    (3, "POST /imports/{upload}/parts"),
    (3, "POST /imports/{upload}/complete"),
    (3, "POST /imports/{import}/revert"),
    (3, "POST /imports/{import}/replay"),
    (3, "GET /imports/{import}/rejects"),
    (4, "GET /profiles/{id}/history"),
    (4, "GET /profiles/{id}/history/{eventId}"),
];
const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
/// An identity that files and a support agent link to the other one.
const LINKED: &str = "eeeeeeeeeeeeeeeeeeeeeeeeee";
const NOTE: &str = "0190aaaa-0000-7000-8000-000000000001";
/// Base64url of the key of the event that the table holds.
const EVENT: &str = "MjAyNi0wMS0wMVQwMDowMDowMC4wMDAwMDBaI3B1cmNoYXNlI2FhYWFhYWFhYWFhYWFhYWE";

/// A multipart upload. Its ID contains the time of its creation.
const UPLOAD: &str = NOTE;
const IMPORT: &str = "0a0febf994a72178";
const FOLDERS: [&str; 6] = ["purchase", "mixed", "auto", "forget", "shopify", "x"];
const OF_AN_IMPORT: [&str; 6] = ["", "/parts", "/complete", "/revert", "/replay", "/rejects"];

struct Functions {
    runtime: Runtime,
    app: App,
    imports: imports::State,
}

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move {
        axum::serve(
            listener,
            Router::new().route("/", post(table)).fallback(bucket),
        )
        .await
    });
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()),
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("BUCKET_NAME", "b"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("TABLE_NAME", "t"),
        ("DEFAULT_CURRENCY", "USD"),
        ("IDENTITY_KEY", "fuzzing-identity-key"),
    ] {
        std::env::set_var(name, value);
    }
    Functions {
        app: App::from_env().expect("an environment"),
        imports: imports::State::from_env().expect("an environment"),
        runtime,
    }
});

/// A table in which every identity has a record, a note, a purchase and links. Every search finds the record of one of them.
async fn table(headers: HeaderMap, body: Bytes) -> String {
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let target = headers["x-amz-target"].to_str().expect("a target");
    let answer = match target.rsplit('.').next().expect("an operation") {
        "Query" if request["IndexName"].is_string() => {
            json!({"Count": 1, "ScannedCount": 1, "Items": [{"PK": {"S": ID}, "SK": {"S": "profile#record#crm"}}]})
        }
        "Query" => {
            let values = &request["ExpressionAttributeValues"];
            let value = |name: &str| values[name]["S"].as_str();
            let (low, high) = (value(":low").unwrap_or(""), value(":high").unwrap_or("~"));
            let pk = value(":pk").expect("a partition");
            let items: Vec<_> = items(pk)
                .into_iter()
                .filter(|item| {
                    let sort = item["SK"]["S"].as_str().expect("a key");
                    low <= sort && sort <= high
                })
                .collect();
            json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items})
        }
        "BatchGetItem" => {
            let keys = request["RequestItems"]["t"]["Keys"]
                .as_array()
                .expect("keys");
            let found: Vec<_> = keys
                .iter()
                .flat_map(|key| {
                    let all = items(key["PK"]["S"].as_str().expect("a partition"));
                    all.into_iter().filter(|item| item["SK"] == key["SK"])
                })
                .collect();
            json!({"Responses": {"t": found}, "UnprocessedKeys": {}})
        }
        "GetItem"
            if request["Key"]["SK"]["S"]
                .as_str()
                .is_some_and(|key| key.contains(UPLOAD)) =>
        {
            json!({"Item": {"PK": request["Key"]["PK"], "SK": request["Key"]["SK"], "data": {"M": {
                "kind": {"S": "import"}, "key": {"S": format!("drop/mixed/{UPLOAD}/a.csv")}, "file_name": {"S": "a.csv"}, "type": {"S": "mixed"},
                "size": {"N": "200000000"}, "parts": {"M": {"upload_id": {"S": "u"}, "size": {"N": "67108864"}}}
            }}}})
        }
        _ => json!({}),
    };
    answer.to_string()
}

/// A bucket that accepts uploads and has no object.
async fn bucket(method: Method, uri: Uri) -> (StatusCode, &'static str) {
    match (method, uri.query().unwrap_or_default()) {
        (Method::POST, query) if query.starts_with("uploads") => (
            StatusCode::OK,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        (Method::POST, _) => (
            StatusCode::OK,
            "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
        ),
        (Method::PUT, _) => (StatusCode::OK, ""),
        _ => (
            StatusCode::NOT_FOUND,
            "<Error><Code>NoSuchKey</Code></Error>",
        ),
    }
}

fn items(pk: &str) -> Vec<Value> {
    if pk.len() != ID.len() {
        return Vec::new();
    }
    let other = if pk == ID { LINKED } else { ID };
    let item = |sort: String, data: Value| json!({"PK": {"S": pk}, "SK": {"S": sort}, "data": {"M": data}});
    vec![
        item(
            "profile#record#crm".to_owned(),
            json!({"first_name": {"S": "Jane"}, "custom_fields": {"M": {"a": {"N": "1"}}}}),
        ),
        item(
            format!("agent#note#{NOTE}"),
            json!({"text": {"S": "Call"}, "author": {"S": "a"}}),
        ),
        item(
            format!("profile#link#agents#{other}"),
            json!({"live": {"BOOL": true}, "by": {"S": "a"}, "at": {"S": "2026-01-01T00:00:00.000000Z"}, "reason": {"S": "r"}}),
        ),
        item(
            format!("profile#link#crm#{other}"),
            json!({"live": {"BOOL": true}}),
        ),
        item(
            "event#2026-01-01T00:00:00.000000Z#purchase#aaaaaaaaaaaaaaaa".to_owned(),
            json!({"purchase_id": {"S": "1"}, "type": {"S": "physical"}, "products": {"L": [{"M": {"price_paid": {"N": "1"}, "quantity": {"N": "1"}, "product_reference": {"M": {"id": {"S": "p"}}}}}]}}),
        ),
    ]
}

fn path(segments: &[Segment<'_>]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(match segment {
            Segment::Profiles => "profiles",
            Segment::Lookup => "profiles/lookup",
            Segment::Search => "profiles/search",
            Segment::Batch => "profiles/batch",
            Segment::Id => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa",
            Segment::Notes => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/notes",
            Segment::Note => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/notes/aaaaaaaaaaaaaaaaaaaaaaaaaa.0190aaaa-0000-7000-8000-000000000001",
            Segment::History => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/history",
            Segment::HistoryEvent => {
                path.push_str(&format!("profiles/{ID}/history/{ID}.{EVENT}"));
                continue;
            }
            Segment::Attributes => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/attributes",
            Segment::Export => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/export",
            Segment::Links => "profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/links",
            Segment::Link(is_decision) => {
                let source = if *is_decision { "agents" } else { "crm" };
                path.push_str(&format!("profiles/{ID}/links/{ID}.{LINKED}.{source}"));
                continue;
            }
            Segment::Identity => {
                path.push_str(&format!("profiles/{ID}/identities/{LINKED}"));
                continue;
            }
            Segment::Imports => "imports",
            Segment::Import(is_upload, of) => {
                let id = if *is_upload { UPLOAD } else { IMPORT };
                path.push_str(&format!("imports/{id}{}", pick(&OF_AN_IMPORT, *of)));
                continue;
            }
            Segment::Any(text) => text,
        });
    }
    path
}

fn pick(names: &'static [&'static str], n: u8) -> &'static str {
    names[usize::from(n) % names.len()]
}

fn object(fields: &[(u8, &str)]) -> Value {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| (pick(&FIELDS, *name).to_owned(), json!(value)));
    Value::Object(fields.collect())
}

/// Returns the function, the method and the path of a request.
fn call(target: &Target<'_>) -> (u8, &'static str, String) {
    match target {
        Target::Route(route, identity) => {
            let (function, route) = ROUTES[usize::from(*route) % ROUTES.len()];
            let (method, path) = route.split_once(' ').expect("a method");
            let (id, other) = if identity % 4 == 3 { (LINKED, ID) } else { (ID, LINKED) };
            let path = path
                .replace("{id}", id)
                .replace("{noteId}", &format!("{id}.{NOTE}"))
                .replace("{eventId}", &format!("{id}.{EVENT}"))
                .replace("{linkId}", &format!("{id}.{other}.agents"))
                .replace("{identityId}", other)
                .replace("{import}", IMPORT)
                .replace("{upload}", UPLOAD);
            (function, method, path)
        }
        Target::Path(function, method, segments) => {
            (*function, pick(&METHODS, *method), path(segments))
        }
    }
}

fn claims(claims: &Claims<'_>) -> Option<Value> {
    let all = SCOPES.join(" ");
    Some(match claims {
        Claims::All => json!({"sub": "agent-1", "name": "Ann", "scope": all}),
        Claims::AllOf(subject) => json!({"sub": subject, "name": subject, "scope": all}),
        Claims::AllAndOthers(scope) => json!({"sub": "agent-2", "scp": format!("{all} {scope}")}),
        Claims::AllButOne(missing) => {
            let missing = usize::from(*missing) % SCOPES.len();
            let scopes = SCOPES.iter().enumerate().filter(|(place, _)| *place != missing);
            let scopes: Vec<_> = scopes.map(|(_, scope)| *scope).collect();
            json!({"sub": "agent-1", "scope": scopes.join(" ")})
        }
        Claims::Any(subject, scope) => json!({"sub": subject, "scope": scope}),
        Claims::None => return None,
    })
}

/// The event as the gateway sends it, read as the runtime reads it. If `lambda_http` panics, the runtime responds with an
/// error; that is tested with the processes.
fn read(event: &Event<'_>, method: &str, path: &str) -> Option<Request> {
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let query: Vec<_> = event
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", pick(&PARAMETERS, *name), encoded(value)))
        .collect();
    let parameters: serde_json::Map<_, _> = event
        .query
        .iter()
        .map(|(name, value)| (pick(&PARAMETERS, *name).to_owned(), json!(value)))
        .collect();
    let mut headers: serde_json::Map<_, _> = [
        ("host", "api.example.com"),
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
        ("if-match", "*"),
    ]
    .map(|(name, value)| (name.to_owned(), json!(value)))
    .into_iter()
    .collect();
    headers.extend(
        event
            .headers
            .iter()
            .map(|(name, value)| (pick(&HEADERS, *name).to_owned(), json!(value))),
    );
    let body = match &event.body {
        Content::None => Value::Null,
        Content::Any(text) => json!(text),
        Content::Note(text, pinned) => json!(json!({"text": text, "pinned": pinned}).to_string()),
        Content::Fields(fields) => json!(object(fields).to_string()),
        Content::Upload {
            file_name,
            folder,
            source,
            size,
            is_try,
        } => {
            let folder = pick(&FOLDERS, *folder);
            json!(json!({"file_name": file_name, "type": folder, "source": source, "size": size, "try": is_try}).to_string())
        }
        Content::Numbers(numbers) => json!(json!({"numbers": numbers}).to_string()),
        Content::Parts(parts) => {
            let parts = parts.iter();
            let parts = parts.map(|(number, etag)| json!({"number": number, "etag": etag}));
            json!(json!({"parts": parts.collect::<Vec<_>>()}).to_string())
        }
        Content::Customer(identifier, name) => {
            json!(json!({"identifier": object(identifier), "first_name": name}).to_string())
        }
        Content::Batch(is_known, fields) => {
            let id = if *is_known { ID } else { "b" };
            json!(json!({"profiles": [{"id": id}, object(fields)]}).to_string())
        }
        Content::Decision {
            identity,
            identifier,
            reason,
            reinstate,
        } => {
            let mut body = serde_json::Map::new();
            match identity {
                Some(is_linked) => {
                    let id = if *is_linked { LINKED } else { ID };
                    body.insert("identity".to_owned(), json!(id));
                }
                None => {
                    body.insert("identifier".to_owned(), object(identifier));
                }
            }
            body.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
            body.extend(reinstate.map(|reinstate| ("reinstate".to_owned(), json!(reinstate))));
            json!(Value::Object(body).to_string())
        }
    };
    let authorizer = claims(&event.claims);
    let authorizer = authorizer.map(|claims| json!({"jwt": {"claims": claims, "scopes": null}}));
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query.join("&"),
        "headers": headers, "queryStringParameters": parameters, "body": body, "isBase64Encoded": event.base64,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "api.example.com", "domainPrefix": "api", "requestId": "r-1",
            "routeKey": "$default", "stage": "$default", "time": "31/Oct/2026:00:00:00 +0000", "timeEpoch": 1,
            "authorizer": authorizer,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "f"}
        }
    });
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let read = panic::catch_unwind(AssertUnwindSafe(|| {
        request::from_str(&event.to_string()).ok()
    }));
    panic::set_hook(hook);
    read.ok().flatten()
}

fn check(response: &Response<Body>) {
    let status = response.status().as_u16();
    assert!(
        (200..500).contains(&status),
        "{status}: {:?}",
        response.body()
    );
    let is = |kind: &str| {
        response
            .headers()
            .get("content-type")
            .is_some_and(|value| value == kind)
    };
    if status >= 400 {
        assert!(is("application/problem+json"));
        let problem: Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(
            (problem["status"].as_u64(), &problem["request_id"]),
            (Some(status.into()), &json!("r-1"))
        );
    }
    assert!(response.body().len() < 6_000_000);
}

fuzz_target!(|event: Event<'_>| {
    let (function, method, path) = call(&event.target);
    let Some(request) = read(&event, method, &path) else {
        return;
    };
    let functions = &*FUNCTIONS;
    let answer = functions.runtime.block_on(async {
        match function % 5 {
            0 => profile_read::handle(&functions.app, request).await,
            1 => note_write::handle(&functions.app, request).await,
            2 => profile_write::handle(&functions.app, request).await,
            3 => imports::handle(&functions.imports, request).await,
            _ => history::handle(&functions.app, request).await,
        }
    });
    match answer {
        Ok(response) => check(&response),
        Err(never) => match never {},
    }
});
