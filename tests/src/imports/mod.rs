//! Imports under faults. Whatever fails, and however often and late events arrive, an import has the result of one invocation
//! without faults: the same table, counts and rejected rows.

mod faults;
mod interruptions;
mod limits;
mod versions;

use serde_json::Value;

use crate::support::faults::{FaultyApp, KEY};

/// Returns the statuses of all versions of the file's report.
pub(super) async fn statuses(setting: &FaultyApp, version_id: &str) -> Vec<String> {
    let (client, bucket) = (setting.stack().s3_client(), setting.stack().bucket());
    let key = format!("reports/{KEY}/{version_id}.json");
    let versions = client.list_object_versions().bucket(bucket).prefix(&key);
    let versions = versions.send().await.unwrap();
    let mut statuses = Vec::new();
    for version in versions.versions() {
        let get = client.get_object().bucket(bucket).key(&key);
        let report = get.version_id(version.version_id().unwrap()).send().await;
        let report = report.unwrap().body.collect().await.unwrap().into_bytes();
        let report: Value = serde_json::from_slice(&report).unwrap();
        statuses.push(report["status"].as_str().unwrap().to_owned());
    }
    statuses
}
