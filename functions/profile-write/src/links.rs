//! Plans decisions about links: to link two identities, to remove a link, and to separate an identity from a profile.

use lambda_http::http::StatusCode;
use shared::{
    http::{
        self,
        problem::{Kind, Problem},
    },
    model::{closure::AGENTS, identity::IdentityId, item::Item, keys::SortKey},
    profile::{
        State,
        links::{Decision, End, LinkId, Pair, etag},
    },
    table::Snapshot,
};

use crate::{
    body::reason_is_invalid,
    operation::{Context, DecisionChange, Operation, Plan, markers},
};

/// The maximum number of pairs that one request separates. Each takes two writes and a check, and a transaction has at most 100
/// actions. A profile has at most 32 identities.
const MAX_PAIRS: usize = 31;

/// Plans the link between an identity of the profile and another identity.
pub(crate) async fn link(
    operation: &Operation,
    profile: &IdentityId,
    other: &End,
    context: &mut Context<'_, '_>,
) -> Result<Plan, Problem> {
    if *profile == other.identity {
        let detail = "The identity cannot be linked to itself. Send another identity.";
        return Err(Problem::invalid_body(Some("identity"), detail));
    }
    if operation.decision.reason.is_none() {
        return Err(reason_is_invalid("is missing. Send"));
    }
    let own = context.snapshot.profile(profile, &[]).await?;
    if !own.exists() {
        return Err(Problem::profile_not_found());
    }
    let far = context.snapshot.profile(&other.identity, &[]).await?;
    let reinstated = operation.reinstate(&[profile, &other.identity], context)?;
    // An identifier names an identity even if nothing is stored about it yet.
    if other.identifier.is_none() && !far.exists() {
        return Err(Problem::profile_not_found().field("identity"));
    }
    let pair = pair(context.snapshot, profile, other);
    let pair_id = pair.id();
    let mut plan = decide(operation, context, &[pair], Decision::Linked);
    if !plan.changes.is_empty() {
        plan.status = StatusCode::CREATED;
    }
    plan.concerned = pair_id.ends.to_vec();
    plan.changes.extend(markers(&reinstated));
    plan.reinstated = reinstated;
    Ok(plan)
}

/// Plans the removal of a link. A link of a file is replaced by the decision that the pair is separate. A decision is withdrawn.
pub(crate) async fn unlink(
    operation: &Operation,
    profile: &IdentityId,
    link: &LinkId,
    context: &mut Context<'_, '_>,
) -> Result<Plan, Problem> {
    let own = context.snapshot.profile(profile, &[]).await?;
    if !own.exists() {
        return Err(Problem::profile_not_found());
    }
    let members = own.closure.members();
    if !link.ends.iter().any(|end| members.contains(end)) {
        return Err(link_not_found());
    }
    context.snapshot.load(&link.ends).await?;
    let stored = stored(context.snapshot, link).ok_or_else(link_not_found)?;
    check_tag(context, &stored)?;
    let [a, b] = link.ends.clone();
    let far = End {
        identity: b,
        identifier: None,
    };
    let pair = pair(context.snapshot, &a, &far);
    if link.source != AGENTS {
        if stored.data.flag("live") != Some(true) {
            return Ok(Plan::unchanged());
        }
        return Ok(decide(operation, context, &[pair], Decision::Separated));
    }
    Ok(Plan {
        changes: pair.withdraw(),
        concerned: link.ends.to_vec(),
        decisions: vec![DecisionChange {
            id: pair.id().to_string(),
            before: pair.decision(),
            after: pair.decision_before(),
        }],
        ..Plan::unchanged()
    })
}

/// Plans the separation of an identity from a profile: the decision that it is separate from every identity to which a link that
/// counts connects it.
pub(crate) async fn separate(
    operation: &Operation,
    profile: &IdentityId,
    identity: &IdentityId,
    context: &mut Context<'_, '_>,
) -> Result<Plan, Problem> {
    let own = context.snapshot.profile(profile, &[]).await?;
    if !own.exists() {
        return Err(Problem::profile_not_found());
    }
    if !own.closure.members().contains(identity) {
        return Err(identity_not_found());
    }
    let others = own.closure.connected(identity);
    if others.len() > MAX_PAIRS {
        let detail = format!(
            "The identity is linked to {} others; one request separates at most {MAX_PAIRS}. Remove links one by one first.",
            others.len()
        );
        return Err(Problem::new(Kind::TOO_MANY_LINKS, detail));
    }
    context.snapshot.load(&others).await?;
    let pair_with = |other: &IdentityId| {
        let far = End {
            identity: other.clone(),
            identifier: None,
        };
        pair(context.snapshot, identity, &far)
    };
    let pairs: Vec<_> = others.iter().map(pair_with).collect();
    Ok(decide(operation, context, &pairs, Decision::Separated))
}

