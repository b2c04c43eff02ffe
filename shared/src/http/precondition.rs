//! Parses the headers that make writes safe to repeat: `Idempotency-Key` and `If-Match`.

use lambda_http::{
    Request,
    http::{HeaderMap, header},
};

use super::problem::{Kind, Problem};

/// The maximum number of characters in an idempotency key.
const MAX_KEY_CHARS: usize = 255;

/// Returns the idempotency key: 1 to 255 visible ASCII characters. `what` names what a request writes, for the problem.
///
/// # Errors
/// The header is missing or not valid.
pub fn idempotency_key<'a>(request: &'a Request, what: &str) -> Result<&'a str, Problem> {
    let advice = format!("Send a new key for each {what}, and the same key to retry.");
    let problem = |detail| Problem::new(Kind::INVALID_HEADER, detail).field("idempotency-key");
    let header = request
        .headers()
        .get("idempotency-key")
        .ok_or_else(|| problem(format!("The header `Idempotency-Key` is missing. {advice}")))?;
    let is_key = |key: &&str| {
        (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = header.to_str().ok().filter(is_key);
    key.ok_or_else(|| {
        problem(format!(
            "`Idempotency-Key` must be 1 to {MAX_KEY_CHARS} visible ASCII characters. {advice}"
        ))
    })
}

/// Parses the entity tags of `If-Match`: a list with at least one strong tag, or `*`. Weak tags match nothing (RFC 9110, section
/// 13.1.1). `what` names what is changed, for the problem.
///
/// # Errors
/// The header is missing or not valid.
pub fn if_match<'a>(headers: &'a HeaderMap, what: &str) -> Result<Vec<&'a str>, Problem> {
    let values: Vec<_> = headers.get_all(header::IF_MATCH).into_iter().collect();
    if values.is_empty() {
        let detail = format!(
            "The header `If-Match` is missing. Send the {what}'s `etag` in it, so that no concurrent change is lost."
        );
        return Err(Problem::new(Kind::PRECONDITION_REQUIRED, detail).field("if-match"));
    }
    let invalid = || {
        let detail =
            format!("`If-Match` must be the {what}'s `etag`, including the quotes, or `*`.");
        Problem::new(Kind::INVALID_HEADER, detail).field("if-match")
    };
    let mut tags = Vec::new();
    for value in values {
        let text = value.to_str().map_err(|_| invalid())?;
        tags.extend(text.split(',').map(str::trim));
    }
    let well_formed = |tag: &&str| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || (tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"'))
    };
    if !tags.iter().all(well_formed) {
        return Err(invalid());
    }
    if tags.iter().all(|tag| tag.starts_with("W/")) {
        let detail = format!(
            "The tag in `If-Match` is weak (W/\"…\"). A proxy weakens tags when it compresses responses. Send the {what}'s `etag` \
             field from the response body, including the quotes, or turn off compression in the proxy."
        );
        return Err(Problem::new(Kind::INVALID_HEADER, detail).field("if-match"));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;

    use super::*;

    fn kind_of(value: &'static str) -> Result<usize, Kind> {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
        if_match(&headers, "note")
            .map(|tags| tags.len())
            .map_err(|problem| problem.kind())
    }

    #[test]
    fn if_match_is_a_list_of_tags() {
        assert_eq!(kind_of("\"a\""), Ok(1));
        assert_eq!(kind_of("\"a\", W/\"b\""), Ok(2));
        assert_eq!(kind_of("*"), Ok(1));
        for value in ["W/\"a\"", "W/\"a\", W/\"b\""] {
            let headers =
                HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
            let problem = if_match(&headers, "note").expect_err("a weak tag");
            assert_eq!(problem.kind(), Kind::INVALID_HEADER);
            let detail = problem.to_string();
            assert!(
                detail.contains("proxy") && detail.contains("compress"),
                "{detail}"
            );
        }
        for value in ["", "a", "\"", "\"a\","] {
            assert_eq!(kind_of(value), Err(Kind::INVALID_HEADER), "{value}");
        }
        let missing = if_match(&HeaderMap::new(), "note").expect_err("it is needed");
        assert_eq!(missing.kind(), Kind::PRECONDITION_REQUIRED);
    }
}
