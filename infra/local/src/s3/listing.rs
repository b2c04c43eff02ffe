//! Lists keys, versions and buckets in pages.

use data_encoding::BASE64URL_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::index::{Bucket, Page, Version};
use super::objects::timestamp;
use super::store::{Store, bucket_of, is_current};

/// The characters that `encoding-type=url` does not encode.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'*');

/// The maximum number of entries of a page in S3.
const MAX_KEYS: i32 = 1000;

impl Store {
    pub(super) fn list_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let encode = encoder(input.encoding_type.as_ref());
        let after = match &input.continuation_token {
            Some(token) => {
                let token = BASE64URL_NOPAD
                    .decode(token.as_bytes())
                    .ok()
                    .and_then(|key| String::from_utf8(key).ok());
                token.ok_or_else(|| {
                    s3_error!(
                        InvalidArgument,
                        "The continuation token provided is incorrect"
                    )
                })?
            }
            None => input.start_after.clone().unwrap_or_default(),
        };
        let max = max_keys(input.max_keys)?;
        let index = self.index();
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = bucket_of(&index, &input.bucket)?.list(
            &prefix,
            input.delimiter.as_deref(),
            &after,
            max.0,
            is_current,
        );
        let count = page.contents.len() + page.prefixes.len();
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            max_keys: Some(max.1),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page
                .next
                .as_ref()
                .map(|key| BASE64URL_NOPAD.encode(key.as_bytes())),
            common_prefixes: prefixes(&page, &encode),
            contents: Some(contents(&page, &encode)),
            delimiter: input.delimiter.as_deref().map(&encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.as_deref().map(&encode),
            ..ListObjectsV2Output::default()
        })
    }

    pub(super) fn list_v1(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let encode = encoder(input.encoding_type.as_ref());
        let after = input.marker.clone().unwrap_or_default();
        let max = max_keys(input.max_keys)?;
        let index = self.index();
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = bucket_of(&index, &input.bucket)?.list(
            &prefix,
            input.delimiter.as_deref(),
            &after,
            max.0,
            is_current,
        );
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            marker: Some(encode(&after)),
            max_keys: Some(max.1),
            is_truncated: Some(page.next.is_some()),
            // S3 returns it only with a delimiter, which may have grouped the last key.
            next_marker: page
                .next
                .as_deref()
                .filter(|_| input.delimiter.is_some())
                .map(&encode),
            common_prefixes: prefixes(&page, &encode),
            contents: Some(contents(&page, &encode)),
            delimiter: input.delimiter.as_deref().map(&encode),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        })
    }

    pub(super) fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> S3Result<ListObjectVersionsOutput> {
        let encode = encoder(input.encoding_type.as_ref());
        let max = max_keys(input.max_keys)?;
        let index = self.index();
        let bucket = bucket_of(&index, &input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.key_marker.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let page = bucket.list(&prefix, delimiter, &after, max.0.saturating_add(1), |_| {
            true
        });

        let mut entries = Vec::new();
        if let Some(marker) = &input.version_id_marker {
            entries.extend(older_versions(bucket, &after, marker));
        }
        entries.extend(entries_of(&page));
        let truncated = max.0 > 0 && (entries.len() > max.0 || page.next.is_some());
        entries.truncate(max.0);
        let (next_key, next_version) = match entries.last().filter(|_| truncated) {
            Some(Entry::Version { key, version, .. }) => {
                (Some(encode(key)), Some(version.id.clone()))
            }
            Some(Entry::Prefix(prefix)) => (Some(encode(prefix)), None),
            None => (None, None),
        };
        let listed = Listed::new(entries, &encode);
        Ok(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            key_marker: Some(encode(&after)),
            version_id_marker: input.version_id_marker,
            max_keys: Some(max.1),
            is_truncated: Some(truncated),
            next_key_marker: next_key,
            next_version_id_marker: next_version,
            versions: Some(listed.versions),
            delete_markers: Some(listed.markers),
            common_prefixes: Some(listed.prefixes),
            delimiter: input.delimiter.as_deref().map(&encode),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        })
    }
}

/// One entry of a listing of versions.
enum Entry<'a> {
    Prefix(&'a str),
    /// A version of a key.
    Version {
        key: &'a str,
        version: &'a Version,
        is_latest: bool,
    },
}

/// The entries of a response, by kind.
#[derive(Default)]
struct Listed {
    versions: Vec<ObjectVersion>,
    markers: Vec<DeleteMarkerEntry>,
    prefixes: Vec<CommonPrefix>,
}

