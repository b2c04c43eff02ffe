//! Runs an HTTP function around its routes: state, authentication, metrics and the audit log.

use std::{
    convert::Infallible, fmt::Display, future::ready, pin::Pin, sync::OnceLock, time::Instant,
};

use futures::TryFutureExt as _;
use lambda_http::{
    Body, Error, IntoResponse, Request, RequestExt as _, Response, request::RequestContext,
    service_fn,
};
use tracing::{Instrument as _, Span};

use super::{
    Field, Parameters, Route,
    audit::{self, Origin, Trail},
    principal::{Principal, Scope},
    problem::Problem,
    response::respond,
};
use crate::{
    model::{
        identity::{IdentityId, IdentityKey},
        item::Item,
        keys::SortKey,
        zone::{self, Zone},
    },
    profile::{View, note},
    runtime::{
        config::{Config, ConfigError},
        metrics::{self, Unit},
    },
    table::{Facts, KnownFacts, Table, products::Products, reader},
};

/// How often to yield before the table's connection is opened, so that the request for the first event is sent first. Three
/// yields were enough in measurements, and one takes a microsecond. Without them, note-write requests its first event after
/// 4.7 ms instead of 3.6 ms (first quartiles of 150 starts).
const YIELDS_BEFORE_WARMING: usize = 6;

/// The state that an HTTP function keeps between requests.
#[derive(Debug)]
pub struct App {
    /// The configuration of the function.
    pub config: Config,
    /// The DynamoDB table.
    pub table: Table,
    /// The time zone of months and of dates without a time.
    pub zone: Zone,
    /// The facts of the table.
    pub facts: KnownFacts,
    /// The products that were read recently.
    pub products: Products,
}

impl App {
    /// Reads the configuration from environment variables.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Config::from_env()?;
        let table = config.table();
        Ok(Self::new(config, table))
    }

    /// Creates the state with `table` as the table, in UTC.
    pub fn new(config: Config, table: Table) -> Self {
        Self {
            config,
            table,
            zone: zone::UTC.clone(),
            facts: KnownFacts::default(),
            products: Products::default(),
        }
    }

    /// Returns the state in the time zone of the configuration.
    ///
    /// # Errors
    /// The configuration does not name a time zone.
    pub fn in_business_zone(mut self) -> Result<Self, ConfigError> {
        self.zone = self.config.require_zone()?;
        Ok(self)
    }

    /// Returns the identity key. Rejects a table that was written with another key or other identifier rules: the same
    /// identifier has another id there, so no lookup would find it.
    ///
    /// # Errors
    /// The key is not configured, or the table belongs to another key or other rules.
    pub async fn identity_key(&self) -> Result<IdentityKey, Problem> {
        let key = self
            .config
            .require_identity_key()
            .map_err(Problem::internal)?;
        if let Some(facts) = self.facts.get(&self.table).await? {
            facts.require(&Facts::new(&key, self.config.identifiers))?;
        }
        Ok(key)
    }

    /// Opens the connection and reads the table's facts before the first request. Errors are ignored, because the first
    /// request tries again.
    async fn warm(&self) {
        let _ = self.facts.get(&self.table).await;
    }
}

/// A request of a principal who has the function's scope, to a table of this release's format.
#[derive(Debug)]
pub struct Call<'a> {
    /// The state of the function.
    pub app: &'a App,
    /// The request.
    pub request: &'a Request,
    /// The matched route.
    pub route: &'a Route,
    /// The caller.
    pub principal: &'a Principal,
    trail: &'a Trail,
}

impl<'a> Call<'a> {
    /// Authenticates a request and checks the table's format.
    async fn new(visit: &'a Visit<'a>, scope: Scope) -> Result<Self, Problem> {
        let Visit { app, request, .. } = *visit;
        let principal = Principal::from_request(request, &app.config)?;
        let principal = visit.principal.get_or_init(|| principal);
        principal.require(scope)?;
        app.facts.get(&app.table).await?;
        Ok(Self {
            app,
            request,
            route: &visit.route,
            principal,
            trail: &visit.trail,
        })
    }

    /// Reads the query parameters. Each must be in `known` and given once.
    ///
    /// # Errors
    /// A parameter is unknown or given more than once.
    pub fn parameters(&self, known: &[&str]) -> Result<Parameters<'a>, Problem> {
        Parameters::new(self.request, known)
    }

    /// Returns the profile id in the path.
    ///
    /// # Errors
    /// The path has no valid id, so the profile is not found.
    pub fn profile_id(&self) -> Result<IdentityId, Problem> {
        let id = self.route.parameter("id");
        id.parse().map_err(|_| Problem::profile_not_found())
    }

    /// Reads the note `id` of a profile, consistently. Also returns the canonical id of the profile.
    ///
    /// # Errors
    /// The profile or the note does not exist, or the table cannot be read.
    pub async fn note(
        &self,
        profile: &IdentityId,
        id: &str,
    ) -> Result<(IdentityId, Item), Problem> {
        let table = &self.app.table;
        let members = reader::members(table, profile).await?;
        let identities = members.closure.members();
        let named = note::parse_id(id).filter(|(_, identity)| identities.contains(identity));
        let found = match named {
            Some((uuid, identity)) => table.items(&[identity], &SortKey::Note(uuid)).await?,
            None => Vec::new(),
        };
        match found.into_iter().find(|item| !members.erase(item)) {
            Some(item) => Ok((members.closure.id(), item)),
            None if members.exist(table).await? => Err(Problem::note_not_found()),
            None => Err(Problem::profile_not_found()),
        }
    }

    /// Returns what the principal sees of profiles at this time.
    pub fn view(&self) -> View<'a> {
        self.principal.view(&self.app.config, &self.app.zone)
    }

    /// Adds a value to a field of the request's audit line. It must not contain personal data of customers. Identity ids contain
    /// none.
    pub fn audit(&self, field: Field, value: impl Display) {
        self.trail.add(field, value);
    }

    /// Adds an id, or a searched value without an id, for which nothing is found to the request's audit line.
    pub fn audit_miss(&self, id: Option<&IdentityId>) {
        self.trail.count_miss();
        if let Some(id) = id {
            self.trail.add(Field::Missed, id);
        }
    }
}

