//! Filters events by the parameters `type`, `channel`, `account`, `from`, `to` and `order`.

use std::collections::BTreeSet;

use shared::{
    http::{
        Parameters,
        principal::{Principal, Scope},
        problem::{Kind, Problem},
    },
    model::{
        item::Item,
        keys::{EventKey, EventType},
        time::Instant,
        zone::Zone,
    },
    profile::channel::{channel, is_known_channel, normal_channel},
    table::{EventRange, Order},
};

/// The names of the parameters of the filter.
pub(crate) const PARAMETERS: [&str; 6] = ["type", "channel", "account", "from", "to", "order"];

/// The maximum number of characters in a channel or an account's id.
const MAX_CHARS: usize = 256;

/// A selection of events and their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The types that pass; empty for all types.
    pub(crate) types: BTreeSet<EventType>,
    /// The channel in normal form, see [`normal_channel`].
    pub(crate) channel: Option<String>,
    /// The id of an account.
    pub(crate) account: Option<String>,
    /// The time range and the order.
    pub(crate) range: EventRange,
}

impl Filter {
    /// Parses the parameters. Dates without a time are in `zone`.
    ///
    /// # Errors
    /// A parameter is invalid.
    pub(crate) fn new(parameters: &Parameters<'_>, zone: &Zone) -> Result<Self, Problem> {
        let mut types = BTreeSet::new();
        for name in parameters.all("type").flat_map(|value| value.split(',')) {
            let kind = name.parse().map_err(|()| {
                let names: Vec<_> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
                Problem::invalid_parameter(
                    "type",
                    format!("`type` must be one or more of {}.", names.join(", ")),
                )
            })?;
            types.insert(kind);
        }
        let range = EventRange {
            from: time(parameters, "from", zone)?,
            to: time(parameters, "to", zone)?,
            order: match parameters.get("order") {
                None | Some("newest") => Order::NewestFirst,
                Some("oldest") => Order::OldestFirst,
                Some(_) => {
                    return Err(Problem::invalid_parameter(
                        "order",
                        "`order` must be `newest` or `oldest`.",
                    ));
                }
            },
        };
        Ok(Self {
            types,
            channel: text(parameters, "channel")?.map(|channel| normal_channel(&channel)),
            account: text(parameters, "account")?,
            range,
        })
    }

    /// Rejects a filter on a value that is hidden from the principal, because the filtered events would reveal the value.
    ///
    /// # Errors
    /// The principal lacks `pii:read`, and the filter contains an account or a channel that is not well known.
    pub(crate) fn authorize(&self, principal: &Principal) -> Result<(), Problem> {
        if principal.has(Scope::PiiRead) {
            return Ok(());
        }
        let forbidden = |name: &str, detail: &str| {
            Err(Problem::new(
                Kind::FORBIDDEN,
                format!(
                    "{detail}. Request a token with the scope `pii:read`, or remove this filter."
                ),
            )
            .field(name))
        };
        if self.account.is_some() {
            return forbidden("account", "The token does not allow filtering by account");
        }
        match &self.channel {
            Some(channel) if !is_known_channel(channel) => forbidden(
                "channel",
                "The token does not allow filtering by this channel",
            ),
            _ => Ok(()),
        }
    }

    /// Creates a filter that only events with the type and time of `key` pass.
    pub(crate) fn of(key: &EventKey) -> Self {
        Self {
            types: BTreeSet::from([key.kind()]),
            range: EventRange {
                from: Some(key.at()),
                to: Some(key.at().shifted(1)),
                order: Order::NewestFirst,
            },
            ..Self::default()
        }
    }

    /// Returns whether every event in the time range passes.
    pub(crate) fn passes_all(&self) -> bool {
        self.types.is_empty() && self.channel.is_none() && self.account.is_none()
    }

    /// Returns whether the time range is empty.
    pub(crate) fn is_empty(&self) -> bool {
        let range = &self.range;
        range
            .from
            .zip(range.to)
            .is_some_and(|(from, to)| from >= to)
    }

    /// Returns whether a time is in the time range.
    pub(crate) fn includes(&self, at: Instant) -> bool {
        self.range.from.is_none_or(|from| at >= from) && self.range.to.is_none_or(|to| at < to)
    }

    /// Returns whether events of a type pass.
    pub(crate) fn has_type(&self, kind: EventType) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    /// Returns whether the event that `item` contains passes, apart from its time.
    pub(crate) fn passes(&self, item: &Item) -> bool {
        let Some(kind) = item.event().map(|key| key.kind()) else {
            return false;
        };
        let account = || {
            item.data
                .map("account")
                .and_then(|account| account.text("id"))
        };
        let event_channel = || channel(kind, &item.data).map(normal_channel);
        self.has_type(kind)
            && (self.channel.is_none() || event_channel() == self.channel)
            && (self.account.is_none() || account() == self.account.as_deref())
    }

