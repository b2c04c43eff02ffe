//! Parses and checks the query parameters of a request.

use lambda_http::{Request, RequestExt as _};

use super::problem::{Kind, Problem};
use crate::profile::{DEFAULT_LIMIT, MAX_LIMIT};

/// The query parameters of a request. Each is known, and given once unless it may be repeated. Parameters whose names
/// begin with `_` are ignored, because clients add such names to bypass caches.
#[derive(Debug)]
pub struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A parameter is not in `known`, or is given more than once.
    pub fn new(request: &'a Request, known: &[&str]) -> Result<Self, Problem> {
        Self::with_repeated(request, known, &[])
    }

    /// Reads the parameters. Those in `repeated` may be given more than once.
    ///
    /// # Errors
    /// A parameter is not in `known`, or is given more than once although it is not in `repeated`.
    pub fn with_repeated(
        request: &'a Request,
        known: &[&str],
        repeated: &[&str],
    ) -> Result<Self, Problem> {
        let mut accepted: Vec<(&str, &str)> = Vec::new();
        for (name, value) in request
            .query_string_parameters_ref()
            .into_iter()
            .flat_map(|map| map.iter())
        {
            if name.starts_with('_') {
                continue;
            }
            let detail = if !known.contains(&name) {
                match known {
                    [] => "The parameter is unknown: this route takes none. Remove it.".to_owned(),
                    known => format!(
                        "The parameter is unknown. This route takes {}.",
                        known.join(", ")
                    ),
                }
            } else if !repeated.contains(&name) && accepted.iter().any(|(other, _)| *other == name)
            {
                "The parameter is given more than once. Send it once.".to_owned()
            } else {
                accepted.push((name, value));
                continue;
            };
            return Err(Problem::new(Kind::INVALID_PARAMETER, detail).field(name));
        }
        Ok(Self(accepted))
    }

    /// Returns the value of the parameter `name`; the first one if it is repeated.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Returns all values of the parameter `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    /// Returns `limit`, 1 to 100. The default is 25.
    ///
    /// # Errors
    /// The value is not a number in this range.
    pub fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| {
            Problem::invalid_parameter(
                "limit",
                format!("`limit` must be an integer from 1 to {MAX_LIMIT}."),
            )
        })
    }

    /// Returns a boolean parameter, `true` or `false`. The default is `false`.
    ///
    /// # Errors
    /// The value is neither `true` nor `false`.
    pub fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::invalid_parameter(
                name,
                format!("`{name}` must be `true` or `false`."),
            )),
        }
    }
}
