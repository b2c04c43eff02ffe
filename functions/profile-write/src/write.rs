//! Executes an operation: shows the profile as it would be, and stores the changes unless the request is a preview.

use lambda_http::{Body, Response, http::StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    http::{
        self, Call, Field,
        problem::{Kind, Problem},
    },
    model::{
        erasure::IDEMPOTENCY_SECONDS,
        find::Find,
        identity::IdentityId,
        item::Item,
        keys::{self, SortKey},
        value::Map,
    },
    profile::{Document, Profile, Sections, View, links},
    runtime::metrics::{self, Unit},
    table::{Applied, Snapshot, Transaction},
};

use crate::{
    create, links as plans,
    operation::{Context, DecisionChange, Operation, Plan, Target, erased},
};

/// The maximum number of attempts. An attempt fails if another request changes an item between reading and writing.
const MAX_ATTEMPTS: usize = 3;

/// One request.
pub(crate) struct Write<'a> {
    call: &'a Call<'a>,
    view: View<'a>,
    operation: Operation,
    /// The idempotency key.
    key: &'a str,
    /// Whether nothing is stored.
    is_preview: bool,
    /// A hash of the request.
    hash: String,
}

/// The response to a request that links or separates identities.
#[derive(Serialize)]
struct Outcome {
    profile: Document,
    changes: Changes,
}

/// What a request changes.
#[derive(Default, Serialize, Deserialize)]
struct Changes {
    /// The decisions about pairs.
    links: Vec<DecisionChange>,
    /// The identities that the profile gains and loses.
    identities: MemberChanges,
}

#[derive(Default, Serialize, Deserialize)]
struct MemberChanges {
    added: Vec<String>,
    removed: Vec<String>,
}

impl<'a> Write<'a> {
    /// Reads the parameter `preview` and the idempotency key.
    pub(crate) fn new(
        call: &'a Call<'a>,
        operation: Operation,
        hash: String,
    ) -> Result<Self, Problem> {
        let is_preview = call.parameters(&["preview"])?.flag("preview")?;
        if is_preview {
            call.audit(Field::Mode, "preview");
        }
        call.audit(Field::Profiles, operation.profile());
        if let Target::Link(_, other) = &operation.target {
            call.audit(Field::Profiles, &other.identity);
        }
        let key = http::idempotency_key(call.request, "change")?;
        Ok(Self {
            view: call.view(),
            call,
            operation,
            key,
            is_preview,
            hash,
        })
    }

