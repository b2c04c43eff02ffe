//! The keys of each bucket and their versions. The index is in memory, with a log on disk that is replayed at start. It does not
//! contain bodies; a version contains the name of its body's file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The version id of objects in a bucket without versions.
pub(super) const NULL: &str = "null";

/// The versioning state of a bucket, as set with `PutBucketVersioning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// One version of a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) id: String,
    /// Grows with every change of any key.
    pub(super) sequencer: u64,
    /// The time of the change, in epoch seconds.
    pub(super) last_modified: i64,
    /// The object; `None` for a delete marker.
    pub(super) object: Option<Object>,
}

/// The object of a version that is not a delete marker.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Object {
    /// The name of the body's file; empty until it is stored.
    pub(super) body: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) headers: Headers,
    /// The Base64 checksums of the object, by the last part of their header: `crc32`, `sha256` …
    pub(super) checksums: BTreeMap<String, String>,
}

/// The headers that S3 stores with an object.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    /// The value in RFC 3339 format.
    pub(super) expires: Option<String>,
    pub(super) website_redirect_location: Option<String>,
    /// The headers `x-amz-meta-*`.
    pub(super) user: BTreeMap<String, String>,
}

/// A change of the index. The log contains one per line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and most are puts"
)]
pub(super) enum Change {
    CreateBucket {
        bucket: String,
        at: i64,
    },
    DeleteBucket {
        bucket: String,
    },
    SetVersioning {
        bucket: String,
        status: Versioning,
    },
    Put {
        bucket: String,
        key: String,
        version: Version,
    },
    Remove {
        bucket: String,
        key: String,
        version_id: String,
    },
}

/// A bucket with its keys.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) created: i64,
    pub(super) versioning: Versioning,
    /// Versions of each key, oldest first, never empty.
    pub(super) keys: BTreeMap<String, Vec<Version>>,
}

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) buckets: BTreeMap<String, Bucket>,
    last_sequencer: u64,
    log: Option<File>,
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) contents: Vec<(&'a str, &'a [Version])>,
    pub(super) prefixes: Vec<String>,
    /// The last key or prefix of the page, if more follow.
    pub(super) next: Option<String>,
}

impl Index {
    /// Replays the log at `path` and continues to write there. Removes a last line that is incomplete because the process was
    /// killed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut index = Self::default();
        let mut reader = BufReader::new(&file);
        let (mut line, mut good) = (String::new(), 0_u64);
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            let Ok(change) = serde_json::from_str(&line) else {
                break;
            };
            if !line.ends_with('\n') {
                break;
            }
            good += line.len() as u64;
            line.clear();
            index.apply(change);
        }
        file.set_len(good)?;
        file.seek(SeekFrom::Start(good))?;
        index.log = Some(file);
        Ok(index)
    }

    /// Writes a change to the log and applies it. Returns the file of a body that is no longer used.
    pub(super) fn commit(&mut self, change: Change) -> io::Result<Option<String>> {
        if let Some(log) = &mut self.log {
            let mut line = serde_json::to_vec(&change)?;
            line.push(b'\n');
            log.write_all(&line)?;
        }
        Ok(self.apply(change))
    }

    /// Returns the next sequencer: microseconds since 1970, and always more than the previous one.
    pub(super) fn next_sequencer(&mut self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros());
        self.last_sequencer = u64::try_from(now)
            .unwrap_or(u64::MAX)
            .max(self.last_sequencer + 1);
        self.last_sequencer
    }

    /// Returns the newest version of a key, which can be a delete marker.
    pub(super) fn latest(&self, bucket: &str, key: &str) -> Option<&Version> {
        self.buckets.get(bucket)?.keys.get(key)?.last()
    }

    /// Returns the newest version of a key, unless it is a delete marker.
    pub(super) fn current(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.latest(bucket, key)?.object.as_ref()
    }

    fn apply(&mut self, change: Change) -> Option<String> {
        match change {
            Change::CreateBucket { bucket, at } => {
                let empty = Bucket {
                    created: at,
                    versioning: Versioning::Never,
                    keys: BTreeMap::new(),
                };
                self.buckets.entry(bucket).or_insert(empty);
                None
            }
            Change::DeleteBucket { bucket } => {
                self.buckets.remove(&bucket);
                None
            }
            Change::SetVersioning { bucket, status } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.versioning = status;
                }
                None
            }
            Change::Put {
                bucket,
                key,
                version,
            } => {
                self.last_sequencer = self.last_sequencer.max(version.sequencer);
                let versions = self.buckets.get_mut(&bucket)?.keys.entry(key).or_default();
                let replaced = versions
                    .iter()
                    .position(|old| old.id == version.id)
                    .map(|at| versions.remove(at));
                versions.push(version);
                replaced?.object.map(|object| object.body)
            }
            Change::Remove {
                bucket,
                key,
                version_id,
            } => {
                let keys = &mut self.buckets.get_mut(&bucket)?.keys;
                let versions = keys.get_mut(&key)?;
                let at = versions
                    .iter()
                    .position(|version| version.id == version_id)?;
                let removed = versions.remove(at);
                if versions.is_empty() {
                    keys.remove(&key);
                }
                removed.object.map(|object| object.body)
            }
        }
    }
}

