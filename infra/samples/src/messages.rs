//! Generates conversations between a customer and the service desk, on several channels and accounts.

use std::io;

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

use crate::Files;
use crate::catalogue::{Product, products};
use crate::clock::Moment;
use crate::habits::Habits;
use crate::people::Person;

/// The channels, each with the id and name of the company's account.
const CHANNELS: [(&str, &str, &str); 7] = [
    ("instagram", "ig-harbour", "@harbour.outfitters"),
    ("facebook", "fb-harbour-au", "Harbour Outfitters Australia"),
    ("webchat", "web-main", "shop.example.com"),
    ("facebook", "fb-harbour-uk", "Harbour Outfitters UK"),
    ("email", "help-desk", "help@shop.example.com"),
    ("x", "x-harbour", "@harbour_help"),
    ("whatsapp", "wa-main", "Harbour on WhatsApp"),
];

/// The messages of each conversation, in turn. The customer writes first.
const CONVERSATIONS: [&[&str]; 6] = [
    &[
        "Hi, my parcel was due on Tuesday and the tracking page hasn't moved since.",
        "Hello {name}, sorry about that. The courier has it marked as delayed; it should be with you by Friday.",
        "Great, thank you for the quick answer.",
    ],
    &[
        "Do you take the boots in half sizes? The 41 is tight, the 43 is loose.",
        "Not yet, {name}, but the 41 stretches in a week. If it doesn't, send it back within 60 days.",
    ],
    &[
        "One of the seams on my jacket has opened 😕",
        "That shouldn't happen, {name}. Could you send us a picture? We'll mend or replace it.",
        "Here it is.",
        "Thank you. A repair label is in your inbox.",
        "You're the best!",
    ],
    &[
        "¿Envían a las islas?",
        "Sí, {name}: en cinco días, sin coste desde 80.",
    ],
    &[
        "Please remove me from the weekly list, once a month is enough.",
        "Done, {name}. You'll hear from us monthly.",
    ],
    &[
        "Is the Melbourne shop open on the holiday?",
        "It is, {name}, from ten to four.",
    ],
];

/// Whether the customer or a support agent writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Writes a customer's conversations, if the customer writes messages.
pub(crate) fn write(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    if !habits.writes {
        return Ok(());
    }
    for number in 0..random.random_range(1..5_u32) {
        let pick = (person.index / 3 + number) as usize;
        let (channel, account_id, account) = CHANNELS[pick % CHANNELS.len()];
        let lines = CONVERSATIONS[random.random_range(0..CONVERSATIONS.len())];
        let day = random.random_range(habits.joined..=habits.last_active.max(habits.joined));
        let mut at = Moment::on(random, day);
        let conversation = format!("K{:06}-{number}", person.index);
        for (turn, text) in lines.iter().enumerate() {
            let direction = if turn % 2 == 0 {
                Direction::Inbound
            } else {
                Direction::Outbound
            };
            let mut row = json!({
                "link": link(person, channel),
                "action_at": at.text(),
                "message_id": format!("{conversation}-{turn}"),
                "channel": channel,
                "direction": direction.as_str(),
                "account": {"id": account_id, "name": account},
                "author": author(person, direction),
                "conversation_id": conversation,
                "body": text.replace("{name}", person.first),
                "state": if turn + 1 == lines.len() { "closed" } else { "open" },
            });
            if *text == "Here it is." {
                let jacket = products()
                    .iter()
                    .find(|product| product.kind.name == "Waxed Jacket")
                    .map(Product::image_url);
                row["attachments"] = json!([{
                    "url": jacket,
                    "type": "image",
                    "name": "seam.svg",
                }]);
            }
            files.write("message", "desk", &row)?;
            at = at.after(random.random_range(3..240));
        }
    }
    Ok(())
}

/// Returns the customer's identifier on a channel.
fn link(person: &Person, channel: &str) -> Value {
    match channel {
        "email" => json!({"email": person.email}),
        _ => person.social_link(),
    }
}

fn author(person: &Person, direction: Direction) -> Value {
    if direction == Direction::Inbound {
        json!({"name": person.name(), "handle": person.handle()})
    } else {
        let agent = ["Robin", "Sasha", "Kim"][person.index as usize % 3];
        json!({"name": agent})
    }
}