/// A request from its beginning to its response.
struct Visit<'a> {
    app: &'a App,
    request: &'a Request,
    began: Instant,
    request_id: String,
    route: Route,
    /// The caller, once it is authenticated.
    principal: OnceLock<Principal>,
    trail: Trail,
}

impl<'a> Visit<'a> {
    fn new(app: &'a App, request: &'a Request) -> Self {
        let route = Route::of(request);
        Self {
            app,
            request,
            began: Instant::now(),
            request_id: request_id(request),
            trail: Trail::of(&route),
            route,
            principal: OnceLock::new(),
        }
    }

    /// Returns the span of the request. Every log line in it contains the request id.
    fn span(&self) -> Span {
        tracing::info_span!("request", request_id = self.request_id)
    }

    /// Builds the response. Writes the audit line and emits the metrics of the request.
    fn finish(&self, result: Result<Response<Body>, Problem>) -> Response<Body> {
        let response = respond(&self.request_id, self.request.headers(), result);
        let status = response.status().as_u16();
        let origin = Origin {
            principal: self.principal.get(),
            request_id: &self.request_id,
            source_ip: source_ip(self.request),
        };
        audit::write(&self.route, &origin, &self.trail, status);
        self.emit_metrics(status);
        response
    }

    /// Emits the duration of the request and its consumed capacity.
    fn emit_metrics(&self, status: u16) {
        let (read, write) = self.app.table.take_consumed();
        let milliseconds = self.began.elapsed().as_secs_f64() * 1000.0;
        metrics::emit(
            &[
                ("Duration", Unit::Milliseconds, milliseconds),
                ("ReadCapacityUnits", Unit::Count, read),
                ("WriteCapacityUnits", Unit::Count, write),
            ],
            &[
                ("route", matched_route(self.request).into()),
                ("status", status.into()),
                ("request_id", self.request_id.as_str().into()),
            ],
        );
    }
}

/// Handles one request: checks that the principal has `scope`, calls `routes`, writes the audit line, and emits metrics.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(
    app: &App,
    request: &Request,
    scope: Scope,
    routes: impl AsyncFnOnce(Call<'_>) -> Result<Response<Body>, Problem>,
) -> Result<Response<Body>, Infallible> {
    handle_with(&(), app, request, scope, async |(), call| {
        routes(call).await
    })
    .await
}

/// Handles one request as [`handle`] does, with `state` beside that of every HTTP function.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle_with<S>(
    state: &S,
    app: &App,
    request: &Request,
    scope: Scope,
    routes: impl AsyncFnOnce(&S, Call<'_>) -> Result<Response<Body>, Problem>,
) -> Result<Response<Body>, Infallible> {
    let visit = Visit::new(app, request);
    let handled = async {
        let result = match Call::new(&visit, scope).await {
            Ok(call) => routes(state, call).await,
            Err(problem) => Err(problem),
        };
        visit.finish(result)
    };
    Ok(handled.instrument(visit.span()).await)
}

/// Returns the route that API Gateway matched.
fn matched_route(request: &Request) -> Option<String> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.clone(),
        _ => None,
    }
}

/// Returns the address that the request came from, as API Gateway saw it.
fn source_ip(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.http.source_ip.as_deref().unwrap_or_default()
        }
        _ => "",
    }
}

/// Returns the id that API Gateway gave the request. Its access log contains the same id.
fn request_id(request: &Request) -> String {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    let context = || Some(request.lambda_context_ref()?.request_id.clone());
    id.or_else(context).unwrap_or_default()
}

/// Runs an HTTP function. The connection to the table opens while the first event is on its way.
///
/// # Errors
/// The Runtime API cannot be reached.
pub async fn run<'a, F>(
    app: &'a App,
    mut handle: impl FnMut(&'a App, Request) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let function = service_fn(|request| handle(app, request).map_ok(Plain));
    run_and_warm(lambda_http::run(function), app.warm()).await
}

/// Runs `function`, and `warm` beside it once the request for the first event has been sent.
async fn run_and_warm<T>(function: impl Future<Output = T>, warm: impl Future<Output = ()>) -> T {
    let warm = async {
        for _ in 0..YIELDS_BEFORE_WARMING {
            tokio::task::yield_now().await;
        }
        warm.await;
    };
    tokio::join!(function, warm).0
}

/// A response whose body is sent to Lambda unchanged: a string in JSON, bytes in base64. For its own response type,
/// `lambda_http` would first look up the charset, and those tables are 5% of a function's size.
struct Plain(Response<Body>);

impl IntoResponse for Plain {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn the_first_event_is_asked_for_before_anything_is_warmed() {
        let (asked, warmed_after) = (Cell::new(false), Cell::new(false));
        let function = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            asked.set(true);
            7
        };
        let warm = async { warmed_after.set(asked.get()) };
        assert_eq!(run_and_warm(function, warm).await, 7);
        assert!(warmed_after.get());
    }
}
