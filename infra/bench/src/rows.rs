//! Creates rows to import. Each number is a different customer, unless the caller specifies the person.

use std::fmt::Write as _;

const SECONDS_PER_DAY: u64 = 86_400;

/// Returns a sent email, as a line of NDJSON.
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

/// Returns an opened email with the required fields and its campaign, as a line of NDJSON.
pub(crate) fn opened_email(number: u64, person: &str) -> String {
    let (at, campaign) = (at(number), number % 97);
    format!(
        "{{\"link\":{{\"email\":\"{person}\"}},\"action_at\":\"{at}\",\"email_id\":\"E{number:09}\",\"campaign_id\":\"campaign-{campaign}\"}}\n"
    )
}

/// Returns a customer record with a first and a last name, as a line of NDJSON.
pub(crate) fn customer(number: u64, name: &str) -> String {
    let email = address(number, None);
    let (first, last) = name.split_once(' ').unwrap_or((name, name));
    format!(
        "{{\"link\":{{\"email\":\"{email}\"}},\"first_name\":\"{first}\",\"last_name\":\"{last}\"}}\n"
    )
}

/// The columns of [`csv_email`].
pub(crate) const CSV_HEADER: &str = "link.email,action_at,email_id,campaign_id,subject,from.email,from.name,to.email,to.name,list.id,list.name\r\n";

/// Returns the same sent email as [`email`], as a line of CSV.
pub(crate) fn csv_email(number: u64) -> String {
    let email = address(number, None);
    let at = at(number);
    let campaign = number % 97;
    format!(
        "{email},{at},E{number:09},campaign-{campaign},\"Letter {campaign}: two days before public release\",hello@shop.example.com,\
         Harbour Outfitters,{email},Customer {number},newsletter,Newsletter\r\n"
    )
}

/// Returns an NDJSON file of `count` sent emails.
pub(crate) fn emails(count: u64) -> String {
    let mut file = String::new();
    for number in 0..count {
        file.push_str(&email(number, None));
    }
    file
}

/// Returns a CSV file of `count` sent emails.
pub(crate) fn csv_emails(count: u64) -> String {
    let mut file = CSV_HEADER.to_owned();
    for number in 0..count {
        file.push_str(&csv_email(number));
    }
    file
}

/// Returns the address of an email's recipient.
pub(crate) fn address(number: u64, person: Option<&str>) -> String {
    person.map_or_else(|| format!("customer{number}@example.com"), str::to_owned)
}

/// Returns a time in 2026 that depends on the number.
fn at(number: u64) -> String {
    let seconds = number.wrapping_mul(7_919) % (300 * SECONDS_PER_DAY);
    let (day, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
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