impl Bucket {
    /// Lists the keys after `after` with `prefix` that `wanted` accepts. Keys with `delimiter` are grouped into prefixes.
    pub(super) fn list(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        after: &str,
        max: usize,
        wanted: impl Fn(&[Version]) -> bool,
    ) -> Page<'_> {
        let mut page = Page::default();
        let from = if after < prefix {
            Bound::Included(prefix)
        } else {
            Bound::Excluded(after)
        };
        let mut last = String::new();
        for (key, versions) in self.keys.range::<str, _>((from, Bound::Unbounded)) {
            if !key.starts_with(prefix) {
                break;
            }
            if !wanted(versions) {
                continue;
            }
            let rolled = delimiter
                .filter(|delimiter| !delimiter.is_empty())
                .and_then(|delimiter| {
                    let end = prefix.len() + key[prefix.len()..].find(delimiter)? + delimiter.len();
                    Some(&key[..end])
                });
            // Skips the keys under a prefix that is already listed, here or at the end of the previous page.
            if rolled.is_some_and(|rolled| {
                rolled == after || page.prefixes.last().is_some_and(|last| last == rolled)
            }) {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == max {
                page.next = (max > 0).then_some(last);
                break;
            }
            match rolled {
                Some(rolled) => {
                    rolled.clone_into(&mut last);
                    page.prefixes.push(rolled.to_owned());
                }
                None => {
                    key.clone_into(&mut last);
                    page.contents.push((key, versions));
                }
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, id: &str, sequencer: u64) -> Change {
        let object = Object {
            body: id.to_owned(),
            ..Object::default()
        };
        let version = Version {
            id: id.to_owned(),
            sequencer,
            last_modified: 0,
            object: Some(object),
        };
        Change::Put {
            bucket: "b".into(),
            key: key.into(),
            version,
        }
    }

    #[test]
    fn a_log_that_ends_in_half_a_line_replays_to_what_was_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut index = Index::open(&path).unwrap();
        index
            .commit(Change::CreateBucket {
                bucket: "b".into(),
                at: 0,
            })
            .unwrap();
        index.commit(put("a/../ü", "one", u64::MAX - 9)).unwrap();
        index.commit(put("a/../ü", "two", u64::MAX - 8)).unwrap();
        drop(index);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"put\":{\"bucket\":\"b\"").unwrap();

        let mut index = Index::open(&path).unwrap();
        assert_eq!(index.latest("b", "a/../ü").unwrap().id, "two");
        assert_eq!(
            index.next_sequencer(),
            u64::MAX - 7,
            "sequencers go on from where they were"
        );
        index.commit(put("c", "three", 1)).unwrap();
        assert_eq!(Index::open(&path).unwrap().buckets["b"].keys.len(), 2);
    }

    #[test]
    fn pages_of_keys_and_prefixes_join_without_a_gap() {
        let mut index = Index::default();
        index.apply(Change::CreateBucket {
            bucket: "b".into(),
            at: 0,
        });
        for key in ["a", "d/1", "d/2", "d/3/x", "e", "f//g", "z"] {
            index.apply(put(key, key, 1));
        }
        for max in 1..8 {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let page = index.buckets["b"].list("", Some("/"), &after, max, |_| true);
                assert!(page.contents.len() + page.prefixes.len() <= max);
                seen.extend(page.contents.iter().map(|(key, _)| (*key).to_owned()));
                seen.extend(page.prefixes);
                match page.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            seen.sort();
            assert_eq!(seen, ["a", "d/", "e", "f/", "z"]);
        }
        let page = index.buckets["b"].list("d/", None, "d/1", 1, |_| true);
        assert_eq!(
            (page.contents[0].0, page.next.as_deref()),
            ("d/2", Some("d/2"))
        );
    }
}
