//! Determines the caller of a request, from the claims that the API's JWT authorizer has verified.

use std::collections::HashSet;

use lambda_http::{Request, RequestExt as _, request::RequestContext};

use crate::{
    http::problem::{Kind, Problem},
    model::{time::Instant, zone::Zone},
    profile::{View, note::Writer},
    runtime::config::Config,
};

/// The maximum number of characters of a principal's name.
const MAX_NAME_CHARS: usize = 256;

/// A permission of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `profiles:read`
    ProfilesRead,
    /// `profiles:lookup`: find profiles by identifiers and other values.
    ProfilesLookup,
    /// `notes:write`
    NotesWrite,
    /// `notes:admin`: change the notes of others.
    NotesAdmin,
    /// `pii:read`: see personal values.
    PiiRead,
    /// `profiles:write`: create profiles.
    ProfilesWrite,
    /// `links:write`: link and separate identities, also with files.
    LinksWrite,
    /// `erasures:write`: erase customers with files, and reinstate erased identities.
    ErasuresWrite,
    /// `imports:read`: see imports and their results.
    ImportsRead,
    /// `imports:write`: upload files.
    ImportsWrite,
}

impl Scope {
    const ALL: [Self; 10] = [
        Self::ProfilesRead,
        Self::ProfilesLookup,
        Self::NotesWrite,
        Self::NotesAdmin,
        Self::PiiRead,
        Self::ProfilesWrite,
        Self::LinksWrite,
        Self::ErasuresWrite,
        Self::ImportsRead,
        Self::ImportsWrite,
    ];

    /// Returns the name of the scope in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProfilesRead => "profiles:read",
            Self::ProfilesLookup => "profiles:lookup",
            Self::NotesWrite => "notes:write",
            Self::NotesAdmin => "notes:admin",
            Self::PiiRead => "pii:read",
            Self::ProfilesWrite => "profiles:write",
            Self::LinksWrite => "links:write",
            Self::ErasuresWrite => "erasures:write",
            Self::ImportsRead => "imports:read",
            Self::ImportsWrite => "imports:write",
        }
    }
}

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The token's `sub` claim.
    pub subject: String,
    /// The token's `name` claim, if it has one: at most 256 characters, without control characters.
    name: Option<String>,
    scopes: HashSet<Scope>,
    /// Whether `profiles:read` includes `profiles:lookup`.
    reads_and_finds: bool,
}

impl Principal {
    /// Reads the claims from the request context. Without an authorizer, the caller is the local agent if the configuration
    /// allows it.
    ///
    /// # Errors
    /// There are neither claims nor a local agent, or the claims have no `sub`.
    pub fn from_request(request: &Request, config: &Config) -> Result<Self, Problem> {
        let claims = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context
                .authorizer
                .as_ref()
                .and_then(|authorizer| authorizer.jwt.as_ref())
                .map(|jwt| &jwt.claims),
            _ => None,
        };
        match claims {
            Some(claims) => {
                let subject = claims.get("sub").filter(|subject| !subject.is_empty());
                let subject = subject.ok_or_else(|| {
                    Problem::new(
                        Kind::UNAUTHENTICATED,
                        "The token has no `sub` claim. Use a token that names its subject.",
                    )
                })?;
                let scopes = claims
                    .get("scope")
                    .or_else(|| claims.get("scp"))
                    .map_or("", String::as_str);
                Ok(Self {
                    subject: subject.clone(),
                    name: claims.get("name").and_then(|name| display_name(name)),
                    scopes: parse_scopes(scopes),
                    reads_and_finds: !config.separate_lookup,
                })
            }
            None if config.local_agent => Ok(Self {
                subject: "local-agent".to_owned(),
                name: None,
                scopes: HashSet::from(Scope::ALL),
                reads_and_finds: true,
            }),
            None => Err(Problem::new(
                Kind::UNAUTHENTICATED,
                "The request has no bearer token. Send one in the `authorization` header.",
            )),
        }
    }

    /// Returns whether the principal has `scope`. Unless the stack separates look-ups, `profiles:read` includes
    /// `profiles:lookup`.
    pub fn has(&self, scope: Scope) -> bool {
        let is_included = scope == Scope::ProfilesLookup
            && self.reads_and_finds
            && self.scopes.contains(&Scope::ProfilesRead);
        is_included || self.scopes.contains(&scope)
    }

    /// Returns the names of the token's scopes that the service knows, separated by spaces. For the audit log.
    pub(super) fn scopes(&self) -> String {
        let known = Scope::ALL.into_iter();
        let own = known.filter(|scope| self.scopes.contains(scope));
        own.map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Returns the principal as the writer of a note or a decision.
    pub fn writer(&self) -> Writer<'_> {
        Writer {
            subject: &self.subject,
            name: self.name.as_deref(),
        }
    }

    /// Returns the view that the principal has of profiles at this time.
    pub fn view<'a>(&self, config: &'a Config, zone: &'a Zone) -> View<'a> {
        View {
            now: Instant::now(),
            currency: &config.currency,
            zone,
            personal: self.has(Scope::PiiRead),
            open_namespaces: &config.open_namespaces,
        }
    }

    /// Requires a scope.
    ///
    /// # Errors
    /// The principal does not have the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        Err(Problem::new(
            Kind::FORBIDDEN,
            format!(
                "The token lacks the scope `{}`. Request a token that has it.",
                scope.as_str()
            ),
        ))
    }
}

/// Returns the part of a claim that is shown as a name. `None` if it is empty.
fn display_name(claim: &str) -> Option<String> {
    let printable = claim.chars().filter(|c| !c.is_control());
    let name: String = printable.take(MAX_NAME_CHARS).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Parses scopes. They are separated by single spaces (RFC 6749, section 3.3); a comma is part of a scope's name. HTTP
/// APIs flatten an array of scopes to `[a b]`.
fn parse_scopes(text: &str) -> HashSet<Scope> {
    let text = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let names: HashSet<_> = text.split(' ').collect();
    Scope::ALL
        .into_iter()
        .filter(|scope| names.contains(scope.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        let name = |claim: &str| display_name(claim);
        assert_eq!(name(" Vera\u{7} Lindt\n"), Some("Vera Lindt".to_owned()));
        assert_eq!(name(&"é".repeat(300)), Some("é".repeat(256)));
        assert_eq!(name(""), None);
        assert_eq!(name(" \t\u{a0}"), None);
    }

    #[test]
    fn scopes_come_as_text_or_flattened_array() {
        let both = HashSet::from([Scope::ProfilesRead, Scope::PiiRead]);
        assert_eq!(parse_scopes("profiles:read pii:read other"), both);
        assert_eq!(parse_scopes("[profiles:read pii:read]"), both);
        assert_eq!(parse_scopes(""), HashSet::new());
        assert_eq!(parse_scopes("xprofiles:read"), HashSet::new());
        for token in [
            "x,pii:read",
            "pii:read,x",
            "profiles:read,pii:read",
            "x\tpii:read",
            "x;pii:read",
            "PII:READ",
        ] {
            assert_eq!(parse_scopes(token), HashSet::new(), "{token}");
        }
    }
}
