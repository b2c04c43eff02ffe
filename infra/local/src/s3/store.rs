//! Stores objects: an index in memory, a folder of bodies, and notifications of created objects. The store knows keys and
//! versions; callers validate requests.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Error, S3Result, s3_error};
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use super::index::{Change, Index, NULL, Object, Version, Versioning};
use super::upload::Upload;

/// The number of puts that a subscriber can lag behind before it misses some.
const SUBSCRIBER_BUFFER: usize = 4096;

/// A created object, with the data for its notification.
#[derive(Debug, Clone)]
pub(crate) struct Created {
    /// The bucket.
    pub(crate) bucket: String,
    /// The key, not encoded.
    pub(crate) key: String,
    /// The version id; `None` if the bucket has no versions.
    pub(crate) version_id: Option<String>,
    /// The event, for example `ObjectCreated:Put`.
    pub(crate) event: &'static str,
    /// The size, in bytes.
    pub(crate) size: u64,
    /// The ETag, without quotes.
    pub(crate) etag: String,
    /// The sequencer: a hexadecimal number of fixed width, unique and growing.
    pub(crate) sequencer: String,
}

/// Buckets and objects.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    index: Mutex<Index>,
    pub(super) uploads: Mutex<HashMap<String, Upload>>,
    notifications: mpsc::UnboundedSender<Created>,
    created: broadcast::Sender<Created>,
}

/// The preconditions of a write.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

/// A write of a new version.
#[derive(Debug)]
pub(super) struct Put {
    /// The object, whose body is already a file.
    pub(super) object: Object,
    pub(super) conditions: Conditions,
    /// In epoch seconds.
    pub(super) last_modified: i64,
    /// The event of the notification, for example `ObjectCreated:Put`.
    pub(super) event: &'static str,
}

/// The result of a delete.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    pub(super) version_id: Option<String>,
    pub(super) delete_marker: bool,
}