    /// Returns a canonical string that is equal for equivalent filters. A cursor is bound to it. Empty if the filter selects
    /// every event, newest first.
    pub(crate) fn canonical(&self) -> String {
        let mut parts: Vec<String> = self
            .types
            .iter()
            .map(|kind| format!("type={kind}"))
            .collect();
        let mut part = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("{name}={value}")));
        };
        part("channel", self.channel.clone());
        part("account", self.account.clone());
        part("from", self.range.from.map(Instant::fixed));
        part("to", self.range.to.map(Instant::fixed));
        part(
            "order",
            (self.range.order == Order::OldestFirst).then(|| "oldest".to_owned()),
        );
        // The separator is unambiguous because values contain no control characters.
        parts.join("\u{1f}")
    }
}

/// Parses a parameter that is a time, or a date in `zone`.
fn time(
    parameters: &Parameters<'_>,
    name: &'static str,
    zone: &Zone,
) -> Result<Option<Instant>, Problem> {
    let Some(text) = parameters.get(name) else {
        return Ok(None);
    };
    let instant = zone.parse(text).or_else(|| with_plus(text)).ok_or_else(|| {
        let detail = format!("`{name}` must be an RFC 3339 time such as 2026-03-06T12:26:47Z, or a date such as 2026-03-06.");
        Problem::invalid_parameter(name, detail)
    })?;
    Ok(Some(instant))
}

/// Parses a time whose `+` was not percent-encoded, so that the query contains a space instead (`2026-01-01T00:00:00 10:00`).
fn with_plus(text: &str) -> Option<Instant> {
    let (time, zone) = text.rsplit_once(' ')?;
    let is_zone = zone.starts_with(|c: char| c.is_ascii_digit()) && time.contains(['T', 't', ' ']);
    is_zone.then(|| Instant::parse(&format!("{time}+{zone}")))?
}

