//! Rows to import: emails sent, each to another person unless the caller names one.

use std::fmt::Write as _;

const SECONDS_OF_DAY: u64 = 86_400;

/// One email, as a line of NDJSON.
pub(crate) fn email(number: u64, person: Option<&str>) -> String {
    let email = address(number, person);
    let at = at(number);
    let campaign = number % 97;
    format!(
        "{{\"link\":{{\"email\":\"{email}\"}},\"action_at\":\"{at}\",\"email_id\":\"E{number:09}\",\"campaign_id\":\"campaign-{campaign}\",\
         \"subject\":\"Letter {campaign}: two days before public release\",\"from\":{{\"email\":\"hello@shop.example.com\",\"name\":\"Harbour Outfitters\"}},\
         \"to\":{{\"email\":\"{email}\",\"name\":\"Customer {number}\"}},\"list\":{{\"id\":\"newsletter\",\"name\":\"Newsletter\"}}}}\n"
    )
}

/// An opened email, with the required fields and its campaign, as a line of NDJSON.
pub(crate) fn opened_email(number: u64, person: &str) -> String {
    let (at, campaign) = (at(number), number % 97);
    format!(
        "{{\"link\":{{\"email\":\"{person}\"}},\"action_at\":\"{at}\",\"email_id\":\"E{number:09}\",\"campaign_id\":\"campaign-{campaign}\"}}\n"
    )
}

/// A customer record with a first and a last name, as a line of NDJSON.
pub(crate) fn customer(number: u64, name: &str) -> String {
    let email = address(number, None);
    let (first, last) = name.split_once(' ').unwrap_or((name, name));
    format!(
        "{{\"link\":{{\"email\":\"{email}\"}},\"first_name\":\"{first}\",\"last_name\":\"{last}\"}}\n"
    )
}

/// The columns of [`csv_email`].
pub(crate) const CSV_HEADER: &str = "link.email,action_at,email_id,campaign_id,subject,from.email,from.name,to.email,to.name,list.id,list.name\r\n";

/// The same email, as a line of CSV.
pub(crate) fn csv_email(number: u64) -> String {
    let email = address(number, None);
    let at = at(number);
    let campaign = number % 97;
    format!(
        "{email},{at},E{number:09},campaign-{campaign},\"Letter {campaign}: two days before public release\",hello@shop.example.com,\
         Harbour Outfitters,{email},Customer {number},newsletter,Newsletter\r\n"
    )
}

/// A file of `count` emails.
pub(crate) fn emails(count: u64) -> String {
    let mut file = String::new();
    for number in 0..count {
        file.push_str(&email(number, None));
    }
    file
}

/// The same, as CSV.
pub(crate) fn csv_emails(count: u64) -> String {
    let mut file = CSV_HEADER.to_owned();
    for number in 0..count {
        file.push_str(&csv_email(number));
    }
    file
}

/// The address of an email's recipient.
pub(crate) fn address(number: u64, person: Option<&str>) -> String {
    person.map_or_else(|| format!("customer{number}@example.com"), str::to_owned)
}

/// A moment of 2026, another one for each number.
fn at(number: u64) -> String {
    let seconds = number.wrapping_mul(7_919) % (300 * SECONDS_OF_DAY);
    let (day, second) = (seconds / SECONDS_OF_DAY, seconds % SECONDS_OF_DAY);
    let mut text = String::new();
    let _ = write!(
        text,
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        day / 28 % 10 + 1,
        day % 28 + 1,
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    text
}
