//! Returns attributes in pages, for categories with more attributes than a profile shows, and searches them.

use std::num::NonZeroUsize;

use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use shared::{
    http::{self, Call, Field, Parameters, problem::Problem},
    model::identity::IdentityId,
    profile::{
        DEFAULT_LIMIT, Page,
        attributes::{
            page::{self, Paged, Position, Wanted},
            search::Search,
        },
        cursor::{self, Listing, PositionIn},
    },
    table::{
        Consistency,
        reader::{self, Notes},
    },
};

use crate::profile::consistency;

/// The maximum number of characters in a category's name and in the text of a search.
const MAX_CHARS: usize = 256;

/// A page of attributes as the API returns it.
#[derive(Serialize)]
struct AttributePage {
    #[serde(flatten)]
    page: Page<Paged>,
    /// The number of attributes, in all categories, that were left out because their names may be personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes_redacted: Option<NonZeroUsize>,
}

/// The requested page.
struct Request {
    /// Only attributes of this category.
    category: Option<String>,
    /// Only attributes that this search finds.
    search: Option<Search>,
    limit: usize,
    cursor: Option<String>,
    consistency: Consistency,
}

impl Request {
    /// Parses the parameters of a list.
    fn of_query(parameters: &Parameters<'_>) -> Result<Self, Problem> {
        let category = parameters.get("category").map(str::to_owned);
        if !category.as_deref().is_none_or(is_text) {
            let detail = "`category` must be 1 to 256 characters without control characters.";
            return Err(Problem::invalid_parameter("category", detail));
        }
        Ok(Self {
            category,
            search: None,
            limit: parameters.limit()?,
            cursor: parameters.get("cursor").map(str::to_owned),
            consistency: consistency(parameters)?,
        })
    }

    /// Parses the body of a search. No other fields are allowed.
    fn of_body(body: &Map<String, Json>) -> Result<Self, Problem> {
        let mut request = Self {
            category: None,
            search: None,
            limit: DEFAULT_LIMIT,
            cursor: None,
            consistency: Consistency::Eventual,
        };
        for (name, value) in body {
            match name.as_str() {
                "text" => request.search = Some(search(value)?),
                "category" => request.category = Some(text("category", value)?.to_owned()),
                "limit" => request.limit = http::body_limit(&value.to_string())?,
                "cursor" => {
                    let cursor = value.as_str().ok_or_else(Problem::invalid_cursor)?;
                    request.cursor = Some(cursor.to_owned());
                }
                unknown => {
                    let detail = "The field is unknown. A search has the fields `text`, `category`, `limit` and `cursor`.";
                    return Err(Problem::invalid_body(Some(unknown), detail));
                }
            }
        }
        match request.search {
            Some(_) => Ok(request),
            None => Err(text_is_invalid()),
        }
    }

    /// Returns the listing that cursors of the request belong to, and its filters.
    fn listing(&self) -> (Listing, String) {
        let category = self.category.as_deref().unwrap_or_default();
        match &self.search {
            None => (Listing::Attributes, category.to_owned()),
            // The separator is unambiguous because a category contains no control characters.
            Some(search) => {
                let filters = format!("{category}\u{1f}{}", search.canonical());
                (Listing::AttributeSearch, filters)
            }
        }
    }

    /// Returns the position of the cursor.
    fn position(&self) -> Result<Option<PositionIn<Position>>, Problem> {
        let (listing, filters) = self.listing();
        let cursor = self.cursor.as_ref();
        let position =
            cursor.map(|text| PositionIn::decode(listing, &filters, text, Position::parse));
        Ok(position.transpose()?)
    }
}

/// Handles `GET`: returns a page of all attributes, or of one category, sorted by category, and strongest first in each.
///
/// # Errors
/// A parameter is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    read(call, id, &Request::of_query(parameters)?).await
}

/// Handles `POST`: returns a page of the attributes that contain all words of a text, in the same order.
///
/// # Errors
/// The body is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn search_page(
    call: &Call<'_>,
    id: &IdentityId,
    body: &Map<String, Json>,
) -> Result<Response<Body>, Problem> {
    read(call, id, &Request::of_body(body)?).await
}

/// Reads the requested page.
async fn read(
    call: &Call<'_>,
    id: &IdentityId,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let position = request.position()?;
    let table = &call.app.table;
    let profile = reader::profile(table, id, request.consistency, Notes::Skip).await?;
    let after = position.map(|position| position.within(&profile.closure));
    let wanted = Wanted {
        category: request.category.as_deref(),
        search: request.search.as_ref(),
        after: after.transpose()?,
        limit: request.limit,
    };
    if !profile.exists() {
        return Err(Problem::profile_not_found());
    }
    let view = call.view();
    let all = profile.attributes(&view);
    let mut selected = page::select(all.categories, &wanted);
    let shown = selected.items.iter();
    let versions = shown.flat_map(|paged| paged.attribute.versions());
    let files = table.files(versions).await?;
    for paged in &mut selected.items {
        paged.attribute.add_provenance(&files, &view);
    }
    selected.has_more |= http::fit(&mut selected.items).is_some();
    let last = selected.items.len().checked_sub(1);
    let last = last.filter(|_| selected.has_more);
    let next = last.and_then(|last| {
        let position = selected.position(last)?.to_string();
        let (listing, filters) = request.listing();
        Some(cursor::encode_in(id, listing, &filters, &position))
    });
    call.audit(Field::Profiles, profile.closure.id());
    http::json(
        StatusCode::OK,
        &AttributePage {
            page: Page {
                items: selected.items,
                next,
                partial: profile.partial || profile.closure.is_partial(),
            },
            attributes_redacted: NonZeroUsize::new(all.redacted),
        },
    )
}