/// Checks a parameter that is a channel or an account's id: 1 to [`MAX_CHARS`] characters.
fn text(parameters: &Parameters<'_>, name: &'static str) -> Result<Option<String>, Problem> {
    let Some(text) = parameters.get(name) else {
        return Ok(None);
    };
    if text.is_empty() || text.chars().count() > MAX_CHARS || text.chars().any(char::is_control) {
        let detail =
            format!("`{name}` must be 1 to {MAX_CHARS} characters without control characters.");
        return Err(Problem::invalid_parameter(name, detail));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lambda_http::{Request, RequestExt as _};
    use serde_json::{Value as Json, json};
    use shared::model::{
        identity::IdentityKey,
        keys::SortKey,
        value::to_map,
        version::{ImportId, Version},
        zone::UTC,
    };

    use super::*;

    const AT: &str = "2026-03-06T12:00:00Z";

    fn filter(query: &[(&str, &str)]) -> Result<Filter, Problem> {
        let mut all = HashMap::<String, Vec<String>>::new();
        for (name, value) in query {
            all.entry((*name).to_owned())
                .or_default()
                .push((*value).to_owned());
        }
        let request = Request::default().with_query_string_parameters(all);
        Filter::new(
            &Parameters::with_repeated(&request, &PARAMETERS, &["type"])?,
            &UTC,
        )
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn key(kind: EventType) -> EventKey {
        EventKey::new(
            &IdentityKey::new("key").unwrap(),
            at(AT),
            kind,
            "shop",
            &["1"],
        )
    }

    fn item(key: SortKey, data: &Json) -> Item {
        let identity = "a".repeat(26).parse().unwrap();
        let version = Version::new(1_800_000_000, "01", ImportId([1; 8]), 0);
        Item::ingested(identity, key, version, None, to_map(data).unwrap())
    }

    #[test]
    fn parameters_are_read() {
        let all = filter(&[
            ("type", "message,purchase"),
            ("type", "sms_send"),
            ("channel", "Whats App"),
            ("account", "a-1"),
            ("from", "2026-03-06"),
            ("to", AT),
            ("order", "oldest"),
        ])
        .unwrap();
        assert_eq!(
            all.types.into_iter().collect::<Vec<_>>(),
            [EventType::Purchase, EventType::SmsSend, EventType::Message]
        );
        assert_eq!(all.channel.as_deref(), Some("whatsapp"));
        assert_eq!(all.account.as_deref(), Some("a-1"));
        assert_eq!(all.range.from, Some(at("2026-03-06T00:00:00Z")));
        assert_eq!(all.range.to, Some(at(AT)));
        assert_eq!(all.range.order, Order::OldestFirst);
        let newest = filter(&[("order", "newest")]).unwrap();
        assert_eq!(newest.range.order, Order::NewestFirst);
        assert!(newest.passes_all());
        let longest = "é".repeat(MAX_CHARS);
        assert!(filter(&[("account", &longest)]).is_ok());
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        let long = "a".repeat(MAX_CHARS + 1);
        for (name, value) in [
            ("type", "purchase,"),
            ("order", "random"),
            ("from", "now"),
            ("channel", ""),
            ("account", "a\u{7}"),
            ("account", &long),
        ] {
            let problem = filter(&[(name, value)]).unwrap_err();
            assert_eq!(problem.kind(), Kind::INVALID_PARAMETER, "{name}={value}");
        }
    }

    #[test]
    fn a_plus_may_be_a_space() {
        for (text, expected) in [
            ("2026-03-06T22:00:00+10:00", Some(AT)),
            ("2026-03-06T22:00:00 10:00", Some(AT)),
            ("2026-03-06 22:00:00 10:00", Some(AT)),
            ("2026-03-06t22:00:00 10:00", Some(AT)),
            ("2026-03-06 10:00", Some("2026-03-06T10:00:00Z")),
            ("2026-03-06T22:00:00 AEST", None),
            ("2026-03-06T22:00:00 -10:00", None),
            ("2026-03-06 25:00", None),
        ] {
            let read = filter(&[("from", text)]).ok();
            let from = read.and_then(|filter| filter.range.from);
            assert_eq!(from, expected.map(at), "{text}");
        }
    }

    #[test]
    fn ranges_contain_their_first_moment_only() {
        let range = |from: &str, to: &str| filter(&[("from", from), ("to", to)]).unwrap();
        let hour = range("2026-03-06T12:00:00Z", "2026-03-06T13:00:00Z");
        assert!(!hour.is_empty());
        for (text, is_included) in [
            ("2026-03-06T11:59:59Z", false),
            ("2026-03-06T12:00:00Z", true),
            ("2026-03-06T12:59:59Z", true),
            ("2026-03-06T13:00:00Z", false),
        ] {
            assert_eq!(hour.includes(at(text)), is_included, "{text}");
        }
        assert!(range(AT, AT).is_empty());
        let all = Filter::default();
        assert!(all.includes(at(AT)) && !all.is_empty());
    }

    #[test]
    fn one_event_has_a_filter() {
        let filter = Filter::of(&key(EventType::Message));
        assert!(filter.includes(at(AT)) && filter.has_type(EventType::Message));
        assert!(!filter.includes(at(AT).shifted(1)) && !filter.includes(at(AT).shifted(-1)));
        assert!(!filter.has_type(EventType::Purchase));
    }

    #[test]
    fn events_pass_by_type_channel_and_account() {
        let passes = |query: &[(&str, &str)], item: &Item| filter(query).unwrap().passes(item);
        let data = json!({"channel": "WhatsApp", "account": {"id": "a-1"}});
        let message = item(SortKey::Event(key(EventType::Message)), &data);
        for (query, is_passed) in [
            (&[][..], true),
            (&[("type", "purchase,message")], true),
            (&[("type", "purchase")], false),
            (&[("channel", "whats app")], true),
            (&[("channel", "sms")], false),
            (&[("account", "a-1")], true),
            (&[("account", "a-2")], false),
            (&[("channel", "whatsapp"), ("account", "a-2")], false),
        ] {
            assert_eq!(passes(query, &message), is_passed, "{query:?}");
        }
        let record = item(SortKey::Record("crm".into()), &data);
        assert!(!passes(&[], &record));
    }

    #[test]
    fn each_filter_restricts_the_page() {
        for query in [("type", "message"), ("channel", "sms"), ("account", "a")] {
            assert!(!filter(&[query]).unwrap().passes_all(), "{query:?}");
        }
    }

    #[test]
    fn equivalent_filters_are_one_text() {
        let canonical = |query: &[(&str, &str)]| filter(query).unwrap().canonical();
        let one = canonical(&[
            ("type", "message,purchase"),
            ("channel", "Whats App"),
            ("account", "a"),
            ("from", "2026-03-06"),
            ("to", AT),
            ("order", "oldest"),
        ]);
        let other = canonical(&[
            ("type", "purchase"),
            ("type", "message"),
            ("channel", "whatsapp"),
            ("account", "a"),
            ("from", "2026-03-06T00:00:00Z"),
            ("to", AT),
            ("order", "oldest"),
        ]);
        assert_eq!(one, other);
        assert_eq!(canonical(&[("order", "newest")]), "");
        let different = [
            one,
            canonical(&[("channel", "a")]),
            canonical(&[("account", "a")]),
            canonical(&[("from", AT)]),
            canonical(&[("to", AT)]),
            canonical(&[("order", "oldest")]),
            canonical(&[("type", "message")]),
            String::new(),
        ];
        assert_eq!(BTreeSet::from(different.clone()).len(), different.len());
    }
}
