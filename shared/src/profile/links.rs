//! Identity links: their ids, the decisions of support agents, and links as the API returns them.
//!
//! A decision is a link of the reserved source [`AGENTS`], live or not. It alone decides the pair. It is stored at both
//! ends, without a version, so that no file replaces it. A decision keeps the one that it replaced, so that withdrawing it
//! restores the state before it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Page, Personal, View, cursor, note::Writer, provenance::Files};
use crate::{
    model::{
        card,
        change::Change,
        closure::{AGENTS, Closure, MAX_LINK_ITEMS, MAX_LIVE_LINKS},
        erasure::Markers,
        find::Find,
        identifier::Identifier,
        identity::{IdentityId, base32},
        item::Item,
        keys::SortKey,
        time::Instant,
        value::Map,
    },
    profile::cursor::Listing,
};

/// The maximum number of characters of a reason.
pub const MAX_REASON_CHARS: usize = 500;
/// The maximum number of characters in the name of a source.
const MAX_SOURCE_CHARS: usize = 64;
/// The fields of a decision's data that identify support agents.
pub const AGENT_FIELDS: [&str; 2] = ["by", "by_name"];
/// The field that contains the decision before.
const REPLACED: &str = "replaced";

/// The id of a link: `{identity}.{identity}.{source}`, the smaller identity first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId {
    /// The two identities, sorted.
    pub ends: [IdentityId; 2],
    /// The source of the link: that of a file, or [`AGENTS`].
    pub source: String,
}

impl LinkId {
    /// Returns the id of the link of `source` between two identities.
    pub fn new(a: &IdentityId, b: &IdentityId, source: &str) -> Self {
        Self {
            ends: if a <= b { [a, b] } else { [b, a] }.map(Clone::clone),
            source: source.to_owned(),
        }
    }

    /// Returns the id of the link that an item contains; `None` if it is not a link.
    pub fn of(item: &Item) -> Option<Self> {
        match &item.key {
            SortKey::Link { source, other } => Some(Self::new(&item.identity, other, source)),
            _ => None,
        }
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.ends[0], self.ends[1], self.source)
    }
}

impl FromStr for LinkId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(());
        let a: IdentityId = part()?.parse().map_err(|_| ())?;
        let b: IdentityId = part()?.parse().map_err(|_| ())?;
        let source = part()?;
        let is_source = (1..=MAX_SOURCE_CHARS).contains(&source.len())
            && source
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        (a < b && is_source)
            .then(|| Self::new(&a, &b, source))
            .ok_or(())
    }
}

/// The checked reason of a decision: 1 to 500 characters, not only whitespace, without control characters. Card numbers are
/// masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    text: String,
    /// The number of card numbers that were masked.
    masked_cards: usize,
}

impl Reason {
    /// Checks a string and masks the card numbers in it. Returns `None` if it breaks a rule.
    pub fn new(text: &str) -> Option<Self> {
        let is_long = text.chars().count() > MAX_REASON_CHARS;
        if text.trim().is_empty() || is_long || text.contains(char::is_control) {
            return None;
        }
        let (text, masked_cards) = card::mask(text.trim());
        Some(Self {
            text: text.into_owned(),
            masked_cards,
        })
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the number of masked card numbers.
    pub const fn masked_cards(&self) -> usize {
        self.masked_cards
    }
}

/// Who decides, when and why.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The support agent.
    pub writer: Writer<'a>,
    /// The time of the decision.
    pub at: Instant,
    /// The reason, if there is one.
    pub reason: Option<&'a Reason>,
}

/// What support agents have decided about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The identities are linked, whatever files contain.
    Linked,
    /// The identities are separate, whatever files contain.
    Separated,
}

impl Decision {
    const fn of(live: bool) -> Self {
        if live { Self::Linked } else { Self::Separated }
    }

    fn is_live(self) -> bool {
        self == Self::Linked
    }
}

/// One end of a pair.
#[derive(Clone, Debug)]
pub struct End {
    /// The identity.
    pub identity: IdentityId,
    /// Its identifier, if it is known.
    pub identifier: Option<Identifier>,
}

/// A pair of identities, with what is stored about agents' decisions.
#[derive(Clone, Debug)]
pub struct Pair {
    ends: [End; 2],
    /// The stored decision at each end.
    stored: [Option<Item>; 2],
    /// The data of the decision; `None` if there is none, or if an erasure covers it.
    decided: Option<Map>,
}

impl Pair {
    /// Creates a pair of the stored decisions at its ends and the markers of both.
    pub fn new(ends: [End; 2], stored: [Option<Item>; 2], markers: &[Markers; 2]) -> Self {
        let is_erased = |item: &Item| markers.iter().any(|markers| markers.erase(item));
        let left = stored.iter().flatten().find(|item| !is_erased(item));
        Self {
            decided: left.map(|item| item.data.clone()),
            ends,
            stored,
        }
    }