/// Returns whether a string can be a category or the text of a search.
fn is_text(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Parses a field of a body that is a string.
fn text<'a>(field: &'static str, value: &'a Json) -> Result<&'a str, Problem> {
    let text = value.as_str().filter(|text| is_text(text));
    text.ok_or_else(|| {
        let detail = format!(
            "`{field}` must be a string of 1 to 256 characters without control characters."
        );
        Problem::invalid_body(Some(field), detail)
    })
}

/// Parses the text of a search.
fn search(value: &Json) -> Result<Search, Problem> {
    let text = text("text", value)?;
    let is_blank = |c: char| c == '_' || c.is_whitespace();
    if text.chars().all(is_blank) {
        return Err(text_is_invalid());
    }
    Ok(Search::new(text))
}

fn text_is_invalid() -> Problem {
    let detail = "`text` must be a string with at least one word. Send 1 to 256 characters.";
    Problem::invalid_body(Some("text"), detail)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lambda_http::RequestExt as _;
    use shared::http::problem::Kind;

    use super::*;

    fn request(json: &str) -> Result<Request, Problem> {
        let body: Map<String, Json> = serde_json::from_str(json).expect("JSON");
        Request::of_body(&body)
    }

    #[test]
    fn a_search_has_a_text() {
        let whole = request(r#"{"text":"a","limit":50.0}"#);
        assert_eq!(whole.expect("`50.0` is an integer").limit, 50);
        let all = r#"{"text":"Knit  WEAR","category":"interests","limit":100}"#;
        let request = request(all).expect("all are fields");
        assert_eq!(request.category.as_deref(), Some("interests"));
        assert_eq!(
            (request.search, request.limit),
            (Some(Search::new("knit wear")), 100)
        );
    }

    #[test]
    fn a_list_has_parameters() {
        let list = |query: &[(&str, &str)]| {
            let all = query.iter();
            let all = all.map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
            let all: HashMap<_, _> = all.collect();
            let request = lambda_http::Request::default().with_query_string_parameters(all);
            let known = ["category", "limit", "cursor", "consistent"];
            Request::of_query(&Parameters::new(&request, &known)?)
        };
        let usual = list(&[]).expect("no parameter is required");
        assert_eq!((usual.category, usual.limit), (None, DEFAULT_LIMIT));
        assert_eq!(usual.consistency, Consistency::Eventual);
        let all = list(&[
            ("category", "interests"),
            ("limit", "7"),
            ("cursor", "c"),
            ("consistent", "true"),
        ]);
        let all = all.expect("all are parameters");
        assert_eq!(all.category.as_deref(), Some("interests"));
        assert_eq!((all.limit, all.cursor.as_deref()), (7, Some("c")));
        assert_eq!(all.consistency, Consistency::Strong);
        let problem = list(&[("category", "a\u{7}")])
            .err()
            .expect("a control character");
        assert_eq!(problem.kind(), Kind::INVALID_PARAMETER);
    }

    #[test]
    fn invalid_fields_are_named() {
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(257));
        for (json, field) in [
            ("{}", "text"),
            (r#"{"category":"a"}"#, "text"),
            (r#"{"text":""}"#, "text"),
            (r#"{"text":"  _ "}"#, "text"),
            (r#"{"text":"a\u0007"}"#, "text"),
            (r#"{"text":["a"]}"#, "text"),
            (r#"{"text":null}"#, "text"),
            (long.as_str(), "text"),
            (r#"{"text":"a","category":""}"#, "category"),
            (r#"{"text":"a","category":1}"#, "category"),
            (r#"{"text":"a","limit":0}"#, "limit"),
            (r#"{"text":"a","limit":101}"#, "limit"),
            (r#"{"text":"a","limit":1.5}"#, "limit"),
            (r#"{"text":"a","limit":"5"}"#, "limit"),
            (r#"{"text":"a","consistent":true}"#, "consistent"),
        ] {
            let problem = request(json).err().expect(json);
            assert_eq!(problem.kind(), Kind::INVALID_BODY, "{json}");
            let document = format!("{:?}", problem.respond("r").body());
            let named = format!(r#"\"field\":\"{field}\""#);
            assert!(document.contains(&named), "{json}: {document}");
        }
        let cursor = request(r#"{"text":"a","cursor":1}"#)
            .err()
            .expect("a number");
        assert_eq!(cursor.kind(), Kind::INVALID_CURSOR);
    }

    #[test]
    fn cursors_belong_to_text_and_category() {
        let of = |json: &str, cursor: Option<String>| {
            let mut request = request(json).expect(json);
            request.cursor = cursor;
            request
        };
        let vera = r#"{"text":"Vera"}"#;
        let (listing, filters) = of(vera, None).listing();
        let position = Position::after(1, "a", "b").to_string();
        let id = "a".repeat(26).parse().expect("an id");
        let cursor = cursor::encode_in(&id, listing, &filters, &position);
        let is_taken = |json| of(json, Some(cursor.clone())).position().is_ok();
        assert!(is_taken(vera) && is_taken(r#"{"text":" vera","limit":5}"#));
        for other in [
            r#"{"text":"Ver"}"#,
            r#"{"text":"Vera Lindt"}"#,
            r#"{"text":"Vera","category":"a"}"#,
            r#"{"text":"a","category":"Vera"}"#,
        ] {
            assert!(!is_taken(other), "{other}");
        }
        let bytes = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes());
        let bytes = bytes.expect("base64").to_ascii_lowercase();
        assert!(!bytes.windows(4).any(|part| part == b"vera"));
    }
}
