//! Generates email and text message campaigns and a customer's reactions to them.

use std::io;

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

use crate::Files;
use crate::clock::{DAYS, Moment};
use crate::habits::Habits;
use crate::people::Person;

/// The number of days between two text messages.
const TEXT_DAYS: i64 = 120;
/// The number of days between two email campaigns.
const CAMPAIGN_DAYS: i64 = 30;

/// The campaigns: subject and text of the email.
const CAMPAIGNS: [(&str, &str); 6] = [
    (
        "New in this week",
        "Fresh knits and a bag or two have landed, in colors that go with rain.",
    ),
    (
        "Twenty per cent off boots",
        "Until Sunday, every pair of boots is a fifth cheaper. Sizes run out first.",
    ),
    (
        "How to wash wool",
        "Cold, slow and rarely: our knitters on how a jumper lasts ten winters.",
    ),
    (
        "Your members' weekend",
        "Two days before everybody else: the new season, with free alterations.",
    ),
    (
        "A gift list that works",
        "Twelve things under fifty that people keep.",
    ),
    (
        "The mending table is open",
        "Bring anything you bought from us; we sew on buttons while you wait.",
    ),
];

/// Writes the campaigns that a customer received.
pub(crate) fn write(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    emails(person, habits, random, files)?;
    if habits.has_mobile {
        texts(person, habits, random, files)?;
    }
    Ok(())
}

/// Writes the email subscription, the campaigns and the reactions to them.
fn emails(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    let list = json!({"id": "newsletter", "name": "Newsletter"});
    let event = |id: &str, at: Moment| json!({"link": {"email": person.email}, "action_at": at.text(), "email_id": id});
    let mut subscribed = event("signup", Moment::on(random, habits.joined));
    subscribed["status"] = "subscribed".into();
    subscribed["list"] = list.clone();
    files.write("email_subscribe", "mail", &subscribed)?;
    // One customer in 11 unsubscribes halfway, and one address in 19 bounces.
    let unsubscribes = person.index % 11 == 5;
    let bounces = person.index % 19 == 13;
    let until = if unsubscribes {
        (habits.joined + DAYS) / 2
    } else {
        DAYS
    };
    for number in (habits.joined / CAMPAIGN_DAYS + 1)..(until / CAMPAIGN_DAYS) {
        let (subject, text) = CAMPAIGNS[number as usize % CAMPAIGNS.len()];
        let id = format!("E{number:02}-{:06}", person.index);
        let at = Moment::on(random, number * CAMPAIGN_DAYS);
        let mut send = event(&id, at);
        send["campaign_id"] = format!("campaign-{number:02}").into();
        send["list"] = list.clone();
        send["from"] = json!({"email": "hello@shop.example.com", "name": "Harbour Outfitters"});
        send["to"] = json!({"email": person.email, "name": person.name()});
        send["subject"] = subject.into();
        send["body"] = format!("<p>Hello {},</p><p>{text}</p>", person.first).into();
        files.write("email_send", "mail", &send)?;
        if bounces {
            files.write("email_bounce", "mail", &event(&id, at.after(1)))?;
            continue;
        }
        if random.random_range(0..100) >= habits.opens {
            continue;
        }
        let opened = at.after(random.random_range(5..2_000));
        let mut open = event(&id, opened);
        open["campaign_id"] = send["campaign_id"].clone();
        files.write("email_open", "mail", &open)?;
        if random.random_range(0..100) < 30 {
            let mut click = event(&id, opened.after(random.random_range(1..30)));
            click["campaign_id"] = send["campaign_id"].clone();
            click["clicked_link"] = link(number);
            files.write("email_click", "mail", &click)?;
        }
    }
    if unsubscribes {
        let mut unsubscribed = event("preferences", Moment::on(random, until));
        unsubscribed["status"] = "unsubscribed".into();
        unsubscribed["list"] = list;
        files.write("email_subscribe", "mail", &unsubscribed)?;
    }
    Ok(())
}

/// Writes the same for text messages, of which there is one every [`TEXT_DAYS`].
fn texts(
    person: &Person,
    habits: &Habits,
    random: &mut impl Rng,
    files: &mut Files,
) -> io::Result<()> {
    let event = |id: &str, at: Moment| json!({"link": {"mobile": person.mobile}, "action_at": at.text(), "sms_id": id});
    let mut subscribed = event("signup", Moment::on(random, habits.joined));
    subscribed["status"] = "subscribed".into();
    subscribed["list"] = json!({"id": "sms", "name": "Text messages"});
    files.write("sms_subscribe", "sms", &subscribed)?;
    for number in (habits.joined / TEXT_DAYS + 1)..(DAYS / TEXT_DAYS) {
        let id = format!("T{number:02}-{:06}", person.index);
        let at = Moment::on(random, number * TEXT_DAYS);
        let mut send = event(&id, at);
        send["campaign_id"] = format!("text-{number:02}").into();
        send["from"] = json!({"name": "HARBOUR"});
        send["to"] = json!({"number": person.mobile});
        send["body"] =
            "Members' weekend starts on Friday: shop.example.com/members. Reply STOP to leave."
                .into();
        files.write("sms_send", "sms", &send)?;
        if random.random_range(0..100) < 25 {
            let mut click = event(&id, at.after(random.random_range(1..600)));
            click["clicked_link"] = link(number);
            files.write("sms_click", "sms", &click)?;
        }
    }
    Ok(())
}

fn link(number: i64) -> Value {
    json!({"name": "See more", "url": format!("https://shop.example.com/campaigns/{number:02}")})
}
