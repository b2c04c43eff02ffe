//! The items that the erasure markers of the table should have deleted.

use std::collections::{BTreeSet, HashMap};

use shared::model::{erasure::Markers, identity::IdentityId, keys::SortKey};

use super::{app::TestApp, table::rows};

/// Returns the keys of all items that a marker in the table erases, so that should not be stored.
pub(crate) async fn unerased_items(app: &TestApp) -> Vec<String> {
    let table =
        shared::table::Table::new(app.stack.dynamodb_client(), app.stack.table().to_owned());
    let partitions: BTreeSet<String> = rows(app)
        .await
        .iter()
        .map(|row| row["PK"].as_s().unwrap().clone())
        .collect();
    let mut markers = HashMap::new();
    let mut items = Vec::new();
    for identity in partitions
        .iter()
        .filter_map(|partition| partition.parse::<IdentityId>().ok())
    {
        let mut own = Vec::new();
        let mut after = None;
        loop {
            let page = table
                .items_without_data(&identity, after.as_deref())
                .await
                .unwrap();
            own.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        markers.insert(identity, Markers::of(&own));
        items.extend(own);
    }
    let none = Markers::default();
    let erased = items.iter().filter(|item| {
        let own = markers.get(&item.identity).unwrap_or(&none).erase(item);
        let far = match &item.key {
            SortKey::Link { other, .. } => markers.get(other).unwrap_or(&none).erase(item),
            _ => false,
        };
        own || far
    });
    erased
        .map(|item| format!("{} {}", item.identity, item.key.to_text()))
        .collect()
}
