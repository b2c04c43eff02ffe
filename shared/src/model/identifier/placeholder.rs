//! Placeholders: values that systems write if a customer has no identifier. As an identifier, a placeholder would merge
//! strangers.

/// Placeholder ids in lowercase. They are compared without case, whitespace and surrounding characters that are neither letters nor
/// digits: `(none)` is `none`. None contains a digit. `infra/docs/reference/records.md` lists them.
const IDS: &[&str] = &[
    "null",
    "nil",
    "none",
    "undefined",
    "nan",
    "n/a",
    "n.a",
    "na",
    "not set",
    "not_set",
    "not available",
    "not applicable",
    "not provided",
    "unknown",
    "anonymous",
    "guest",
    "test",
    "true",
    "false",
    "object object",
];

/// Errors of spreadsheets without a mark at the end, in lowercase. `infra/docs/reference/records.md` lists them.
const UNMARKED_ERRORS: &[&str] = &["#n/a", "#n/b", "#n/d", "#nv", "#i/t"];

/// How MySQL exports an absent value.
const MYSQL_NULL: &str = "\\n";

/// The ends of fields that a template left unfilled. `infra/docs/reference/records.md` lists them.
const TEMPLATES: &[[&str; 2]] = &[
    ["{{", "}}"],
    ["{%", "%}"],
    ["${", "}"],
    ["*|", "|*"],
    ["[[", "]]"],
    ["%%", "%%"],
];

/// Placeholder local parts of addresses in lowercase, for every domain. `infra/docs/reference/records.md` lists them.
const LOCAL_PARTS: &[&str] = &[
    "noemail",
    "no-email",
    "no_email",
    "no.email",
    "nomail",
    "no-mail",
    "none",
    "null",
    "undefined",
    "unknown",
    "anonymous",
    "n/a",
];

/// Words in lowercase that make a placeholder of an address if they are its local part and the first name of its domain, such as
/// `na@na.com`. `infra/docs/reference/records.md` lists them.
const REPEATED: &[&str] = &["asdf", "email", "guest", "na", "no", "test", "xxx"];

/// Names in the domains of placeholder addresses. Only addresses without a digit are placeholders there: systems also make an address
/// of a customer's number. `infra/docs/reference/records.md` lists them.
const NO_EMAIL: &[&str] = &["noemail", "no-email", "nomail", "no-mail"];

/// SHA-256 and MD5 digests of the empty string and of the most frequent placeholders.
const DIGESTS: &[&str] = &[
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "d41d8cd98f00b204e9800998ecf8427e",
    "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
    "37a6259cc0c1dae299a7866489dff0bd",
    "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe",
    "334c4a4c42fdb79d7ebc3e73b517e6f8",
    "eb045d78d273107348b0300c01d29b7552d622abbc6faf81b3ec55359aa9950c",
    "5e543256c480ac577d30f76f9120eb74",
    "9b2d5b4678781e53038e91ea5324530a03f27dc1d0e5f6c9bc9d493a23be9de0",
    "a3d2de7675556553a5f08e4c88d2c228",
    "a683c5c5349f6f7fb903ba8a9e7e55d0ba1b8f03579f95be83f4954c33e81098",
    "274b68192b056e268f128ff63bfcd4a4",
    "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a",
    "b642b4217b34b1e8d3bd915fc65c4452",
];

/// Returns whether an id is a placeholder: one of `IDS`, an error of a spreadsheet, an unfilled field of a template, or a text without letters and
/// digits other than zero, such as `-`, `0` and the nil UUID.
pub(super) fn is_id(value: &str) -> bool {
    is_zero(value) || is_template(value) || is_error(value) || is_listed(value)
}

fn is_zero(value: &str) -> bool {
    value.chars().all(|c| c == '0' || !c.is_alphanumeric())
}

/// Returns whether a text contains a field that a template left unfilled.
fn is_template(text: &str) -> bool {
    let is_begin = |byte| matches!(byte, b'{' | b'*' | b'[' | b'%');
    text.bytes().any(is_begin)
        && TEMPLATES.iter().any(|[begin, end]| {
            let field = text.split_once(begin);
            field.is_some_and(|(_, field)| field.contains(end))
        })
}

/// Returns whether a text is an error of a spreadsheet in any language, such as `#REF!`, `#BEZUG!`, `#NAME?` and `#DIV/0!`.
fn is_error(value: &str) -> bool {
    let Some(error) = value.strip_prefix('#') else {
        return false;
    };
    let marked = error.strip_suffix(['!', '?']);
    let is_part =
        |c: char| c.is_alphabetic() || c.is_whitespace() || matches!(c, '/' | '0' | '¡' | '¿');
    marked.is_some_and(|word| word.chars().all(is_part))
        || UNMARKED_ERRORS.contains(&folded(value).as_str())
}

fn is_listed(value: &str) -> bool {
    // No placeholder contains a digit, and most ids do.
    if value.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let is_equal = |word: &str, id: &str| {
        let letters = id.chars().filter(|c| !c.is_whitespace());
        word.chars().eq(letters)
    };
    let word = folded(value.trim_matches(|c: char| !c.is_alphanumeric()));
    IDS.iter().any(|id| is_equal(&word, id)) || value.eq_ignore_ascii_case(MYSQL_NULL)
}

/// Returns a text in lowercase and without whitespace.
fn folded(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_whitespace());
    visible.flat_map(char::to_lowercase).collect()
}