impl Listed {
    fn new(entries: Vec<Entry<'_>>, encode: impl Fn(&str) -> String) -> Self {
        let mut listed = Self::default();
        for entry in entries {
            match entry {
                Entry::Prefix(prefix) => listed.prefixes.push(CommonPrefix {
                    prefix: Some(encode(prefix)),
                }),
                Entry::Version {
                    key,
                    version,
                    is_latest,
                } => match &version.object {
                    Some(object) => listed.versions.push(ObjectVersion {
                        e_tag: Some(ETag::Strong(object.etag.clone())),
                        is_latest: Some(is_latest),
                        key: Some(encode(key)),
                        last_modified: Some(timestamp(version.last_modified)),
                        size: i64::try_from(object.size).ok(),
                        storage_class: Some(ObjectVersionStorageClass::STANDARD.to_owned().into()),
                        version_id: Some(version.id.clone()),
                        ..ObjectVersion::default()
                    }),
                    None => listed.markers.push(DeleteMarkerEntry {
                        is_latest: Some(is_latest),
                        key: Some(encode(key)),
                        last_modified: Some(timestamp(version.last_modified)),
                        version_id: Some(version.id.clone()),
                        ..DeleteMarkerEntry::default()
                    }),
                },
            }
        }
        listed
    }
}

/// Returns the versions of a key that are older than `marker`, newest first. They come before the keys after it.
fn older_versions<'a>(
    bucket: &'a Bucket,
    key: &str,
    marker: &str,
) -> impl Iterator<Item = Entry<'a>> + use<'a> {
    let marker = marker.to_owned();
    let of_key = bucket.keys.get_key_value(key).into_iter();
    of_key.flat_map(move |(key, versions)| {
        let marker = marker.clone();
        let older = versions
            .iter()
            .rev()
            .skip_while(move |version| version.id != marker)
            .skip(1);
        older.map(move |version| Entry::Version {
            key,
            version,
            is_latest: false,
        })
    })
}

/// Returns the prefixes of a page and the versions of its keys, in order. The versions of a key are newest first.
fn entries_of<'a>(page: &'a Page<'a>) -> Vec<Entry<'a>> {
    let prefixes = page.prefixes.iter().map(|prefix| (prefix.as_str(), None));
    let keys = page.contents.iter();
    let keys = keys.map(|(key, versions)| (*key, Some(*versions)));
    let mut rolled: Vec<_> = prefixes.chain(keys).collect();
    rolled.sort_by_key(|(name, _)| *name);
    let mut entries = Vec::new();
    for (name, versions) in rolled {
        match versions {
            None => entries.push(Entry::Prefix(name)),
            Some(versions) => {
                let newest = versions.iter().rev().enumerate();
                entries.extend(newest.map(|(index, version)| Entry::Version {
                    key: name,
                    version,
                    is_latest: index == 0,
                }));
            }
        }
    }
    entries
}

/// Returns the function that writes keys: unchanged, or percent-encoded, since XML cannot contain every character.
fn encoder(encoding: Option<&EncodingType>) -> impl Fn(&str) -> String + use<> {
    let encoded = encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    move |key| {
        if encoded {
            utf8_percent_encode(key, ENCODED).to_string()
        } else {
            key.to_owned()
        }
    }
}

/// Returns the maximum number of entries of a page, as a length and as the response contains it.
fn max_keys(asked: Option<i32>) -> S3Result<(usize, i32)> {
    let max = asked.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    let len = usize::try_from(max)
        .map_err(|_| s3_error!(InvalidArgument, "max-keys can't be negative"))?;
    Ok((len, max))
}

fn prefixes(page: &Page<'_>, encode: impl Fn(&str) -> String) -> Option<Vec<CommonPrefix>> {
    let prefixes = page.prefixes.iter().map(|prefix| CommonPrefix {
        prefix: Some(encode(prefix)),
    });
    Some(prefixes.collect())
}

fn contents(page: &Page<'_>, encode: impl Fn(&str) -> String) -> Vec<Object> {
    let newest = page
        .contents
        .iter()
        .filter_map(|(key, versions)| Some((key, versions.last()?)));
    newest
        .filter_map(|(key, version)| {
            let object = version.object.as_ref()?;
            Some(Object {
                e_tag: Some(ETag::Strong(object.etag.clone())),
                key: Some(encode(key)),
                last_modified: Some(timestamp(version.last_modified)),
                size: i64::try_from(object.size).ok(),
                storage_class: Some(ObjectStorageClass::STANDARD.to_owned().into()),
                ..Object::default()
            })
        })
        .collect()
}
