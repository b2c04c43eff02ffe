//! Creates the profile of a customer who writes for the first time: a customer record of the source `agents`.

use lambda_http::http::StatusCode;
use shared::{
    http::problem::Problem,
    model::{
        change::Change, closure::AGENTS, find::Find, identity::IdentityKey, item::Item,
        keys::SortKey, value::Map,
    },
};

use crate::{
    body::Customer,
    operation::{Context, Operation, Plan, markers, version},
};

/// Plans a profile. If the identity has data, nothing changes: a repeated request and a file that was faster are not errors.
pub(crate) async fn plan(
    operation: &Operation,
    customer: &Customer,
    key: &IdentityKey,
    context: &mut Context<'_, '_>,
) -> Result<Plan, Problem> {
    let identity = operation.profile();
    let profile = context.snapshot.profile(&identity, &[]).await?;
    let stored = context.snapshot.markers(&identity);
    let is_erased = stored.is_suppressed() || stored.standing_erasure().is_some();
    if profile.exists() && !(is_erased && operation.decision.reinstate) {
        return Ok(Plan::unchanged());
    }
    let reinstated = operation.reinstate(&[&identity], context)?;
    let mut data = Map::new();
    let names = [
        ("first_name", &customer.first_name),
        ("last_name", &customer.last_name),
    ];
    for (field, name) in names {
        if let Some(name) = name {
            data.insert(field, name.as_str());
        }
    }
    let record = SortKey::Record(AGENTS.to_owned());
    // The record is newer than the reinstatement, which is newer than the erasure.
    let version = version(&identity, stored.erased(), context.view.now).at(1);
    let link = Some(customer.identifier.clone());
    let mut item = Item::ingested(identity.clone(), record, version, link, data);
    item.find = Find::of(key, &item, context.call.app.config.identifiers);
    let mut held = context.snapshot.items(&identity).iter();
    let before = held.find(|held| held.key == item.key).cloned();
    let mut changes = vec![Change::put(before, item)];
    changes.extend(markers(&reinstated));
    Ok(Plan {
        status: StatusCode::CREATED,
        changes,
        concerned: vec![identity],
        reinstated,
        decisions: Vec::new(),
    })
}
