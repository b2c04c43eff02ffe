//! Email addresses. The normal form is one mailbox in lowercase, with its domain in ASCII.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Refusal, placeholder, text};

/// The maximum size of a local part, in bytes (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;
/// The maximum size of a label of a domain, in bytes (RFC 1035, 2.3.4).
const MAX_LABEL_BYTES: usize = 63;
/// The maximum size of a domain in ASCII, in bytes (RFC 1035, 2.3.4, without the root).
const MAX_DOMAIN_BYTES: usize = 253;

const ADDRESS: Refusal = Refusal::invalid("must be one email address such as jane@example.com.");
const SCHEME: Refusal = Refusal::invalid("begins with mailto:. Remove it.");
const QUOTED: Refusal =
    Refusal::invalid("contains quotation marks, which are not supported. Remove them.");
const DISPLAY_NAME: Refusal =
    Refusal::invalid("contains a display name or angle brackets. Send the address only.");
const SEVERAL: Refusal = Refusal::invalid(
    "must be one address without spaces. Send each address as its own identifier.",
);
const LOCAL_PART: Refusal = Refusal::invalid(
    "is invalid before the @. Use at most 64 bytes of letters, digits and !#$%&'*+/=?^_`{|}~-, with single dots between them.",
);
const DOMAIN: Refusal = Refusal::invalid(
    "has an invalid domain. Use two or more names of letters, digits and hyphens, separated by dots, without a dot at the end.",
);
const PLACEHOLDER: Refusal = Refusal::placeholder(
    "is a placeholder address. It would merge all customers who have it. Use another identifier of the customer.",
);

/// Returns the normal form of an address that is already in NFC and trimmed.
pub(super) fn normal_form(address: &str) -> Result<String, Refusal> {
    let address = lowercase(address);
    let (local, domain) = address.split_once('@').ok_or(ADDRESS)?;
    if !is_local_part(local) {
        return Err(explain(&address, LOCAL_PART));
    }
    if domain.contains('@') {
        return Err(SEVERAL);
    }
    let address = if is_plain_domain(domain) {
        address
    } else {
        let domain = ascii_domain(domain).ok_or_else(|| explain(domain, DOMAIN))?;
        format!("{local}@{domain}")
    };
    if placeholder::is_address(&address) {
        return Err(PLACEHOLDER);
    }
    Ok(address)
}

/// Returns the address in lowercase, in which `İ` becomes `i` as in other systems. The result is in NFC again, because
/// lowercase letters can compose where uppercase ones do not.
fn lowercase(address: &str) -> String {
    if address.is_ascii() {
        return address.to_ascii_lowercase();
    }
    const DOTTED: &str = "i\u{307}";
    let mut lower = address.to_lowercase();
    // `İ` in lowercase is an `i` with a second dot.
    while lower.contains(DOTTED) {
        lower = lower.replace(DOTTED, "i");
    }
    text::compose(&lower).into_owned()
}

/// Returns whether a local part is an RFC 5321 dot-atom, with the letters, digits and marks of any script.
fn is_local_part(local: &str) -> bool {
    let is_atom_text = |c: char| match c {
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^' | '_'
        | '`' | '{' | '|' | '}' | '~' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => c.is_alphanumeric() || text::is_mark(c),
    };
    local.len() <= MAX_LOCAL_BYTES
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atom_text))
}

/// Returns whether a lowercase domain is ASCII and valid without Unicode processing.
fn is_plain_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.starts_with("xn--")
    };
    domain.len() <= MAX_DOMAIN_BYTES && domain.contains('.') && domain.split('.').all(is_label)
}

/// Converts a domain to ASCII by UTS 46, nontransitional.
fn ascii_domain(domain: &str) -> Option<Cow<'_, str>> {
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    ascii.ok().filter(|ascii| ascii.contains('.'))
}