    /// Returns the sort key of the decision at each end.
    pub fn keys(a: &IdentityId, b: &IdentityId) -> [(IdentityId, SortKey); 2] {
        [(a, b), (b, a)].map(|(own, other)| {
            let source = AGENTS.to_owned();
            let other = other.clone();
            (own.clone(), SortKey::Link { source, other })
        })
    }

    /// Returns the id of the decision.
    pub fn id(&self) -> LinkId {
        LinkId::new(&self.ends[0].identity, &self.ends[1].identity, AGENTS)
    }

    /// Returns the current decision; `None` if files decide.
    pub fn decision(&self) -> Option<Decision> {
        let live = self.decided.as_ref()?.flag("live")?;
        Some(Decision::of(live))
    }

    /// Returns the decision that applies after the current one is withdrawn.
    pub fn decision_before(&self) -> Option<Decision> {
        let before = self.decided.as_ref()?.map(REPLACED)?;
        Some(Decision::of(before.flag("live")?))
    }

    /// Returns the changes that store a decision; none if it is the current one.
    pub fn decide(&self, decision: Decision, author: Author<'_>) -> Vec<Change> {
        if self.decision() == Some(decision) {
            return Vec::new();
        }
        let mut data = Map::new();
        data.insert("live", decision.is_live());
        data.insert("at", author.at.to_string());
        data.insert("by", author.writer.subject);
        if let Some(name) = author.writer.name {
            data.insert("by_name", name);
        }
        if let Some(reason) = author.reason {
            data.insert("reason", reason.as_str());
        }
        if let Some(decided) = &self.decided {
            let mut replaced = decided.clone();
            replaced.remove("other");
            replaced.remove(REPLACED);
            data.insert(REPLACED, replaced);
        }
        self.store(&data)
    }

    /// Returns the changes that withdraw the current decision. The decision that it replaced applies again, or else files
    /// decide.
    pub fn withdraw(&self) -> Vec<Change> {
        match self.decided.as_ref().and_then(|data| data.map(REPLACED)) {
            Some(replaced) => self.store(replaced),
            None => {
                let stored = self.stored.iter().flatten();
                stored.cloned().map(Change::delete).collect()
            }
        }
    }

    /// Returns the changes that store data of a decision at both ends.
    fn store(&self, data: &Map) -> Vec<Change> {
        let [a, b] = &self.ends;
        let sides = [(a, b), (b, a)].into_iter().zip(&self.stored);
        let change = |((own, other), stored): ((&End, &End), &Option<Item>)| {
            let mut data = data.clone();
            if let Some(identifier) = &other.identifier {
                data.insert("other", identifier);
            }
            let item = Item {
                identity: own.identity.clone(),
                key: SortKey::Link {
                    source: AGENTS.to_owned(),
                    other: other.identity.clone(),
                },
                version: None,
                link: own.identifier.clone(),
                source: None,
                data,
                expires_at: None,
                find: Find::default(),
            };
            Change::put(stored.clone(), item)
        };
        sides.map(change).collect()
    }
}

/// Returns whether an identity with these items has more decisions than count: more than [`MAX_LIVE_LINKS`] live ones, or
/// more than [`MAX_LINK_ITEMS`] in all.
pub fn has_too_many_decisions(items: &[Item], markers: &Markers) -> bool {
    let is_decision =
        |item: &&Item| matches!(&item.key, SortKey::Link { source, .. } if source == AGENTS);
    let left = items.iter().filter(|item| !markers.erase(item));
    let decisions: Vec<_> = left.filter(is_decision).collect();
    let live = decisions
        .iter()
        .filter(|item| item.data.flag("live") == Some(true));
    live.count() > MAX_LIVE_LINKS || decisions.len() > MAX_LINK_ITEMS
}

/// A link as the API returns it.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// The id.
    pub id: String,
    /// The two identities, in the order of the id.
    pub identities: [LinkedIdentity; 2],
    /// The source of the link: that of a file, or `agents`.
    pub source: String,
    /// Whether the link is live. A removed link stays, so that its source cannot restore an older state.
    pub live: bool,
    /// Whether the link connects the two identities. A decision of a support agent replaces the links of files.
    pub counts: bool,
    /// The support agent; `null` for a link of a file.
    pub by: Option<Agent>,
    /// The reason that the support agent gave. Personal.
    pub reason: Option<Personal<String>>,
    /// The time of the decision, or the time when the file was last modified.
    pub at: Option<Instant>,
    /// The file and the row; absent for a decision of a support agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<Row>,
    /// The entity tag for `If-Match`. Every change of the link changes it.
    pub etag: String,
}

/// One end of a link.
#[derive(Clone, Debug, Serialize)]
pub struct LinkedIdentity {
    /// The id.
    pub id: IdentityId,
    /// The type of the identifier.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// The identifier. Personal.
    pub value: Option<Personal<String>>,
    /// The name of the system that assigned the identifier. Personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_name: Option<Personal<String>>,
}

