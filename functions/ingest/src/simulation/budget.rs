//! Tests that the memory of a profile's items is limited over all pages of its identities.

use futures::future::try_join_all;
use shared::{
    model::{identifier::Identifier, identity::IdentityKey, keys::SortKey},
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
        // Other identities share the budget. Nothing but their links is kept.
        assert_eq!(read(&budget).await, (0, true));
    });
}

/// The number of linked identities.
const IDENTITIES: usize = 32;
/// The number of nulls in the event of each identity. They take 2 bytes each in the table, and 32 in memory.
const NULLS: usize = 10_000;

#[test]
fn keeps_only_the_links_of_identities_read_after_the_budget_is_spent() {
    let mobile = |number: usize| json!({"mobile": format!("55500{number:02}")});
    let event = |number: usize| {
        let nulls = vec![Value::Null; NULLS];
        json!({"record_type": "email_open", "link": mobile(number), "action_at": "2026-01-01T00:00:00Z", "email_id": "1", "x": nulls})
    };
    let unify =
        |number: usize| json!({"record_type": "unify", "records": [mobile(0), mobile(number)]});
    let rows = (1..IDENTITIES).map(unify).chain((0..IDENTITIES).map(event));
    let rows: String = rows.map(|row| format!("{row}\n")).collect();
    let key = IdentityKey::new("simulation").unwrap();
    let id = |number| {
        let link = mobile(number);
        key.identity(&Identifier::from_json(link.as_object().unwrap()).unwrap())
    };
    let ids: Vec<_> = (0..IDENTITIES).map(id).collect();
    clock().block_on(async {
        let file = "drop/mixed/crm/a.ndjson";
        let (_world, app) = handled(Bucket::default(), file, rows.as_bytes()).await;
        // Returns the number of nulls, links and incomplete identities.
        let read = async |budget: Budget| {
            let reads = ids
                .iter()
                .map(|id| app.table.identity(id, Consistency::Strong, &budget));
            let read = try_join_all(reads).await.unwrap();
            let items = || read.iter().flat_map(|read| &read.items);
            let values: usize = items()
                .filter(|item| item.event().is_some())
                .map(|item| item.data.count())
                .sum();
            let links = items().filter(|item| matches!(item.key, SortKey::Link { .. }));
            let cut = read.iter().filter(|read| read.next.is_some());
            (values / NULLS, links.count(), cut.count())
        };
        let links = 2 * (IDENTITIES - 1);
        assert_eq!(read(Budget::profile()).await, (IDENTITIES, links, 0));
        // 10 events take 3,200,000 bytes. Links and the rest of the items take less than 100,000.
        assert_eq!(
            read(Budget::of(3_100_000)).await,
            (10, links, IDENTITIES - 10)
        );
    });
}