/// Returns the refusal for a frequent mistake in the address, or else `otherwise`.
fn explain(address: &str, otherwise: Refusal) -> Refusal {
    if address.starts_with("mailto:") {
        SCHEME
    } else if address.contains(['<', '>']) {
        DISPLAY_NAME
    } else if address.contains('"') {
        QUOTED
    } else if address.contains([',', ';']) || address.contains(char::is_whitespace) {
        SEVERAL
    } else {
        otherwise
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::identifier::Notation;

    fn parse(address: &str) -> Result<String, Refusal> {
        normal_form(&text::normal_form(address, Notation::Json)?)
    }

    #[test]
    fn addresses_have_one_normal_form() {
        for (address, expected) in [
            ("Jane@Fake.COM", "jane@fake.com"),
            ("o'malley@example.com", "o'malley@example.com"),
            (
                "a!#$%&'*+/=?^_`{|}~-.b@x-1.co.uk",
                "a!#$%&'*+/=?^_`{|}~-.b@x-1.co.uk",
            ),
            ("\u{130}NFO@\u{130}STANBUL.COM", "info@istanbul.com"),
            ("I\u{307}nfo@example.com", "info@example.com"),
            ("i\u{307}\u{307}nfo@example.com", "info@example.com"),
            ("kim@b\u{fc}cher.example", "kim@xn--bcher-kva.example"),
            ("kim@BU\u{308}CHER.example", "kim@xn--bcher-kva.example"),
            ("kim@XN--BCHER-KVA.Example", "kim@xn--bcher-kva.example"),
            (
                "kim@b\u{fc}cher\u{3002}example",
                "kim@xn--bcher-kva.example",
            ),
            ("a@fa\u{df}.de", "a@xn--fa-hia.de"),
            ("a@\u{ff45}xample.com", "a@example.com"),
            ("J\u{d6}RG@example.com", "j\u{f6}rg@example.com"),
            ("H\u{331}@example.com", "\u{1e96}@example.com"),
            ("\u{3b1}\u{3a3}@example.com", "\u{3b1}\u{3c2}@example.com"),
            (
                "\u{e2a}\u{e38}\u{e48}@example.com",
                "\u{e2a}\u{e38}\u{e48}@example.com",
            ),
            (
                "\u{91c}\u{94d}\u{935}@example.com",
                "\u{91c}\u{94d}\u{935}@example.com",
            ),
            ("a@r3---sn.example.com", "a@r3---sn.example.com"),
            ("jane\u{200b}@exam\u{ad}ple.com", "jane@example.com"),
        ] {
            assert_eq!(parse(address).as_deref(), Ok(expected), "{address}");
        }
        let local = "x".repeat(MAX_LOCAL_BYTES);
        assert!(parse(&format!("{local}@b.c")).is_ok());
        assert!(parse(&format!("{}@b.c", "\u{e9}".repeat(32))).is_ok());
    }

    #[test]
    fn refuses_what_is_not_one_address() {
        for (address, refusal) in [
            ("jane", ADDRESS),
            ("@b.c", LOCAL_PART),
            ("a..b@example.com", LOCAL_PART),
            (".a@example.com", LOCAL_PART),
            ("a.@example.com", LOCAL_PART),
            ("\u{1f600}@example.com", LOCAL_PART),
            ("tom@localhost", DOMAIN),
            ("a@b_c.d", DOMAIN),
            ("a@-b.c", DOMAIN),
            ("a@b-.c", DOMAIN),
            ("a@.c", DOMAIN),
            ("a@b..c", DOMAIN),
            ("trailing@example.com.", DOMAIN),
            ("a@b\u{fc}cher.example.", DOMAIN),
            ("a@[127.0.0.1]", DOMAIN),
            ("a@xn--a.c", DOMAIN),
            ("a@xn--zzzzzzz999.c", DOMAIN),
            ("a@\u{fc}\u{ff20}.c", DOMAIN),
            ("\"quoted name\"@example.com", QUOTED),
            ("\"quoted\"@example.com", QUOTED),
            ("Jo <jo@example.com>", DISPLAY_NAME),
            ("<jo@example.com>", DISPLAY_NAME),
            ("mailto:mai@example.com", SCHEME),
            ("two@example.com;too@example.com", SEVERAL),
            ("two@example.com, too@example.com", SEVERAL),
            ("a@b.c@d.e", SEVERAL),
            ("None@example.com", PLACEHOLDER),
            ("test@test.com", PLACEHOLDER),
        ] {
            assert_eq!(parse(address), Err(refusal), "{address}");
        }
        assert!(parse(&format!("{}@b.c", "x".repeat(MAX_LOCAL_BYTES + 1))).is_err());
        assert!(parse(&format!("{}@b.c", "\u{e9}".repeat(33))).is_err());
        assert!(parse(&format!("a@{}.c", "x".repeat(MAX_LABEL_BYTES + 1))).is_err());
        assert!(parse(&format!("a@{}c", "x.".repeat(127))).is_err());
    }

    /// The fast path and UTS 46 give the same result.
    #[test]
    fn plain_domains_are_those_of_uts_46() {
        for domain in [
            "b.c",
            "example.com",
            "a-b.co.uk",
            "1.2",
            "r3---sn.x",
            "xx--y.z",
        ] {
            assert!(is_plain_domain(domain), "{domain}");
            assert_eq!(ascii_domain(domain).as_deref(), Some(domain));
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(
            local in "[a-zA-Z\u{c0}-\u{24f}\u{300}-\u{33f}\u{370}-\u{3ff}\u{1e00}-\u{1fff}.'+]{1,6}",
            domain in "([a-zA-Z0-9-]|[\u{c0}-\u{24f}]|[\u{300}-\u{33f}]|[\u{3a0}-\u{5ff}]|[\u{4e00}-\u{4eff}]){1,6}",
        ) {
            if let Ok(address) = parse(&format!("{local}@{domain}.Example")) {
                prop_assert_eq!(parse(&address), Ok(address.clone()));
                let again = parse(&format!("\u{feff}{local}@{domain}\u{ff0e}EXAMPLE "));
                prop_assert_eq!(again, Ok(address));
            }
        }

        #[test]
        fn ascii_agrees_with_uts_46(domain in "[a-z0-9.-]{1,12}") {
            let plain = is_plain_domain(&domain).then_some(domain.as_str());
            if !domain.contains("xn--") {
                let ascii = ascii_domain(&domain);
                prop_assert_eq!(plain, ascii.as_deref());
            }
        }

        #[test]
        fn no_text_panics(address in "\\PC{0,40}") {
            let _ = parse(&address);
        }
    }
}