/// A support agent.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    /// The `sub` of the token.
    pub subject: String,
    /// The `name` of the token, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The row of a file that a link was read from.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The import's id.
    import: String,
    /// The object's key; `null` after the import's plan has expired. Personal.
    file: Option<Personal<String>>,
    /// The offset of the row in the decompressed object, in bytes.
    offset: u64,
    /// The time when the object was last modified.
    last_modified: Option<Instant>,
}

impl Link {
    /// Returns the link that `item` contains; `None` if it is not a link.
    fn new(item: &Item, closure: &Closure, files: &Files, view: &View<'_>) -> Option<Self> {
        let id = LinkId::of(item)?;
        let [a, b] = &id.ends;
        let other = item.data.map("other").and_then(Identifier::from_item);
        let identity = |end: &IdentityId| {
            let own = *end == item.identity;
            LinkedIdentity::new(
                end,
                if own {
                    item.link.as_ref()
                } else {
                    other.as_ref()
                },
                view,
            )
        };
        let text = |name: &str| item.data.text(name).map(str::to_owned);
        let decided_at = item.data.text("at").and_then(Instant::parse);
        let modified = item.version.map(|version| version.last_modified());
        Some(Self {
            identities: [identity(a), identity(b)],
            live: item.data.flag("live").unwrap_or(false),
            counts: closure.counts(&id.source, a, b),
            by: text("by").map(|subject| Agent {
                subject,
                name: text("by_name"),
            }),
            reason: text("reason").map(|reason| view.show(reason)),
            at: decided_at.or_else(|| modified.and_then(Instant::from_seconds)),
            import: item.version.map(|version| {
                let found = files.provenance(version);
                Row {
                    file: found.file.map(|key| view.show(key.to_owned())),
                    import: found.import,
                    offset: found.offset,
                    last_modified: found.last_modified,
                }
            }),
            etag: etag(item)?,
            id: id.to_string(),
            source: id.source,
        })
    }
}

impl LinkedIdentity {
    fn new(id: &IdentityId, identifier: Option<&Identifier>, view: &View<'_>) -> Self {
        Self {
            id: id.clone(),
            kind: identifier.map(|identifier| identifier.kind().as_str()),
            value: identifier.map(|identifier| view.show(identifier.value().to_owned())),
            system_name: identifier
                .and_then(Identifier::system)
                .map(|system| view.show(system.to_owned())),
        }
    }
}

/// Returns a strong entity tag (RFC 9110, section 8.8.3) of a link's state. It depends on no personal value. `None` if
/// `item` is not a link.
pub fn etag(item: &Item) -> Option<String> {
    let id = LinkId::of(item)?;
    let mut digest = Sha256::new();
    digest.update(id.to_string());
    digest.update([u8::from(item.data.flag("live") == Some(true))]);
    match &item.version {
        Some(version) => digest.update(version.as_bytes()),
        None => digest.update(item.data.text("at").unwrap_or_default()),
    }
    Some(format!("\"{}\"", base32(&digest.finalize()[..10])))
}

/// Returns each link once, sorted by id: the newer of its two sides.
pub fn distinct<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<&'a Item> {
    let mut links: BTreeMap<LinkId, &Item> = BTreeMap::new();
    for item in items {
        let Some(id) = LinkId::of(item) else {
            continue;
        };
        let kept = links.entry(id).or_insert(item);
        if item.version > kept.version {
            *kept = item;
        }
    }
    links.into_values().collect()
}

/// Returns the page of at most `limit` distinct links after the one with the id `after`.
pub fn select<'a>(
    links: Vec<&'a Item>,
    after: Option<&LinkId>,
    limit: usize,
) -> (Vec<&'a Item>, bool) {
    let mut left = links;
    left.retain(|item| after.is_none_or(|after| LinkId::of(item).as_ref() > Some(after)));
    let has_more = left.len() > limit;
    left.truncate(limit);
    (left, has_more)
}

/// Returns a page of links. `next` is set if there are more, for the requested id of the profile.
pub fn page(
    links: &[&Item],
    has_more: bool,
    closure: &Closure,
    files: &Files,
    view: &View<'_>,
) -> Page<Link> {
    let items: Vec<_> = links
        .iter()
        .filter_map(|item| Link::new(item, closure, files, view))
        .collect();
    let last = items.last().filter(|_| has_more);
    Page {
        next: last.map(|last| cursor_after(closure.requested(), &last.id)),
        items,
        partial: closure.is_partial(),
    }
}

/// Returns the cursor of the links of a profile after the one with this id.
pub fn cursor_after(profile: &IdentityId, id: &str) -> String {
    cursor::encode_in(profile, Listing::Links, "", id)
}

/// Removes what identifies support agents from the data of a decision.
pub fn remove_agents(data: &mut Map) {
    for field in AGENT_FIELDS {
        data.remove(field);
    }
    if let Some(crate::model::value::Value::Map(replaced)) = data.get_mut(REPLACED) {
        for field in AGENT_FIELDS {
            replaced.remove(field);
        }
    }
}