/// Plans the same decision about pairs.
fn decide(
    operation: &Operation,
    context: &Context<'_, '_>,
    pairs: &[Pair],
    decision: Decision,
) -> Plan {
    let mut plan = Plan::unchanged();
    for pair in pairs {
        let id = pair.id();
        let markers: Vec<_> = id
            .ends
            .iter()
            .map(|end| context.snapshot.markers(end))
            .collect();
        let changes = pair.decide(
            decision,
            operation.author(context.call, context.view.now, &markers),
        );
        if changes.is_empty() {
            continue;
        }
        plan.changes.extend(changes);
        plan.decisions.push(DecisionChange {
            id: id.to_string(),
            before: pair.decision(),
            after: Some(decision),
        });
        plan.concerned.extend(id.ends);
    }
    plan.concerned.sort();
    plan.concerned.dedup();
    plan
}

/// Returns a pair of identities that were read, with what is stored about agents' decisions.
fn pair(snapshot: &Snapshot<'_>, own: &IdentityId, other: &End) -> Pair {
    let left = [own, &other.identity].into_iter().flat_map(|identity| {
        let markers = snapshot.markers(identity);
        let items = snapshot.items(identity).iter();
        items.filter(move |item| !markers.erase(item)).cloned()
    });
    let known = left.collect::<State>().identifiers();
    let keys = Pair::keys(own, &other.identity);
    let held = keys.map(|(identity, key)| {
        let mut items = snapshot.items(&identity).iter();
        items.find(|item| item.key == key).cloned()
    });
    let end = |identity: &IdentityId| End {
        identity: identity.clone(),
        identifier: known.get(identity).cloned(),
    };
    let mut far = end(&other.identity);
    far.identifier = other.identifier.clone().or(far.identifier);
    let markers = [own, &other.identity].map(|identity| snapshot.markers(identity));
    Pair::new([end(own), far], held, &markers)
}

/// Returns the newer side of a link between identities that were read; `None` if there is none that is not erased.
fn stored(snapshot: &Snapshot<'_>, link: &LinkId) -> Option<Item> {
    let markers = link.ends.each_ref().map(|end| snapshot.markers(end));
    let sides = link.ends.iter().flat_map(|end| snapshot.items(end));
    let is_link = |item: &&Item| {
        matches!(item.key, SortKey::Link { .. }) && LinkId::of(item).as_ref() == Some(link)
    };
    let left = sides
        .filter(is_link)
        .filter(|item| !markers.iter().any(|markers| markers.erase(item)));
    left.max_by_key(|item| item.version).cloned()
}

/// Checks that `If-Match` contains the current entity tag of a link.
fn check_tag(context: &Context<'_, '_>, link: &Item) -> Result<(), Problem> {
    let tags = http::if_match(context.call.request.headers(), "link")?;
    let etag = etag(link);
    if tags
        .iter()
        .any(|tag| *tag == "*" || etag.as_deref() == Some(*tag))
    {
        return Ok(());
    }
    let detail = "The link was changed after you read it. Read it again, and send its new `etag` in `If-Match`.";
    Err(Problem::new(Kind::LINK_CHANGED, detail).field("if-match"))
}

pub(crate) fn link_not_found() -> Problem {
    let detail =
        "The profile has no identity link with this ID. GET /profiles/{id}/links lists its links.";
    Problem::new(Kind::LINK_NOT_FOUND, detail)
}

pub(crate) fn identity_not_found() -> Problem {
    let detail =
        "The profile has no identity with this ID. GET /profiles/{id} lists its `identities`.";
    Problem::new(Kind::IDENTITY_NOT_FOUND, detail)
}
