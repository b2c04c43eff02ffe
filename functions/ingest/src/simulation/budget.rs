//! Tests that the memory of a profile's items is limited over all pages of its identities.

use shared::{
    model::{identifier::Identifier, identity::IdentityKey},
    table::{Budget, Consistency},
};

use super::*;

/// The number of events. Three of them fill a page.
const EVENTS: usize = 8;

#[test]
fn stops_reading_when_the_budget_is_spent() {
    let link = json!({"mobile": "5550001"});
    let row = |number: usize| {
        let id = number.to_string();
        let text = "x".repeat(300_000);
        json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": id, "x": text})
    };
    let rows: String = (0..EVENTS)
        .map(|number| format!("{}\n", row(number)))
        .collect();
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    let id = IdentityKey::new("simulation")
        .unwrap()
        .identity(&identifier);
    clock().block_on(async {
        let key = "drop/email_open/crm/a.ndjson";
        let (_world, app) = handled(Bucket::default(), key, rows.as_bytes()).await;
        let read = async |budget: &Budget| {
            let read = app.table.identity(&id, Consistency::Strong, budget).await;
            let read = read.unwrap();
            (read.items.len(), read.next.is_some())
        };
        assert_eq!(read(&Budget::profile()).await, (EVENTS, false));
        // The first page is read in any case. The second one spends the budget.
        let budget = Budget::of(1_200_000);
        assert_eq!(read(&budget).await, (6, true));
        // Other identities share the budget.
        assert_eq!(read(&budget).await, (3, true));
    });
}