impl Store {
    /// Opens the store in a folder. Every object that is created from now on is sent to `notifications`.
    pub(crate) fn open(
        folder: &Path,
        notifications: mpsc::UnboundedSender<Created>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join("bodies"))?;
        let index = Index::open(&folder.join("index.ndjson"))?;
        let store = Self {
            folder: folder.to_owned(),
            index: Mutex::new(index),
            uploads: Mutex::default(),
            notifications,
            created: broadcast::Sender::new(SUBSCRIBER_BUFFER),
        };
        store.remove_orphans()?;
        Ok(store)
    }

    /// Creates a bucket if it does not exist. Sets `versioning` for an existing bucket too, unless it is [`Versioning::Never`].
    pub(crate) fn ensure_bucket(&self, bucket: &str, versioning: Versioning) -> io::Result<()> {
        let mut index = self.index();
        index.commit(Change::CreateBucket {
            bucket: bucket.to_owned(),
            at: now(),
        })?;
        if versioning != Versioning::Never {
            index.commit(Change::SetVersioning {
                bucket: bucket.to_owned(),
                status: versioning,
            })?;
        }
        Ok(())
    }

    /// Subscribes to every object that is created from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Created> {
        self.created.subscribe()
    }

    /// Returns whether a key has an object.
    pub(crate) fn has(&self, bucket: &str, key: &str) -> bool {
        self.index().current(bucket, key).is_some()
    }

    /// Returns all keys with a prefix that have an object, in order.
    pub(crate) fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let index = self.index();
        let Some(bucket) = index.buckets.get(bucket) else {
            return Vec::new();
        };
        let page = bucket.list(prefix, None, "", usize::MAX, is_current);
        page.contents
            .into_iter()
            .map(|(key, _)| key.to_owned())
            .collect()
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a name for a new body, and its path.
    pub(super) fn new_body(&self) -> (String, PathBuf) {
        let name = Uuid::new_v4().simple().to_string();
        let path = self.body(&name);
        (name, path)
    }

    /// Returns the path of a body.
    pub(super) fn body(&self, name: &str) -> PathBuf {
        self.folder.join("bodies").join(name)
    }

    /// Returns a version of a key: the specified one, or else the newest. As in S3, a delete marker is an error.
    pub(super) fn find(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<(Version, Object)> {
        let index = self.index();
        let versions = bucket_of(&index, bucket)?
            .keys
            .get(key)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let version = match version_id {
            None => versions
                .last()
                .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?,
            Some(id) => versions
                .iter()
                .find(|version| version.id == id)
                .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
        };
        match &version.object {
            Some(object) => Ok((version.clone(), object.clone())),
            None => Err(delete_marker_error(version, version_id)),
        }
    }

    /// Stores a new version of a key. Sends a notification.
    pub(super) fn put(&self, bucket: &str, key: &str, put: Put) -> S3Result<Version> {
        let Put {
            object,
            conditions,
            last_modified,
            event,
        } = put;
        let mut index = self.index();
        let bucket_now = bucket_of(&index, bucket)?;
        let versioned = bucket_now.versioning == Versioning::Enabled;
        conditions.check(index.current(bucket, key))?;
        let id = if versioned {
            Uuid::new_v4().simple().to_string()
        } else {
            NULL.to_owned()
        };
        let version = Version {
            id,
            sequencer: index.next_sequencer(),
            last_modified,
            object: Some(object.clone()),
        };
        let change = Change::Put {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.clone(),
        };
        let replaced = index.commit(change).map_err(S3Error::internal_error)?;
        let created = Created {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: versioned.then(|| version.id.clone()),
            event,
            size: object.size,
            etag: object.etag,
            sequencer: format!("{:018X}", version.sequencer),
        };
        // Sent under the lock, so that notifications are in the order of the sequencers. It is not an error if nothing receives
        // them.
        let _ = self.notifications.send(created.clone());
        let _ = self.created.send(created);
        drop(index);
        self.remove_body(replaced);
        Ok(version)
    }

    /// Rejects a write that cannot succeed, before its body is read.
    pub(super) fn check(&self, bucket: &str, key: &str, conditions: &Conditions) -> S3Result<()> {
        let index = self.index();
        bucket_of(&index, bucket)?;
        conditions.check(index.current(bucket, key))
    }

    /// Removes a version, or adds a delete marker to the key.
    pub(super) fn delete(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        if_match: Option<&ETagCondition>,
    ) -> S3Result<Deleted> {
        let mut index = self.index();
        let versioning = bucket_of(&index, bucket)?.versioning;
        if let Some(condition) = if_match {
            let current = index
                .current(bucket, key)
                .ok_or_else(|| s3_error!(NoSuchKey))?;
            if !matches(condition, &current.etag) {
                return Err(s3_error!(PreconditionFailed));
            }
        }
        let (change, deleted) = match (version_id, versioning) {
            (Some(id), _) => remove(&index, bucket, key, id),
            (None, Versioning::Never) => {
                let (change, _) = remove(&index, bucket, key, NULL);
                (change, Deleted::default())
            }
            (None, Versioning::Enabled) => {
                let id = Uuid::new_v4().simple().to_string();
                add_marker(&mut index, bucket, key, id)
            }
            (None, Versioning::Suspended) => add_marker(&mut index, bucket, key, NULL.to_owned()),
        };
        let removed = index.commit(change).map_err(S3Error::internal_error)?;
        drop(index);
        self.remove_body(removed);
        Ok(deleted)
    }

    /// Removes the file of a body. A file that is being read remains readable.
    pub(super) fn remove_body(&self, name: Option<String>) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let _ = std::fs::remove_file(self.body(&name));
        }
    }

    /// Removes bodies without a version, left by interrupted uploads.
    fn remove_orphans(&self) -> io::Result<()> {
        let index = self.index();
        let versions = index
            .buckets
            .values()
            .flat_map(|bucket| bucket.keys.values().flatten());
        let named: HashSet<_> = versions
            .filter_map(|version| Some(version.object.as_ref()?.body.as_str()))
            .collect();
        for file in std::fs::read_dir(self.folder.join("bodies"))? {
            let file = file?;
            if !file
                .file_name()
                .to_str()
                .is_some_and(|name| named.contains(name))
            {
                std::fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}

/// Returns the change that removes a version, and the result of the delete.
fn remove(index: &Index, bucket: &str, key: &str, version_id: &str) -> (Change, Deleted) {
    let version = index
        .buckets
        .get(bucket)
        .and_then(|bucket| bucket.keys.get(key))
        .and_then(|versions| versions.iter().find(|version| version.id == version_id));
    let change = Change::Remove {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version_id: version_id.to_owned(),
    };
    let deleted = Deleted {
        version_id: Some(version_id.to_owned()),
        delete_marker: version.is_some_and(|version| version.object.is_none()),
    };
    (change, deleted)
}

/// Returns the change that adds a delete marker, and the result of the delete.
fn add_marker(index: &mut Index, bucket: &str, key: &str, id: String) -> (Change, Deleted) {
    let version = Version {
        id: id.clone(),
        sequencer: index.next_sequencer(),
        last_modified: now(),
        object: None,
    };
    let change = Change::Put {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version,
    };
    let deleted = Deleted {
        version_id: Some(id),
        delete_marker: true,
    };
    (change, deleted)
}

impl Conditions {
    fn check(&self, current: Option<&Object>) -> S3Result<()> {
        let failed = || {
            s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            )
        };
        if let Some(condition) = &self.if_match {
            let current =
                current.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?;
            if !matches(condition, &current.etag) {
                return Err(failed());
            }
        }
        match (&self.if_none_match, current) {
            (Some(condition), Some(current)) if matches(condition, &current.etag) => Err(failed()),
            _ => Ok(()),
        }
    }
}

/// Returns whether an `If-Match` or `If-None-Match` contains this ETag.
pub(super) fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.weak_cmp(&ETag::Strong(etag.to_owned())),
    }
}

/// Returns whether the newest version is an object and not a delete marker.
pub(super) fn is_current(versions: &[Version]) -> bool {
    versions
        .last()
        .is_some_and(|version| version.object.is_some())
}

/// Returns the current time, in epoch seconds.
pub(super) fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// Returns a bucket. It is an error if the bucket does not exist.
pub(super) fn bucket_of<'a>(index: &'a Index, bucket: &str) -> S3Result<&'a super::index::Bucket> {
    index
        .buckets
        .get(bucket)
        .ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
}

/// Returns the error of S3 for a delete marker. If the request has no version id, the key does not exist. If it has one, the method
/// is not allowed.
fn delete_marker_error(version: &Version, requested: Option<&str>) -> S3Error {
    let mut error = if requested.is_some() {
        s3_error!(
            MethodNotAllowed,
            "The specified method is not allowed against this resource."
        )
    } else {
        s3_error!(NoSuchKey, "The specified key does not exist.")
    };
    let mut headers = axum::http::HeaderMap::new();
    headers.insert(
        "x-amz-delete-marker",
        axum::http::HeaderValue::from_static("true"),
    );
    if let Ok(id) = version.id.parse() {
        headers.insert("x-amz-version-id", id);
    }
    error.set_headers(headers);
    error
}