    /// Returns the response. Repeats the request if an item changes between reading and writing.
    pub(crate) async fn run(&self) -> Result<Response<Body>, Problem> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(response) = self.attempt().await? {
                return Ok(response);
            }
        }
        Err(Problem::unavailable(
            "the items changed during every attempt",
        ))
    }

    /// Returns the response; `None` if an item changed between reading and writing.
    async fn attempt(&self) -> Result<Option<Response<Body>>, Problem> {
        let table = &self.call.app.table;
        let profile = self.operation.profile();
        if let Some(seen) = self.seen(&profile).await? {
            return self.replay(&seen).await.map(Some);
        }
        let mut snapshot = Snapshot::new(table);
        let mut context = Context {
            call: self.call,
            view: &self.view,
            snapshot: &mut snapshot,
        };
        let plan = plan(&self.operation, &mut context).await?;
        self.audit(&plan.decisions);
        for (identity, _) in &plan.reinstated {
            self.call.audit(Field::Reinstated, identity);
        }
        check_limits(&snapshot, &plan)?;
        let before = snapshot.profile(&profile, &[]).await?;
        let after = snapshot.profile(&profile, &plan.changes).await?;
        let changes = Changes::of(&plan, &before, &after);
        if !self.is_preview && !plan.changes.is_empty() {
            match self.store(&snapshot, &plan, &changes).await? {
                Applied::Written => self.count_masked_cards(),
                Applied::Seen(seen) => return self.replay(&seen).await.map(Some),
                Applied::Erased => {
                    return Err(erased("An identity was erased during the request.", None));
                }
                Applied::Changed => return Ok(None),
            }
        }
        self.respond(plan.status, &after, changes).await.map(Some)
    }

    /// Returns the data of the idempotency record if the request was seen before.
    async fn seen(&self, profile: &IdentityId) -> Result<Option<Map>, Problem> {
        if self.is_preview {
            return Ok(None);
        }
        let record = keys::request(&self.call.principal.subject, self.key);
        let identity = std::slice::from_ref(profile);
        let found = self.call.app.table.items(identity, &record).await?;
        Ok(found.into_iter().next().map(|item| item.data))
    }

    /// Returns the response to a repeated request: its changes, and the profile as it is now.
    async fn replay(&self, seen: &Map) -> Result<Response<Body>, Problem> {
        if seen.text("request") != Some(self.hash.as_str()) {
            let detail = "The idempotency key was already used for another change. Send a new key for each change.";
            return Err(Problem::new(Kind::IDEMPOTENCY_KEY_REUSED, detail).field("idempotency-key"));
        }
        let changes = seen.text("changes").unwrap_or_default();
        let changes: Changes = serde_json::from_str(changes).map_err(Problem::internal)?;
        self.call.audit(Field::Mode, "repeated");
        self.audit(&changes.links);
        let status = seen.text("status").and_then(|status| status.parse().ok());
        let mut snapshot = Snapshot::new(&self.call.app.table);
        let profile = snapshot.profile(&self.operation.profile(), &[]).await?;
        if !profile.exists() {
            return Err(Problem::profile_not_found());
        }
        self.respond(status.unwrap_or(StatusCode::OK), &profile, changes)
            .await
    }

    /// Stores the changes and the idempotency record.
    async fn store(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        changes: &Changes,
    ) -> Result<Applied, Problem> {
        let now = self.view.now.seconds();
        let mut data = Map::new();
        data.insert("request", self.hash.as_str());
        data.insert("status", plan.status.as_str());
        let changes = serde_json::to_string(changes).map_err(Problem::internal)?;
        data.insert("changes", changes);
        let request = Item {
            identity: self.operation.profile(),
            key: keys::request(&self.call.principal.subject, self.key),
            version: None,
            link: None,
            source: None,
            data,
            expires_at: Some(now + IDEMPOTENCY_SECONDS),
            find: Find::default(),
        };
        let as_read = |id: &IdentityId| (id.clone(), snapshot.markers(id).erased());
        let erasures: Vec<_> = plan.concerned.iter().map(as_read).collect();
        let transaction = Transaction {
            changes: &plan.changes,
            request: &request,
            erasures: &erasures,
            reinstated: &plan.reinstated,
            now,
        };
        Ok(self.call.app.table.apply(transaction).await?)
    }

    /// Builds the response: the profile, and what changed unless the request creates a profile.
    async fn respond(
        &self,
        status: StatusCode,
        profile: &Profile,
        changes: Changes,
    ) -> Result<Response<Body>, Problem> {
        let mut document = profile.document(&self.view, Sections::ALL);
        http::complete(self.call.app, &mut document).await?;
        self.call.audit(Field::Profiles, &document.id);
        if matches!(self.operation.target, Target::Create(..)) {
            return http::json(status, &document);
        }
        let outcome = Outcome {
            profile: document,
            changes,
        };
        http::json(status, &outcome)
    }

    /// Adds decisions to the audit line, without their reason.
    fn audit(&self, decisions: &[DecisionChange]) {
        for decision in decisions {
            self.call.audit(Field::Links, &decision.id);
            let decided = match decision.after {
                Some(links::Decision::Linked) => "linked",
                Some(links::Decision::Separated) => "separated",
                None => "withdrawn",
            };
            self.call.audit(Field::Decision, decided);
        }
    }

    /// Counts the card numbers that were masked in a stored reason.
    fn count_masked_cards(&self) {
        let reason = self.operation.decision.reason.as_ref();
        let masked = reason.map_or(0, links::Reason::masked_cards);
        if masked > 0 {
            metrics::emit(&[("CardNumbersMasked", Unit::Count, masked as f64)], &[]);
        }
    }
}

impl Changes {
    fn of(plan: &Plan, before: &Profile, after: &Profile) -> Self {
        let (before, after) = (before.closure.members(), after.closure.members());
        let missing_in = |these: &[IdentityId], from: &[IdentityId]| {
            let missing = from.iter().filter(|id| !these.contains(id));
            missing.map(ToString::to_string).collect()
        };
        Self {
            links: plan.decisions.clone(),
            identities: MemberChanges {
                added: missing_in(&before, &after),
                removed: missing_in(&after, &before),
            },
        }
    }
}

/// Plans the changes of an operation.
///
/// # Errors
/// The profile or the link does not exist, an identity is erased, or the table cannot be read.
async fn plan(operation: &Operation, context: &mut Context<'_, '_>) -> Result<Plan, Problem> {
    match &operation.target {
        Target::Create(customer, key) => create::plan(operation, customer, key, context).await,
        Target::Link(profile, other) => plans::link(operation, profile, other, context).await,
        Target::Unlink(profile, link) => plans::unlink(operation, profile, link, context).await,
        Target::Separate(profile, identity) => {
            plans::separate(operation, profile, identity, context).await
        }
    }
}

/// Checks that no identity gets more decisions than count.
fn check_limits(snapshot: &Snapshot<'_>, plan: &Plan) -> Result<(), Problem> {
    let is_decision = |key: &SortKey| matches!(key, SortKey::Link { .. });
    for change in &plan.changes {
        if change.after().is_none() || !is_decision(change.key()) {
            continue;
        }
        let identity = change.identity();
        let items = snapshot.changed(identity, &plan.changes);
        if links::has_too_many_decisions(&items, &snapshot.markers(identity)) {
            let detail = format!(
                "Support agents have linked the identity to {} others, or decided about {}. Many customers may share it. Withdraw \
                 decisions first.",
                shared::model::closure::MAX_LIVE_LINKS,
                shared::model::closure::MAX_LINK_ITEMS
            );
            return Err(Problem::new(Kind::TOO_MANY_LINKS, detail));
        }
    }
    Ok(())
}