/// Returns whether an address in its normal form is a placeholder.
pub(super) fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let name = domain.split('.').next().unwrap_or_default();
    let is_in_no_domain = || domain.split('.').any(|label| NO_EMAIL.contains(&label));
    LOCAL_PARTS.contains(&local)
        || local == name && REPEATED.contains(&local)
        || !local.bytes().any(|byte| byte.is_ascii_digit()) && is_in_no_domain()
        || is_template(local)
}

/// Returns whether the digits of a phone number are one digit repeated, or 1234567890. Other sequences can be numbers, such as
/// 123 4567, 01 23 45 67 89 and 1 234 567 8901.
pub(super) fn is_phone(digits: &str) -> bool {
    let mut bytes = digits.bytes();
    digits == "1234567890"
        || bytes
            .next()
            .is_some_and(|first| bytes.all(|digit| digit == first))
}

/// Returns whether a lowercase digest is that of a placeholder.
pub(super) fn is_digest(digest: &str) -> bool {
    DIGESTS.contains(&digest) || digest.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use md5::Md5;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn ids_in_any_case() {
        for id in [
            "null",
            "Null",
            "NIL",
            "None",
            "UNDEFINED",
            "NaN",
            "n/A",
            "NA",
            "#N/A",
            "-",
            "?",
            "0",
            "000",
            "Unknown",
            "ANONYMOUS",
            "Guest",
            "TEST",
            "True",
            "FALSE",
            "[object Object]",
            "\\N",
            "#REF!",
            "00000000-0000-0000-0000-000000000000",
            "{00000000-0000-0000-0000-000000000000}",
            "00000000000000000000000000000000",
            "(none)",
            "<none>",
            "[NULL]",
            "\"null\"",
            "N / A",
            "(n/a)",
            "N.A.",
            "Not Set",
            "(not set)",
            "not_set",
            "Not  Available",
            "---",
            "[]",
            "{}",
            ".",
            "_",
            "…",
            "0.0",
            "(0)",
            "0000-00-00",
            "#NV",
            "# N/A",
            "#BEZUG!",
            "#WERT!",
            "#NOMBRE?",
            "#¿NOMBRE?",
            "#DIV/0!",
            "#N/D",
            "{{customer.id}}",
            "{{ contact.id | default: '' }}",
            "C-{{id}}",
            "{%customer_id%}",
            "${customerId}",
            "*|CUSTOMER_ID|*",
            "[[id]]",
            "%%id2%%",
        ] {
            assert!(is_id(id), "{id}");
        }
        for id in [
            "C0",
            "10",
            "0x0",
            "tests",
            "guest1",
            "nulls",
            "-0a",
            "N",
            "NV",
            "REF",
            "name",
            "notset1",
            "test-1",
            "(test 2)",
            "C(none)",
            "#1042",
            "#1042!",
            "A%%B",
            "{7d0c}",
            "[a1]",
            "{a}{b}",
            "٣",
            "名",
            "00000000-0000-0000-0000-000000000001",
        ] {
            assert!(!is_id(id), "{id}");
        }
    }

    /// `infra/docs/reference/records.md` lists every placeholder.
    #[test]
    fn placeholders_are_documented() {
        let page = include_str!("../../../../infra/docs/reference/records.md").to_lowercase();
        for id in IDS
            .iter()
            .chain(UNMARKED_ERRORS)
            .chain([&MYSQL_NULL])
            .chain(NO_EMAIL)
        {
            assert!(page.contains(&format!("`{id}`")), "{id}");
        }
        for word in REPEATED {
            assert!(page.contains(&format!("`{word}@{word}.…`")), "{word}");
        }
        for [begin, end] in TEMPLATES {
            let field = format!("`{begin}…{end}`").replace('|', "\\|");
            assert!(page.contains(&field), "{field}");
        }
        for local in LOCAL_PARTS {
            assert!(page.contains(&format!("`{local}@`")), "{local}");
        }
    }

    #[test]
    fn addresses_of_the_list() {
        for address in [
            "noemail@x.com",
            "none@example.com",
            "test@test.com",
            "n/a@n.com",
            "na@na.com",
            "na@na.co.uk",
            "guest@guest.example",
            "customer@noemail.com",
            "jane@shop.no-email.example",
            "{{email}}@example.com",
            "*|email|*@example.com",
        ] {
            assert!(is_address(address), "{address}");
        }
        for address in [
            "test@example.com",
            "nonet@x.com",
            "jane@test.com",
            "na@x.com",
            "na@mail.na.com",
            "jane@jane.com",
            "c1042@noemail.com",
            "jane@noemails.com",
            "{jane}@example.com",
        ] {
            assert!(!is_address(address), "{address}");
        }
    }

    #[test]
    fn digests_of_placeholders() {
        for text in [
            "",
            "null",
            "none",
            "undefined",
            "nan",
            "n/a",
            "test@test.com",
        ] {
            let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(text));
            let md5 = data_encoding::HEXLOWER.encode(&Md5::digest(text));
            assert!(is_digest(&sha256) && is_digest(&md5), "{text}");
        }
        assert!(is_digest(&"0".repeat(64)) && !is_digest(&"a".repeat(64)));
        let jane = data_encoding::HEXLOWER.encode(&Sha256::digest("jane@fake.com"));
        assert!(!is_digest(&jane));
    }

    #[test]
    fn phones_of_the_list() {
        assert!(is_phone("1234567890"));
        for phone in [
            "1234567",
            "123456789",
            "0123456789",
            "12345678901",
            "9876543210",
        ] {
            assert!(!is_phone(phone), "{phone}");
        }
        assert!(is_phone("0000000") && is_phone("9") && is_phone("11111111111"));
        assert!(!is_phone("61400000000") && !is_phone(""));
    }
}
