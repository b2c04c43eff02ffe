//! Channels: where events happen, how channel names are compared, and which names are well known.

use crate::model::{keys::EventType, value::Map};

/// Well-known channels, in normal form and sorted for binary search. Other names are hidden from clients without `pii:read`.
const CHANNELS: &[&str] = &[
    "app",
    "applebusinesschat",
    "applemessages",
    "bluesky",
    "call",
    "chat",
    "discord",
    "ecommerce",
    "email",
    "facebook",
    "facebookmessenger",
    "fax",
    "form",
    "forum",
    "googlebusinessmessages",
    "imessage",
    "inapp",
    "instagram",
    "instore",
    "kakaotalk",
    "letter",
    "line",
    "linkedin",
    "livechat",
    "mail",
    "mastodon",
    "messenger",
    "mms",
    "phone",
    "physical",
    "pinterest",
    "post",
    "push",
    "rcs",
    "reddit",
    "review",
    "reviews",
    "signal",
    "slack",
    "sms",
    "snapchat",
    "store",
    "teams",
    "telegram",
    "threads",
    "tiktok",
    "trustpilot",
    "twitter",
    "viber",
    "video",
    "voice",
    "voicemail",
    "web",
    "webchat",
    "webform",
    "website",
    "wechat",
    "whatsapp",
    "x",
    "youtube",
    "zalo",
];

/// Returns the channel of an event.
pub fn channel(kind: EventType, data: &Map) -> Option<&str> {
    match kind {
        EventType::Purchase | EventType::Return => data.text("type"),
        EventType::EmailSend
        | EventType::EmailOpen
        | EventType::EmailClick
        | EventType::EmailBounce
        | EventType::EmailSubscribe => Some("email"),
        EventType::SmsSend | EventType::SmsClick | EventType::SmsSubscribe => Some("sms"),
        EventType::Message => data.text("channel"),
        EventType::Event => None,
    }
}

/// Returns the normal form of a channel, used for comparison: its letters and digits in lowercase. `WhatsApp`, `whats_app` and
/// `Whats App` are one channel. A name without letters and digits is only converted to lowercase.
pub fn normal_channel(channel: &str) -> String {
    let normal = channel.to_lowercase();
    let kept: String = normal.chars().filter(|c| c.is_alphanumeric()).collect();
    if kept.is_empty() { normal } else { kept }
}

/// Returns whether a channel is well known.
pub fn is_known_channel(channel: &str) -> bool {
    CHANNELS
        .binary_search(&normal_channel(channel).as_str())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_sorted_and_normal() {
        assert!(CHANNELS.is_sorted());
        for channel in CHANNELS {
            assert_eq!(normal_channel(channel), *channel);
            assert!(is_known_channel(channel));
        }
    }
}
